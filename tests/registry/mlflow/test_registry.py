"""What the embedded registry promises beyond the contract: MLflow's own view, moves, company."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from basketwise.config import RegistryConfig
from basketwise.digests import sha256
from basketwise.errors import DependencyError, InputError, WorkspaceError
from basketwise.registry.mlflow.calls import connect
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import ApprovalState, Submission

if TYPE_CHECKING:
    from mlflow import MlflowClient

APPROVED, REJECTED = ApprovalState.APPROVED, ApprovalState.REJECTED

REGISTER = """
import sys
from pathlib import Path
from basketwise.config import RegistryConfig
from basketwise.digests import sha256
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import Submission

folder, archive, who = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
registry = open_registry(RegistryConfig(), folder)
submission = Submission(who, archive, sha256(archive), who, {"a": 1.0}, {"b": "2"})
print(*(registry.register(submission, who=who).version for _ in range(5)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "registry"
    open_registry(RegistryConfig(), folder)
    return folder


@pytest.fixture
def config() -> RegistryConfig:
    return RegistryConfig(group=f"g-{uuid4().hex}")


@pytest.fixture
def client(folder: Path) -> MlflowClient:
    return connect(f"sqlite:///{folder / 'registry.db'}")


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    archive, report = tmp_path / "other-name.tgz", tmp_path / "report.html"
    archive.write_bytes(b"a model")
    report.write_text("a report")
    return Submission(
        run_id="run-7",
        model_archive=archive,
        sha256=sha256(archive),
        description="a model",
        metrics={f"m{n}": float(n) for n in range(130)} | {"f1@High": 0.5},
        params={f"p{n}": str(n) for n in range(230)} | {"long": "x" * 9000},
        tags={"data hash": "abc"},
        attachments=(report,),
    )


def experiment_id(client: MlflowClient, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return str(experiment.experiment_id)


def test_mlflow_shows_run_files_state_alias_and_description(
    folder: Path, config: RegistryConfig, client: MlflowClient, submission: Submission
) -> None:
    registry = open_registry(config, folder)
    for _ in range(2):
        version = registry.register(submission, who="ann").version
        registry.set_state(version, APPROVED, who="ann", why="good")
    shown = client.get_model_version_by_alias(config.group, "champion")
    assert str(shown.version) == "2"
    assert shown.tags["basketwise.state"] == "Approved"
    assert shown.tags["data hash"] == "abc"
    assert shown.description == registry.get("2").description

    assert shown.run_id is not None
    run = client.get_run(shown.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "run-7"
    assert len(run.data.metrics) == 131
    assert run.data.metrics["m129"] == 129.0
    assert len(run.data.params) == 231
    assert run.data.params["p229"] == "229"
    assert len(run.data.params["long"]) <= 6000
    assert run.data.params["long"].endswith("characters cut]")
    assert client.get_experiment(run.info.experiment_id).name == config.group
    files = folder / "artifacts" / shown.run_id / "artifacts"
    assert (files / "attachments" / "report.html").read_text() == "a report"

    assert run.outputs is not None
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (str(model.status), model.source_run_id) == ("READY", shown.run_id)
    assert {metric.key: metric.value for metric in model.metrics or ()} == run.data.metrics
    assert model.params == run.data.params
    assert json.loads(model.tags["mlflow.modelVersions"]) == [
        {"name": config.group, "version": "2"}
    ]
    assert model.artifact_location == shown.source
    archive = folder / "artifacts" / "models" / output.model_id / "artifacts" / "model.tar.gz"
    assert archive.read_bytes() == b"a model"
    assert registry.get("2").model_data_url == str(archive)

    registry.set_state("2", REJECTED, who="ben", why="sales fell")
    assert str(client.get_model_version_by_alias(config.group, "champion").version) == "1"
    registry.set_state("1", REJECTED, who="ben", why="sales fell")
    assert client.get_registered_model(config.group).aliases == {}


def test_a_registration_that_fails_leaves_no_version(
    folder: Path,
    config: RegistryConfig,
    client: MlflowClient,
    submission: Submission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    registry, before = open_registry(config, folder), set(folder.rglob("*.json"))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copy2", full)
        with pytest.raises(WorkspaceError, match="No room left") as caught:
            registry.register(submission, who="ann")
    assert "disk space" in caught.value.hint
    assert registry.versions() == []
    assert set(folder.rglob("*.json")) == before
    (run,) = client.search_runs([experiment_id(client, config.group)])
    assert run.info.status == "FAILED"
    (model,) = client.search_logged_models([run.info.experiment_id])
    assert str(model.status) == "FAILED"
    assert registry.register(submission, who="ann").version == "1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": {"loss": float("nan")}}, "'loss' is nan"),
        ({"tags": {"basketwise.state": "Approved"}}, r"'basketwise\.state'"),
    ],
)
def test_what_could_not_be_given_back_is_refused(
    folder: Path,
    config: RegistryConfig,
    submission: Submission,
    change: dict[str, dict[str, object]],
    message: str,
) -> None:
    registry = open_registry(config, folder)
    with pytest.raises(InputError, match=message):
        registry.register(replace(submission, **change), who="ann")  # type: ignore[arg-type]
    assert registry.versions() == []


def test_a_reason_longer_than_a_tag_is_kept_in_part_and_says_so(
    folder: Path, config: RegistryConfig, submission: Submission
) -> None:
    registry = open_registry(config, folder)
    registry.register(submission, who="ann")
    registry.set_state("1", APPROVED, who="ann", why="é" * 9000)
    kept = registry.history("1")[-1].why
    assert kept.startswith("é" * 4000)
    assert kept.endswith("characters cut]")


def test_a_deleted_experiment_and_a_lost_archive_say_what_to_do(
    folder: Path,
    config: RegistryConfig,
    client: MlflowClient,
    submission: Submission,
    tmp_path: Path,
) -> None:
    registry = open_registry(config, folder)
    result = registry.register(submission, who="ann")
    Path(result.model_data_url).unlink()
    with pytest.raises(DependencyError, match="archive of version 1") as caught:
        registry.fetch("1", tmp_path / "out")
    assert "registers the model anew" in caught.value.hint
    client.delete_experiment(experiment_id(client, config.group))
    with pytest.raises(DependencyError, match="has been deleted") as caught:
        registry.register(submission, who="ann")
    assert "mlflow experiments restore" in caught.value.hint


def test_versions_registered_with_other_tools_are_listed_but_not_fetched(
    folder: Path,
    config: RegistryConfig,
    client: MlflowClient,
    submission: Submission,
    tmp_path: Path,
) -> None:
    client.create_registered_model(config.group)
    client.create_model_version(config.group, "s3://elsewhere/model", description="by hand")
    registry = open_registry(config, folder)
    assert registry.register(submission, who="ann").version == "2"
    foreign = registry.get("1")
    assert (foreign.state, foreign.description) == (ApprovalState.PENDING, "by hand")
    assert foreign.model_data_url == "s3://elsewhere/model"
    with pytest.raises(DependencyError, match="not from Basketwise"):
        registry.fetch("1", tmp_path / "out")


def test_a_moved_folder_works_on(submission: Submission, tmp_path: Path) -> None:
    old, new = tmp_path / "old" / "registry", tmp_path / "new place" / "registry"
    first = open_registry(RegistryConfig(), old)
    first.register(submission, who="ann")
    first.set_state("1", APPROVED, who="ann", why="good")
    new.parent.mkdir()
    old.rename(new)

    moved = open_registry(RegistryConfig(), new)
    champion = moved.champion()
    assert champion is not None
    assert Path(champion.model_data_url).is_relative_to(new)
    assert moved.fetch("1", tmp_path / "out").read_bytes() == b"a model"
    second = moved.register(submission, who="ann")
    assert Path(second.model_data_url).is_relative_to(new)
    assert moved.fetch("2", tmp_path / "out").read_bytes() == b"a model"
    assert not old.exists()


def test_two_processes_register_at_once_in_a_new_folder(
    submission: Submission, tmp_path: Path
) -> None:
    folder = tmp_path / "registry"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REGISTER, folder, submission.model_archive, who],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in ("ann", "ben")
    ]
    message = [process.communicate(timeout=120) for process in processes]
    assert [err for _, err in message] == ["", ""]
    numbers = [int(number) for out, _ in message for number in out.split()]
    assert sorted(numbers) == list(range(1, 11))
    history = open_registry(RegistryConfig(), folder).history()
    assert sorted(change.who for change in history) == ["ann"] * 5 + ["ben"] * 5

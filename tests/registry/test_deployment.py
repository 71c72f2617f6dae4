from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from basketwise.artifact.archive import pack, write_manifest
from basketwise.config import DeploymentConfig
from basketwise.digests import sha256
from basketwise.errors import InputError, WorkspaceError
from basketwise.registry.approval import Approvals
from basketwise.registry.deployment import build_deployment_config, write_deployment_config
from basketwise.registry.protocol import ApprovalState, ModelVersion, Submission
from basketwise.storage.local import LocalStorage
from tests.evaluation.running import Evaluated
from tests.fakes.registry import MemoryRegistry

CONFIG = DeploymentConfig(instance_type="ml.m5.large", max_capacity=4)


@pytest.fixture
def registry(evaluated: Evaluated) -> MemoryRegistry:
    """Hold three versions of the same real archive, none of them approved."""
    made = MemoryRegistry()
    for number in range(3):
        made.register(submitted(evaluated.archive, f"run-{number}"), who="test")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deployment-configs"


def submitted(archive: Path, run: str = "run") -> Submission:
    return Submission(run, archive, sha256(archive), "a model", {}, {}, {"model_name": "xgboost"})


def approve(registry: MemoryRegistry, version: str) -> ModelVersion:
    return registry.set_state(version, ApprovalState.APPROVED, who="test", why="good")


def reject(registry: MemoryRegistry, version: str) -> ModelVersion:
    return registry.set_state(version, ApprovalState.REJECTED, who="test", why="bad")


def read(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(path.read_bytes()))


def export_version(
    registry: MemoryRegistry, version: ModelVersion, folder: Path, config: DeploymentConfig
) -> Path:
    return folder / Approvals(registry, LocalStorage(folder.parent), config).export(version)


def follow_champion(
    registry: MemoryRegistry, folder: Path, config: DeploymentConfig
) -> Path | None:
    name = Approvals(registry, LocalStorage(folder.parent), config).follow()
    return folder / name if name else None


def latest(folder: Path) -> str | None:
    path = folder / "latest_model_config.json"
    return read(path)["metadata"]["model_version"] if path.is_file() else None


def test_an_export_says_what_the_versions_own_archive_says(
    registry: MemoryRegistry, evaluated: Evaluated, folder: Path
) -> None:
    version = approve(registry, "2")
    path = export_version(registry, version, folder, CONFIG)
    result = read(path)
    scores = read(evaluated.folder / "model_metadata.json")
    results = read(evaluated.folder / "evaluation_results.json")
    assert result["performance_metrics"] == {
        name: scores[name]
        for name in ("accuracy", "f1_score", "precision", "recall", "cv_accuracy")
    }
    assert result["feature_info"] == {
        "feature_columns": evaluated.record.feature_columns,
        "target_classes": ["Low", "Medium", "High"],
    }
    assert result["model_info"]["model_sha256"] == sha256(evaluated.archive)
    assert result["model_info"]["approval_status"] == "Approved"
    assert result["metadata"]["training_timestamp"] == results["training_timestamp"]
    assert result["metadata"]["model_version"] == "2"
    exported = datetime.fromisoformat(result["metadata"]["export_timestamp"])
    assert exported.tzinfo is UTC
    assert result["deployment_config"]["endpoint_config"]["instance_type"] == "ml.m5.large"
    assert result["deployment_config"]["auto_scaling"]["max_capacity"] == 4


def test_the_champions_export_is_the_latest(registry: MemoryRegistry, folder: Path) -> None:
    path = export_version(registry, approve(registry, "1"), folder, CONFIG)
    assert read(folder / "latest_model_config.json") == read(path)


def test_any_other_version_is_exported_without_becoming_the_latest(
    registry: MemoryRegistry, folder: Path
) -> None:
    approve(registry, "1")
    approve(registry, "2")
    for version in ("1", "3"):
        path = export_version(registry, registry.get(version), folder, CONFIG)
        assert read(path)["metadata"]["model_version"] == version
    assert latest(folder) is None


def test_the_state_is_the_registrys_and_not_what_the_caller_remembers(
    registry: MemoryRegistry, folder: Path
) -> None:
    before = registry.get("1")
    after = approve(registry, "1")
    assert (
        read(export_version(registry, before, folder, CONFIG))["model_info"]["approval_status"]
        == "Approved"
    )
    assert latest(folder) == "1"
    reject(registry, "1")
    path = export_version(registry, after, folder, CONFIG)
    assert read(path)["model_info"]["approval_status"] == "Rejected"


def test_the_latest_follows_approvals_rejections_and_rollback(
    registry: MemoryRegistry, folder: Path
) -> None:
    def follow() -> str | None:
        follow_champion(registry, folder, CONFIG)
        return latest(folder)

    assert follow() is None
    approve(registry, "1")
    assert follow() == "1"
    approve(registry, "3")
    assert follow() == "3"
    approve(registry, "2")
    assert follow() == "2"
    reject(registry, "1")
    assert follow() == "2"
    # A rollback is a rejection of the leader: what was approved before it leads again.
    reject(registry, "2")
    assert follow() == "3"
    registry.set_state("3", ApprovalState.PENDING, who="test", why="look again")
    assert follow() is None
    approve(registry, "1")
    assert follow() == "1"


def test_without_a_champion_older_configs_stay_as_a_record(
    registry: MemoryRegistry, folder: Path
) -> None:
    approve(registry, "1")
    kept = follow_champion(registry, folder, CONFIG)
    reject(registry, "1")
    assert follow_champion(registry, folder, CONFIG) is None
    assert kept is not None
    assert [path.name for path in folder.iterdir()] == [kept.name]


def test_no_champion_and_no_folder_is_no_error(folder: Path) -> None:
    assert follow_champion(MemoryRegistry(), folder, CONFIG) is None
    assert not folder.exists()


def test_an_archive_without_results_is_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path
) -> None:
    empty, archive = tmp_path / "empty", tmp_path / "model.tar.gz"
    empty.mkdir()
    write_manifest(empty, {})
    pack(empty, archive)
    registry = MemoryRegistry()
    registry.register(submitted(archive), who="test")
    with pytest.raises(InputError, match=r"no readable evaluation_results\.json"):
        export_version(registry, approve(registry, "1"), folder, CONFIG)
    assert not folder.exists()


AT = datetime(2026, 3, 1, 12, 30, 59, tzinfo=UTC)
RESULTS: dict[str, Any] = {
    "accuracy": 0.91,
    "f1_score": 0.9,
    "precision": 0.89,
    "recall": 0.88,
    "cv_accuracy": 0.87,
    "feature_columns": ("total_spend", "avg_spend"),
    "target_classes": ("Low", "Medium", "High"),
    "training_timestamp": "2026-03-01T11:00:00+00:00",
    "another": object(),
}


def version(state: ApprovalState = ApprovalState.APPROVED) -> ModelVersion:
    return ModelVersion(
        version="3",
        run_id="run-7",
        state=state,
        created_at=AT,
        sha256="ab" * 32,
        uri="models:/retail-price-sensitivity-models/3",
        model_data_url="registry/artifacts/1/artifacts/model.tar.gz",
        description="",
        metrics={},
        tags={},
        champion=True,
    )


def document(state: ApprovalState = ApprovalState.APPROVED) -> dict[str, Any]:
    return build_deployment_config(version(state), RESULTS, DeploymentConfig(), exported_at=AT)


def test_the_document_has_exactly_the_agreed_shape() -> None:
    assert document() == {
        "model_info": {
            "model_package_arn": "models:/retail-price-sensitivity-models/3",
            "model_data_url": "registry/artifacts/1/artifacts/model.tar.gz",
            "image_uri": None,
            "model_name": "retail-price-sensitivity-models",
            "approval_status": "Approved",
            "model_sha256": "ab" * 32,
        },
        "performance_metrics": {
            "accuracy": 0.91,
            "f1_score": 0.9,
            "precision": 0.89,
            "recall": 0.88,
            "cv_accuracy": 0.87,
        },
        "deployment_config": {
            "endpoint_config": {
                "instance_type": "ml.t2.medium",
                "initial_instance_count": 1,
                "max_instance_count": 10,
            },
            "auto_scaling": {
                "min_capacity": 1,
                "max_capacity": 10,
                "target_cpu_utilization": 70,
            },
        },
        "feature_info": {
            "feature_columns": ["total_spend", "avg_spend"],
            "target_classes": ["Low", "Medium", "High"],
        },
        "metadata": {
            "training_timestamp": "2026-03-01T11:00:00+00:00",
            "model_version": "3",
            "export_timestamp": "2026-03-01T12:30:59+00:00",
        },
    }


def test_results_that_lack_something_are_refused_by_name() -> None:
    lacking = {name: value for name, value in RESULTS.items() if name not in ("recall", "f1_score")}
    with pytest.raises(InputError, match="version 3 lack f1_score, recall"):
        build_deployment_config(version(), lacking, DeploymentConfig(), exported_at=AT)


def test_an_approved_version_becomes_the_latest(tmp_path: Path) -> None:
    folder = tmp_path / "deployment-configs"
    path = write_deployment_config(folder, document(), latest=True, at=AT)
    assert path == folder / "model_deployment_config_20260301_123059.json"
    latest = folder / "latest_model_config.json"
    assert json.loads(path.read_text()) == json.loads(latest.read_text()) == document()
    assert sorted(folder.iterdir()) == sorted([path, latest])
    changed = document() | {"metadata": {"model_version": "4"}}
    write_deployment_config(folder, changed, latest=True, at=AT)
    assert json.loads(latest.read_text())["metadata"]["model_version"] == "4"
    assert json.loads(path.read_text()) == document()


def test_other_versions_leave_the_latest_alone(tmp_path: Path) -> None:
    pending = document(ApprovalState.PENDING)
    path = write_deployment_config(tmp_path, pending, latest=False, at=AT)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("state", [ApprovalState.PENDING, ApprovalState.REJECTED])
def test_only_an_approved_version_becomes_the_latest(tmp_path: Path, state: ApprovalState) -> None:
    write_deployment_config(tmp_path, document(), latest=True, at=AT)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    with pytest.raises(InputError, match=f"only name an Approved version; version 3 is {state}"):
        write_deployment_config(tmp_path, document(state), latest=True, at=AT)

    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_file_of_the_same_second_is_never_overwritten(tmp_path: Path) -> None:
    paths = [
        write_deployment_config(tmp_path, {**document(), "n": n}, latest=False, at=AT)
        for n in range(3)
    ]
    assert [path.name[-11:] for path in paths] == ["123059.json", "123100.json", "123101.json"]
    assert [json.loads(path.read_text())["n"] for path in paths] == [0, 1, 2]


def test_the_newest_file_has_the_last_name_though_the_clock_went_back(tmp_path: Path) -> None:
    (tmp_path / "model_deployment_config_99991231_235959.json").touch()
    (tmp_path / "model_deployment_config_mine.json").touch()
    for n, days in enumerate((0, 365, 1)):
        at = AT - timedelta(days=days)
        path = write_deployment_config(tmp_path, {**document(), "n": n}, latest=False, at=at)
        assert path.name.endswith(f"0301_12{('3059', '3100', '3101')[n]}.json")


def test_what_is_written_already_is_not_written_again(tmp_path: Path) -> None:
    path = write_deployment_config(tmp_path, document(), latest=True, at=AT)
    written = {file: file.read_bytes() for file in tmp_path.iterdir()}
    later = AT + timedelta(hours=1)
    again = build_deployment_config(version(), RESULTS, DeploymentConfig(), exported_at=later)
    assert write_deployment_config(tmp_path, again, latest=True, at=later) == path
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == written


def test_the_latest_goes_back_to_an_earlier_file(tmp_path: Path) -> None:
    first = write_deployment_config(tmp_path, document(), latest=True, at=AT)
    other = {**document(), "metadata": {**document()["metadata"], "model_version": "4"}}
    write_deployment_config(tmp_path, other, latest=True, at=AT)
    assert write_deployment_config(tmp_path, document(), latest=True, at=AT) == first
    assert (tmp_path / "latest_model_config.json").read_bytes() == first.read_bytes()


def test_the_name_is_in_utc(tmp_path: Path) -> None:
    local = AT.astimezone(timezone(timedelta(hours=5)))
    path = write_deployment_config(tmp_path, document(), latest=False, at=local)
    assert path.name == "model_deployment_config_20260301_123059.json"


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        write_deployment_config(tmp_path, document(), latest=True, at=AT)
    assert list(tmp_path.iterdir()) == []

"""Runs that need not do again what still holds, through the real command line."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from basketwise.registry.mlflow.registry import MlflowRegistry
from basketwise.run import evaluation, pipeline
from basketwise.run.workspace import Workspace
from basketwise.sampling import generate
from tests.cli.calling import SMALL, call, called, contents, spawn

ALL = ("silver", "gold", "training", "evaluation")


def run(sample: Path, workspace: Path, *more: str) -> dict[str, Any]:
    return called("run", "--data", sample, "--workspace", workspace, *SMALL, *more, "--json").json


def ran(document: dict[str, Any]) -> list[str]:
    return [stage for stage in ALL if document["stages"][stage]["status"] == "ran"]


def why(document: dict[str, Any], stage: str) -> str:
    text = document["stages"][stage]["why"]
    assert isinstance(text, str)
    return text


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller sample than that of other tests, since many runs are made of it."""
    folder = tmp_path_factory.mktemp("small_sample")
    generate(folder, baskets=1_200, seed=3, weeks=6)
    return folder


@pytest.fixture(scope="module")
def first(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    workspace = tmp_path_factory.mktemp("cached") / "w"
    return workspace, run(sample, workspace)


@pytest.fixture
def own(first: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    workspace = tmp_path / "w"
    shutil.copytree(first[0], workspace)
    return workspace


def unexplained(workspace: Path) -> float:
    """Seconds between the start and the writing of the report that ``run.seconds`` lacks."""
    (path,) = workspace.glob("artifacts/*/report.json")
    run = json.loads(path.read_bytes())["run"]
    return float(
        path.stat().st_mtime
        - datetime.fromisoformat(run["started_at"]).timestamp()
        - run["seconds"]
    )


def test_the_report_took_what_passed_until_it_was_written(
    first: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    # The start is given in whole seconds.
    assert -0.5 < unexplained(first[0]) < 2
    shutil.copytree(first[0], tmp_path / "w")
    called("evaluate", "--workspace", tmp_path / "w", *SMALL, "--force")
    assert -0.5 < unexplained(tmp_path / "w") < 2


def test_the_first_run_runs_everything(first: tuple[Path, dict[str, Any]]) -> None:
    document = first[1]
    assert ran(document) == list(ALL)
    assert why(document, "silver") == "first time"


def test_a_run_that_changes_nothing_makes_no_new_version(
    first: tuple[Path, dict[str, Any]], own: Path, sample: Path
) -> None:
    before = contents(own / "artifacts")

    again = run(sample, own)

    assert ran(again) == []
    for key in ("run_id", "model_version", "accuracy", "leaderboard", "reasons", "approved"):
        assert again[key] == first[1][key]
    assert contents(own / "artifacts") == before
    versions = called("models", "list", "--workspace", own, "--json").json["versions"]
    assert len(versions) == 1


def test_the_lines_of_a_run_say_cached(own: Path, sample: Path) -> None:
    lines = called("run", "--data", sample, "--workspace", own, *SMALL).err.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("cached")] == [
        "ETL",
        "training",
        "evaluation",
        "registry",
    ]


def test_a_changed_setting_runs_what_rests_on_it(own: Path, sample: Path) -> None:
    changed = run(sample, own, "--set", "etl.outliers=drop")

    assert ran(changed) == ["gold", "training", "evaluation"]
    assert why(changed, "gold") == "etl.outliers clip → drop"
    assert "gold/product_index.parquet changed" in why(changed, "training")
    assert changed["model_version"] == "2"


def test_an_experiment_is_evaluated_and_makes_no_version(sample: Path, tmp_path: Path) -> None:
    document = run(sample, tmp_path, "--no-register", "--require-approval")

    assert (document["model_version"], document["state"]) == (None, None)
    assert document["deployment_config"] is None
    assert document["approved"]
    assert Path(document["report"]).is_file()
    names = {path.name for path in tmp_path.iterdir()}
    assert names.isdisjoint({"registry", "deployment-configs"})
    archive, scores = document["model"], tmp_path / "scores.csv"
    called("predict", sample, "--model", archive, "--out", scores, "--workspace", tmp_path)
    # It may be registered later, by its own command or by the run without the option.
    again = run(sample, tmp_path)
    assert ran(again) == []
    assert again["model_version"] == "1"


def test_scores_on_stdout_are_those_of_a_file_and_nothing_else(
    first: tuple[Path, dict[str, Any]], sample: Path, tmp_path: Path
) -> None:
    options = ("predict", sample, "--workspace", first[0], "--out")
    called(*options, tmp_path / "scores.csv")
    printed = spawn(*options, "-")

    assert printed.code == 0, printed
    assert printed.out == (tmp_path / "scores.csv").read_text("utf-8")
    assert "baskets: " in printed.err
    refused = call(*options, "-", "--json")
    assert (refused.code, refused.out) == (2, "")


def test_another_gate_trains_nothing(own: Path, sample: Path) -> None:
    changed = run(sample, own, "--set", "gate.min_accuracy=0.5")

    assert ran(changed) == ["evaluation"]
    assert why(changed, "evaluation") == "gate.min_accuracy 0.8 → 0.5"
    assert changed["reasons"][0]["threshold"] == 0.5
    assert changed["model_version"] == "1"


@pytest.mark.parametrize(
    "setting", ["evaluation.slices=store_format", "business.predictions_per_day=7"]
)
def test_what_only_the_report_shows_makes_no_new_version(
    own: Path, sample: Path, setting: str
) -> None:
    # The workspace was copied, so the archive has another path.
    run(sample, own)
    configs = contents(own / "deployment-configs")

    changed = run(sample, own, "--set", setting)

    assert ran(changed) == ["evaluation"]
    assert (changed["model_version"], changed["approved"]) == ("1", True)
    assert contents(own / "deployment-configs") == configs
    versions = called("models", "list", "--workspace", own, "--json").json["versions"]
    assert [version["champion"] for version in versions] == [True]


def test_the_gate_takes_nothing_out_of_production_and_revises_no_person(
    own: Path, sample: Path
) -> None:
    strict = ("--set", "gate.min_accuracy=1.0", "--set", "gate.min_macro_f1=1.0")
    configs = contents(own / "deployment-configs")
    refused = run(sample, own, *strict)
    assert (refused["model_version"], refused["approved"]) == ("1", False)
    assert (refused["state"], refused["deployment_config"]) == ("Approved", None)
    assert contents(own / "deployment-configs") == configs
    assert run(sample, own)["approved"]
    called("models", "reject", "1", "--workspace", own)
    assert not run(sample, own, "--set", "gate.min_accuracy=0.5")["approved"]


def test_force_runs_everything(own: Path, sample: Path) -> None:
    forced = run(sample, own, "--force")

    assert ran(forced) == list(ALL)
    assert {why(forced, stage) for stage in ("silver", "training", "evaluation")} == {"--force"}
    assert forced["model_version"] == "1"


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("touched", "runs"),
    [
        ("silver/shop_week=200608/lines.parquet", ["silver", "gold"]),
        ("gold/train_features.parquet", ["gold"]),
        ("artifacts/*/model.skops", ["training", "evaluation"]),
        ("artifacts/*/report.json", ["evaluation"]),
    ],
)
def test_tampered_outputs_are_made_again(
    first: tuple[Path, dict[str, Any]], own: Path, sample: Path, touched: str, runs: list[str]
) -> None:
    (path,) = own.glob(touched)
    path.write_bytes(path.read_bytes()[:-1])

    again = run(sample, own)

    assert ran(again)[: len(runs)] == runs
    assert f"{path.name} was changed since" in why(again, runs[0])
    assert again["accuracy"] == first[1]["accuracy"]


def test_a_new_file_is_named(own: Path, sample: Path, tmp_path: Path) -> None:
    data = tmp_path / "raw"
    shutil.copytree(sample, data)
    newest = sorted(data.iterdir())[-1]
    newest.unlink()

    fewer = run(data, own)

    assert why(fewer, "silver") == f"{newest.name} is gone"
    assert why(fewer, "gold") == "silver was rebuilt"


def test_single_stages_are_taken_from_before_too(own: Path, sample: Path) -> None:
    before = contents(own)
    options = ("--workspace", own, *SMALL)

    for command in (("etl", "--data", sample), ("train",), ("evaluate",)):
        assert "cached" in called(*command, *options).err

    assert {name for name, data in contents(own).items() if before.get(name) != data} <= {
        "registry/registry.db"
    }


def test_all_splits_stand_side_by_side(own: Path) -> None:
    outcome = called("evaluate", "--all-splits", "--workspace", own, *SMALL)

    (report,) = (own / "artifacts").glob("*/report.json")
    splits = {row["strategy"]: row for row in json.loads(report.read_bytes())["splits"]}
    assert list(splits) == ["time", "stratified", "customer"]
    assert [row["chosen"] for row in splits.values()] == [True, False, False]
    for name, row in splits.items():
        assert row["accuracy"]["low"] <= row["accuracy"]["estimate"] <= row["accuracy"]["high"]
        assert row["test_baskets"] > 0
        assert name in outcome.out
    again = called("evaluate", "--workspace", own, *SMALL)
    assert "splits all → the chosen one" in again.err


def test_a_run_is_reproduced_to_the_byte(first: tuple[Path, dict[str, Any]], sample: Path) -> None:
    workspace, document = first
    before = contents(workspace)

    result = called("reproduce", document["run_id"], "--workspace", workspace, "--json").json

    assert result["same"] is True
    assert {output["name"] for output in result["outputs"]} == {
        "train_features.parquet",
        "hidden_features.parquet",
        "test_features.parquet",
        "test_baskets.parquet",
        "product_index.parquet",
        "model.skops",
        "oof_predictions.parquet",
        "test_predictions.parquet",
        "metrics.json",
    }
    assert all(output["same"] for output in result["origins"])
    assert result["metrics"] == []
    assert contents(workspace) == before


def test_what_differs_is_named(
    first: tuple[Path, dict[str, Any]], sample: Path, tmp_path: Path
) -> None:
    workspace, document = first
    shutil.copytree(sample, tmp_path / "raw")
    removed = sorted((tmp_path / "raw").iterdir())[-1]
    removed.unlink()

    outcome = call(
        *("reproduce", document["run_id"], "--workspace", workspace),
        *("--data", tmp_path / "raw"),
    )

    assert outcome.code == 1
    assert f"raw.{removed.name}: " in outcome.out
    assert "→ missing" in outcome.out
    assert "DIFFERS metrics.json" in outcome.out
    assert f"{document['run_id']} is NOT reproduced" in outcome.out


def kill_while(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Let the process end, as by SIGKILL, when a function is called."""

    def killed(*arguments: object, **names: object) -> None:
        raise KilledError

    monkeypatch.setattr(owner, name, killed)


def kill_while_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process end when the artifacts are published, after the data."""
    publish = Workspace.publish

    def killed(workspace: Workspace, folder: Path, key: str) -> Path:
        if key.startswith("artifacts/"):
            raise KilledError
        return publish(workspace, folder, key)

    monkeypatch.setattr(Workspace, "publish", killed)


class KilledError(BaseException):
    """Nothing catches it, and nothing is cleaned up on its way."""


@pytest.mark.no_cover
@pytest.mark.parametrize("step", ["run_evaluation", "publish_data", "publish", "register"])
def test_a_run_that_was_killed_ends_as_an_uninterrupted_one(
    first: tuple[Path, dict[str, Any]],
    sample: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    workspace = tmp_path / "w"
    with monkeypatch.context() as during:
        if step == "publish":
            kill_while_publishing(during)
        else:
            kill_while(during, evaluation if step == "run_evaluation" else pipeline, step)
        keep_what_a_killed_process_leaves(during)
        with pytest.raises(KilledError):
            call("run", "--data", sample, "--workspace", workspace, *SMALL)

    again = run(sample, workspace)

    (folder,) = (workspace / "artifacts").iterdir()
    assert again["run_id"] == folder.name
    assert Path(again["report"]).is_file()
    for name in ("metrics.json", "test_predictions.parquet"):
        before = Path(first[1]["artifacts"]) / name
        assert (folder / name).read_bytes() == before.read_bytes()
    assert not [name for name in (".staging", ".interrupted") if (workspace / name).exists()]
    version = called("models", "show", "champion", "--workspace", workspace, "--json").json
    assert version["run_id"] == folder.name


def keep_what_a_killed_process_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.rmtree

    def removed(path: Any, *arguments: Any, **names: Any) -> None:
        if Path(path).name not in (".staging", ".interrupted"):
            real(path, *arguments, **names)

    monkeypatch.setattr("basketwise.run.workspace.shutil.rmtree", removed)


def test_a_run_with_another_champion_is_reproduced_too(own: Path, sample: Path) -> None:
    changed = run(sample, own, "--set", "training.models=logistic")
    assert changed["reasons"][2]["value"] is not None

    result = called("reproduce", changed["run_id"], "--workspace", own, "--json").json

    assert result["same"] is True


def test_a_run_of_single_stages_is_reproduced_by_its_own_settings(
    sample: Path, tmp_path: Path
) -> None:
    options = ("--workspace", tmp_path / "w", *SMALL)
    called("etl", "--data", sample, *options, "--split", "stratified")
    called("train", *options, "--models", "logistic")
    report = called("evaluate", *options, "--all-splits", "--json").json

    assert report["lineage"]["config"]["split"]["strategy"] == "stratified"
    assert report["lineage"]["config"]["training"]["models"] == ["logistic"]
    splits = [(row["strategy"], row["chosen"]) for row in report["splits"]]
    assert splits == [("stratified", True), ("time", False), ("customer", False)]
    again = called("reproduce", report["run"]["run_id"], "--workspace", tmp_path / "w", "--json")
    assert again.json["same"] is True


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("name", ["gold/train_features.parquet", "silver/intake.json"])
def test_single_stages_refuse_data_that_were_touched(own: Path, command: str, name: str) -> None:
    path = own / name
    path.write_bytes(path.read_bytes() + b" ")

    outcome = call(command, "--workspace", own, *SMALL)

    assert outcome.code == 2
    assert f"{path.name} was changed since" in outcome.err


def test_silver_and_gold_of_two_runs_are_refused(own: Path, sample: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    fewer = tmp_path / "raw"
    shutil.copytree(sample, fewer)
    sorted(fewer.iterdir())[-1].unlink()
    called("etl", "--data", fewer, "--workspace", other, *SMALL)
    shutil.rmtree(own / "silver")
    shutil.copytree(other / "silver", own / "silver")

    outcome = call("evaluate", "--workspace", own, *SMALL)

    assert outcome.code == 2
    assert "not of one run" in outcome.err


def test_what_was_compared_with_is_what_is_recorded(own: Path, sample: Path) -> None:
    again = run(sample, own, "--set", "gate.min_accuracy=0.5")

    step = json.loads((Path(again["artifacts"]) / "step-evaluation.json").read_bytes())
    assert step["inputs"]["champion"].startswith("version 1 (")


def test_a_registration_that_was_cut_off_before_the_gate_is_finished(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "w"
    with monkeypatch.context() as during:
        kill_while(during, MlflowRegistry, "set_state")
        keep_what_a_killed_process_leaves(during)
        with pytest.raises(KilledError):
            call("run", "--data", sample, "--workspace", workspace, *SMALL)

    again = run(sample, workspace, "--require-approval")

    assert (again["model_version"], again["state"]) == ("1", "Approved")
    assert again["deployment_config"]


def test_a_version_that_was_rejected_since_does_not_pass_for_approved(
    own: Path, sample: Path
) -> None:
    called("models", "reject", "1", "--workspace", own)

    outcome = call(
        *("run", "--data", sample, "--workspace", own, *SMALL), "--require-approval", "--json"
    )

    assert outcome.code == 1
    assert (outcome.json["approved"], outcome.json["state"]) == (False, "Rejected")


def test_a_damaged_archive_is_not_registered(own: Path) -> None:
    (archive,) = own.glob("artifacts/*/model.tar.gz")
    archive.write_bytes(archive.read_bytes() + b"x")

    outcome = call("register", "--workspace", own)

    assert outcome.code == 2
    assert "model.tar.gz was changed since" in outcome.err

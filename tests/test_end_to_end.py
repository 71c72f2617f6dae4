"""The main job through the real command line, from raw files to an approved, exported model."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise import __version__
from basketwise.schema import CLASSES
from tests.cli.calling import SMALL, Outcome, call, called, contents, spawn

OTHER = ("--set", "training.decision_tree.max_depth=9")
"""Another model than the first run's."""
IMPOSSIBLE = ("--set", "gate.min_accuracy=1", "--set", "gate.min_macro_f1=1")
BASKET_FEATURES = [
    *("total_spend", "avg_spend", "spend_std", "basket_size", "total_quantity", "avg_quantity"),
    *("unique_products", "shop_week", "shop_weekday", "shop_hour", "spend_per_item"),
    *("quantity_per_product", "store_format_encoded", "store_region_encoded"),
]
ARCHIVED = {
    "model.skops",
    "model.joblib",
    "product_index.parquet",
    "metadata.json",
    "manifest.json",
    "evaluation_results.json",
    "model_metadata.json",
    "results.json",
    "confusion_matrix_logistic.png",
    "confusion_matrix_decision_tree.png",
    "model_comparison.png",
    "reliability.png",
    "calibration.json",
    "metrics.json",
    "code/inference.py",
    "code/requirements.txt",
    f"code/basketwise-{__version__}-py3-none-any.whl",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end_to_end") / "my workspace"


@pytest.fixture(scope="module")
def ran(workspace: Path, sample: Path) -> Outcome:
    """The one run as a process of its own; its workspace is not to be changed."""
    outcome = spawn("run", "--data", sample, "--workspace", workspace, *SMALL, "--json")
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.fixture(scope="module")
def document(ran: Outcome) -> dict[str, Any]:
    return ran.json


@pytest.fixture(scope="module")
def second(ran: Outcome, workspace: Path, sample: Path, tmp_path_factory: Any) -> tuple[Path, str]:
    """A copy after a second run that was approved too, and what that run printed."""
    copy = tmp_path_factory.mktemp("second") / "w"
    shutil.copytree(workspace, copy)
    outcome = called(
        *("run", "--data", sample, "--workspace", copy, *SMALL, *OTHER), "--require-approval"
    )
    return copy, outcome.out


@pytest.fixture
def own(second: tuple[Path, str], tmp_path: Path) -> Path:
    """A workspace with two approved versions that a test may change."""
    copy = tmp_path / "w"
    shutil.copytree(second[0], copy)
    return copy


def json_of(path: Path) -> dict[str, Any]:
    loaded = json.loads(path.read_bytes())
    assert isinstance(loaded, dict)
    return loaded


def latest(workspace: Path) -> dict[str, Any]:
    return json_of(workspace / "deployment-configs" / "latest_model_config.json")


def test_stdout_is_one_object_and_stderr_has_a_line_a_stage(ran: Outcome) -> None:
    assert ran.json["approved"] is True
    lines = ran.err.splitlines()
    assert [line.split()[0] for line in lines] == [
        "ETL",
        "training",
        "evaluation",
        "registry",
        "export",
    ]
    assert "\x1b" not in ran.err
    assert "━" not in ran.err


def test_the_object_agrees_with_the_files(document: dict[str, Any], workspace: Path) -> None:
    report = json_of(workspace / "artifacts" / document["run_id"] / "report.json")

    assert document["leaderboard"] == report["leaderboard"]
    assert document["accuracy"] == report["winner"]["accuracy"]
    assert document["state"] == report["verdict"]["state"] == "Approved"
    assert document["lines"]["read"] == (
        document["lines"]["accepted"] + document["lines"]["rejected"]
    )
    for name in ("artifacts", "report", "model", "deployment_config"):
        assert Path(document[name]).exists()


def test_the_layout_of_the_workspace(document: dict[str, Any], workspace: Path) -> None:
    weeks = sorted(path.name for path in (workspace / "silver").glob("shop_week=*"))
    assert weeks == [f"shop_week={week}" for week in range(200607, 200613)]
    assert (workspace / "silver" / "_rejected").is_dir()
    assert {path.name for path in (workspace / "gold").iterdir()} == {
        "train_features.parquet",
        "hidden_features.parquet",
        "test_features.parquet",
        "test_baskets.parquet",
        "product_index.parquet",
        "metadata.json",
        "step-gold.json",
    }
    run = workspace / "artifacts" / document["run_id"]
    left = {path.name for path in run.iterdir()}
    assert {"model.tar.gz", "report.html", "report.json"} <= left
    # What is inside lies beside it too, but for what gold and the archive hold already.
    beside = {name for name in ARCHIVED if not name.startswith("code/")}
    assert left >= beside - {"product_index.parquet", "metadata.json"}
    assert (workspace / "registry" / "registry.db").is_file()
    configs = sorted(path.name for path in (workspace / "deployment-configs").iterdir())
    assert configs == ["latest_model_config.json", Path(document["deployment_config"]).name]
    assert not (workspace / ".staging").exists()


def test_gold_holds_what_it_promises(workspace: Path, ran: Outcome) -> None:
    metadata = json_of(workspace / "gold" / "metadata.json")
    train, test = (
        pl.read_parquet(workspace / "gold" / f"{part}_features.parquet")
        for part in ("train", "test")
    )

    for table in (train, test):
        assert set(table.columns) >= {*BASKET_FEATURES, "price_sensitivity", "basket_id"}
        assert set(table["price_sensitivity"]) == set(CLASSES)
    assert (metadata["train_samples"], metadata["test_samples"]) == (train.height, test.height)
    assert metadata["target_classes"] == ["Low", "Medium", "High"]
    assert metadata["feature_columns"][: len(BASKET_FEATURES)] == BASKET_FEATURES
    assert train["fold"].unique().sort().to_list() == [0, 1]


def test_the_archive_is_complete_and_true_to_its_manifest(
    document: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    with tarfile.open(document["model"]) as tar:
        assert set(tar.getnames()) == ARCHIVED
        for name in ARCHIVED:
            content = tar.extractfile(name)
            assert content is not None
            (tmp_path / name).write_bytes(content.read())

    manifest = json_of(tmp_path / "manifest.json")
    assert manifest["files"].keys() == ARCHIVED - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    results = json_of(tmp_path / "evaluation_results.json")
    assert results["best_model"] == results["model_comparison"][0]["model_name"]
    assert results["best_model"] == document["best_model"]
    best = json_of(tmp_path / "model_metadata.json")
    assert best["accuracy"] == pytest.approx(document["accuracy"]["estimate"])
    assert json_of(tmp_path / "results.json")["best_f1_score"] == pytest.approx(best["f1_score"])


def test_the_deployment_config_names_the_approved_model(
    document: dict[str, Any], workspace: Path
) -> None:
    config = latest(workspace)

    assert config == json_of(Path(document["deployment_config"]))
    assert config["model_info"]["approval_status"] == "Approved"
    assert config["metadata"]["model_version"] == document["model_version"] == "1"
    digest = hashlib.sha256(Path(document["model"]).read_bytes()).hexdigest()
    assert config["model_info"]["model_sha256"] == digest
    assert config["performance_metrics"].keys() == {
        "accuracy",
        "f1_score",
        "precision",
        "recall",
        "cv_accuracy",
    }
    assert config["performance_metrics"]["accuracy"] == pytest.approx(
        document["accuracy"]["estimate"]
    )
    assert config["feature_info"]["target_classes"] == ["Low", "Medium", "High"]
    assert config["deployment_config"]["auto_scaling"]["target_cpu_utilization"] == 70


def test_the_summary_has_its_sections_in_order(second: tuple[Path, str]) -> None:
    text = second[1]
    sections = [
        line
        for line in text.splitlines()
        if line and not line.startswith((" ", "─")) and len(line) < 40 and "." not in line
    ]

    assert sections == [
        "ETL",
        "Training",
        "Registry",
        "Deployment readiness",
        "Next",
    ]
    for part in ("read = ", "95% interval", "Approved", "report.html"):
        assert part in text


def test_the_summary_fits_a_narrow_terminal(second: tuple[Path, str]) -> None:
    paths = ("  report", "  model  ", "  config", "  basketwise")
    lines = [line for line in second[1].splitlines() if not line.startswith(paths)]

    assert max(map(len, lines)) <= 80


def test_a_second_run_is_compared_with_the_champion(second: tuple[Path, str]) -> None:
    workspace, text = second

    assert "Not worse than the champion (version 1)" in " ".join(text.split())
    assert latest(workspace)["metadata"]["model_version"] == "2"
    versions = called("models", "list", "--workspace", workspace, "--json").json["versions"]
    assert [(version["version"], version["champion"]) for version in versions] == [
        ("2", True),
        ("1", False),
    ]


def test_the_stages_one_by_one_give_the_same(
    document: dict[str, Any], sample: Path, tmp_path: Path
) -> None:
    options = ("--workspace", tmp_path / "w", *SMALL, "--json")

    called("etl", "--data", sample, *options)
    trained = called("train", *options).json
    report = called("evaluate", *options).json
    registered = called("register", *options).json
    exported = called("export", *options).json

    assert trained["winner"] == document["best_model"]
    timed = ("fit_seconds",)
    assert [_without(row, timed) for row in report["leaderboard"]] == [
        _without(row, timed) for row in document["leaderboard"]
    ]
    assert report["winner"]["accuracy"] == document["accuracy"]
    assert report["winner"]["macro_f1"] == document["macro_f1"]
    assert registered["reasons"] == report["verdict"]["reasons"]
    assert (registered["version"], registered["state"]) == ("1", "Approved")
    assert exported["performance_metrics"]["accuracy"] == document["accuracy"]["estimate"]
    assert latest(tmp_path / "w") == exported


def _without(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in names}


def test_impossible_thresholds_leave_the_version_pending(
    ran: Outcome, workspace: Path, sample: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "w"
    shutil.copytree(workspace, copy)
    before = latest(copy)

    outcome = call(
        *("run", "--data", sample, "--workspace", copy, *SMALL, *OTHER, *IMPOSSIBLE),
        *("--require-approval", "--json"),
    )

    assert outcome.code == 1
    assert outcome.json["state"] == "PendingManualApproval"
    assert outcome.json["deployment_config"] is None
    failed = [reason for reason in outcome.json["reasons"] if not reason["passed"]]
    assert failed[0]["rule"] == "min_accuracy"
    version = called("models", "show", "2", "--workspace", copy, "--json").json
    assert version["state"] == "PendingManualApproval"
    assert failed[0]["text"] in version["description"]
    assert latest(copy) == before
    refused = call("export", "--version", "2", "--workspace", copy)
    assert refused.code == 2
    assert "Version 2 is PendingManualApproval" in refused.err
    called("models", "approve", "2", "--workspace", copy, "--why", "looked at it")
    assert latest(copy)["metadata"]["model_version"] == "2"


def test_models_list_and_show_read_well(own: Path) -> None:
    options = ("--workspace", own)

    listed = called("models", "list", *options).out.splitlines()
    shown = called("models", "show", "champion", *options).out

    assert listed[0].split()[:3] == ["version", "state", "accuracy"]
    assert listed[1].startswith("2 ")
    assert listed[1].endswith("champion")
    assert not listed[2].endswith("champion")
    assert "version         2\n" in shown
    assert called("models", "show", "2", *options, "--json").json["champion"] is True


def test_rejecting_the_champion_lets_the_one_before_lead(own: Path) -> None:
    options = ("--workspace", own)

    output = called("models", "reject", "2", *options, "--why", "too bold").out

    assert "Version 2 is Rejected." in output
    assert latest(own)["metadata"]["model_version"] == "1"
    called("models", "reject", "1", *options)
    assert not (own / "deployment-configs" / "latest_model_config.json").exists()
    called("models", "approve", "2", *options)
    assert latest(own)["metadata"]["model_version"] == "2"
    changes = called("models", "history", "2", *options, "--json").json["changes"]
    assert [change["new"] for change in changes] == [
        "PendingManualApproval",
        "Approved",
        "Rejected",
        "Approved",
    ]
    assert changes[2]["why"] == "too bold"


def test_rollback_goes_back_one_version_and_no_further(own: Path) -> None:
    options = ("--workspace", own)

    output = called("models", "rollback", *options).out

    assert "Version 2 is rejected; version 1 is the champion again." in output
    assert latest(own)["metadata"]["model_version"] == "1"
    again = call("models", "rollback", *options)
    assert again.code == 2
    assert "no other version is approved" in again.err
    assert latest(own)["metadata"]["model_version"] == "1"
    assert "rolled back" in called("models", "history", *options).out


@pytest.mark.parametrize("version", ["7", "newest"])
def test_a_version_that_is_not_there(own: Path, version: str) -> None:
    for verb in ("show", "approve", "reject", "history"):
        outcome = call("models", verb, version, "--workspace", own)
        assert outcome.code == 2
        assert version in outcome.err
    assert latest(own)["metadata"]["model_version"] == "2"


def test_predict_with_champion_version_and_path_agree(
    second: tuple[Path, str], sample: Path, tmp_path: Path
) -> None:
    workspace = second[0]
    data = sorted(sample.glob("*.csv.gz"))[-1]
    newest = sorted((workspace / "artifacts").iterdir())[-1] / "model.tar.gz"
    models: dict[str, tuple[str, ...]] = {
        "champion": (),
        "one": ("--model", "1"),
        "path": ("--model", str(newest)),
    }
    tables = {}
    for name, model in models.items():
        out = tmp_path / f"{name}.parquet"
        where = ("--workspace", workspace, "--out", out)
        printed = called("predict", "--data", data, *where, *model, "--json").json
        tables[name] = pl.read_parquet(out)
        assert printed["baskets"] == tables[name].height == 500
        assert sum(printed["predicted"].values()) == 500

    table = tables["champion"]
    scores = ["p_low", "p_medium", "p_high"]
    known = ["known_share", "certainty"]
    assert table.columns == ["basket_id", "predicted_sensitivity", *scores, *known]
    assert table.equals(tables["path"])
    assert table.equals(tables["one"])
    assert table.select(pl.sum_horizontal("p_low", "p_medium", "p_high")).to_series().to_list() == (
        pytest.approx([1.0] * table.height)
    )
    given = pl.read_csv(data, schema_overrides={"BASKET_ID": pl.String})
    assert set(table["basket_id"].cast(pl.String)) == set(given["BASKET_ID"])


def test_predict_without_labels_writes_csv_and_hits(
    second: tuple[Path, str], sample: Path, tmp_path: Path
) -> None:
    data = sorted(sample.glob("*.csv.gz"))[-1]
    lines = pl.read_csv(data, infer_schema=False)
    lines.drop("BASKET_PRICE_SENSITIVITY").write_csv(tmp_path / "new.csv")
    out = tmp_path / "deep" / "scores.csv"

    printed = called(
        *("predict", "--data", tmp_path / "new.csv", "--out", out, "--workspace", second[0])
    )

    assert printed.out.strip().endswith("scores.csv")
    truth = lines.select(
        pl.col("BASKET_ID").alias("basket_id"),
        pl.col("BASKET_PRICE_SENSITIVITY")
        .replace_strict({"LA": "High", "MM": "Medium", "UM": "Low"}, default=None)
        .alias("truth"),
    ).unique()
    judged = pl.read_csv(out, infer_schema=False).join(truth, on="basket_id").drop_nulls()
    hits = (judged["predicted_sensitivity"] == judged["truth"]).mean()
    assert judged.height > 400
    assert isinstance(hits, float)
    assert hits > 0.9


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--model", "9", "--out", "o.csv"), "'9'"),
        (("--model", "none.tar.gz", "--out", "o.csv"), "none.tar.gz"),
        (("--out", "o.xlsx"), "'.xlsx'"),
    ],
)
def test_predict_says_what_is_wrong(
    own: Path,
    sample: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    named: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    outcome = call("predict", "--data", sample, "--workspace", own, *more)

    assert outcome.code == 2
    assert named in outcome.err
    assert not list(tmp_path.glob("o.*"))


def test_predict_refuses_a_model_that_was_changed(own: Path, sample: Path, tmp_path: Path) -> None:
    model = sorted((own / "artifacts").iterdir())[-1] / "model.tar.gz"
    model.write_bytes(model.read_bytes()[:-1000])

    outcome = call(
        *("predict", "--data", sample, "--workspace", own),
        *("--model", model, "--out", tmp_path / "o.csv"),
    )

    assert outcome.code == 2
    assert "model.tar.gz" in outcome.err
    assert "Traceback" not in outcome.err


def test_doctor_knows_the_registry(own: Path) -> None:
    checks = {
        check["name"]: check
        for check in called("doctor", "--workspace", own, "--json").json["checks"]
    }

    assert checks["registry"]["text"] == "embedded: 2 versions, champion: 2"


def test_evaluating_with_other_gold_is_refused(own: Path, sample: Path) -> None:
    called("etl", "--data", sample, "--workspace", own, *SMALL, "--split", "stratified")
    before = contents(own)

    outcome = call("evaluate", "--workspace", own, *SMALL)

    assert outcome.code == 2
    assert "was trained on other gold files" in outcome.err
    assert contents(own) == before


def test_registering_what_was_not_evaluated_is_refused(own: Path) -> None:
    called("train", "--force", "--workspace", own, *SMALL)

    outcome = call("register", "--workspace", own)

    assert outcome.code == 2
    assert "has not been evaluated" in outcome.err

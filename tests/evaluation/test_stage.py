from __future__ import annotations

import hashlib
import json
import shutil
import struct
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from basketwise import __version__
from basketwise.artifact.archive import read_json, unpack
from basketwise.config import Config, EvaluationConfig, GateConfig
from basketwise.errors import InputError
from basketwise.evaluation.champion import Champion, NoChampion, NotScored, Scored
from basketwise.evaluation.stage import run_evaluation
from basketwise.report.html import render_html
from basketwise.report.types.document import Report, read_report
from basketwise.report.types.scores import SplitScores
from basketwise.schema import CLASSES
from basketwise.training.predictions import CALIBRATED, predicted_class
from basketwise.training.stage import run_training
from tests.etl.running import Run, quiet, run
from tests.evaluation.running import CONFIG, RUN, Evaluated
from tests.report.example import impact_of

PICTURES = {
    "model_comparison.png",
    "reliability.png",
    *(f"confusion_matrix_{name}.png" for name in CONFIG.training.models),
}
PACKED = {
    "model.skops",
    "novelty.skops",
    "model.joblib",
    "product_index.parquet",
    "metadata.json",
    "manifest.json",
    "evaluation_results.json",
    "model_metadata.json",
    "results.json",
    "metrics.json",
    "calibration.json",
    *PICTURES,
}
CODE = {
    "code/inference.py",
    "code/requirements.txt",
    f"code/basketwise-{__version__}-py3-none-any.whl",
}


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of an evaluation's time."""

    def draw_nothing(*_: object, path: Path, **__: object) -> None:
        path.touch()

    monkeypatch.setattr("basketwise.report.plots.reliability_png", draw_nothing)

    monkeypatch.setattr("basketwise.report.plots.confusion_matrix_png", draw_nothing)
    monkeypatch.setattr(
        "basketwise.report.plots.comparison_png", lambda _, path: draw_nothing(path=path)
    )


def copied(evaluated: Evaluated, folder: Path) -> Path:
    """Copy what training alone had left."""
    folder.mkdir()
    for name in (
        "training.json",
        "model.skops",
        "novelty.skops",
        "model.joblib",
        "calibration.json",
        "oof_predictions.parquet",
        "test_predictions.parquet",
    ):
        shutil.copyfile(evaluated.folder / name, folder / name)
    return folder


@pytest.fixture
def trained(evaluated: Evaluated, tmp_path: Path) -> Path:
    """What training alone leaves."""
    return copied(evaluated, tmp_path / "trained")


@pytest.fixture(scope="module")
def drawn(evaluated: Evaluated, sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an evaluation leaves whose pictures are drawn."""
    folder = copied(evaluated, tmp_path_factory.mktemp("drawn") / "trained")
    run_evaluation(sample_run.gold, folder, CONFIG, NoChampion(), RUN)
    return folder


@pytest.fixture
def true(sample_run: Run) -> np.ndarray[Any, np.dtype[np.int8]]:
    return np.array(
        [CLASSES.index(label) for label in sample_run.test["price_sensitivity"]], dtype=np.int8
    )


def report_of(evaluated: Evaluated) -> Report:
    return cast("Report", json.loads((evaluated.folder / "report.json").read_bytes()))


def numbers_in(document: object) -> Iterator[float]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for value in document:
            yield from numbers_in(value)
    elif isinstance(document, float):
        yield document


def test_the_archive_contains_every_file_that_the_design_names(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    with tarfile.open(evaluated.archive) as archive:
        assert set(archive.getnames()) == PACKED | CODE
    manifest = unpack(evaluated.archive, tmp_path)
    assert set(manifest["files"]) == (PACKED | CODE) - {"manifest.json"}


def test_what_is_packed_is_stored_next_to_the_archive_too(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    unpack(evaluated.archive, tmp_path)
    carried = {"metadata.json", "product_index.parquet"}
    for name in PACKED - carried:
        assert (tmp_path / name).read_bytes() == (evaluated.folder / name).read_bytes(), name
    assert not (evaluated.folder / "package").exists()


def test_what_scoring_needs_is_that_of_the_gold_folder(
    sample_run: Run, evaluated: Evaluated, tmp_path: Path
) -> None:
    unpack(evaluated.archive, tmp_path)
    for name in ("metadata.json", "product_index.parquet"):
        assert (tmp_path / name).read_bytes() == (sample_run.gold / name).read_bytes()


def test_the_manifest_says_where_the_model_came_from(sample_run: Run, evaluated: Evaluated) -> None:
    manifest = read_json(evaluated.archive, "manifest.json")
    assert manifest["format_version"] == 1
    assert manifest["data_hash"] == sample_run.metadata.data_hash
    assert manifest["seed"] == 42
    assert manifest["config"] == CONFIG.model_dump(mode="json")
    assert {"git_commit", "versions", "host", "created", "code_version"} <= manifest.keys()
    assert len(manifest["code_hash"]) == 64
    assert set(manifest["outputs"]) == {
        "train_features.parquet",
        "hidden_features.parquet",
        "test_features.parquet",
        "test_baskets.parquet",
        "product_index.parquet",
        "model.skops",
        "novelty.skops",
        "oof_predictions.parquet",
        "test_predictions.parquet",
        "metrics.json",
    }
    for name in ("train_features.parquet", "product_index.parquet"):
        digest = hashlib.sha256((sample_run.gold / name).read_bytes()).hexdigest()
        assert manifest["outputs"][name] == digest


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_pictures_have_300_dots_an_inch(drawn: Path, name: str) -> None:
    data = (drawn / name).read_bytes()
    assert data.startswith(b"\x89PNG")
    position = data.index(b"pHYs") + 4
    across, down, unit = struct.unpack(">IIB", data[position : position + 9])
    # PNG knows only dots a metre.
    assert unit == 1
    assert (round(across * 0.0254), round(down * 0.0254)) == (300, 300)


def test_the_page_shows_what_the_document_says(evaluated: Evaluated) -> None:
    report = report_of(evaluated)
    assert report == evaluated.report
    page = (evaluated.folder / "report.html").read_text(encoding="utf-8")
    assert page == render_html(report)
    assert len(page.encode()) < 2_000_000


def test_every_score_is_scikit_learns_on_the_test_set(
    evaluated: Evaluated, true: np.ndarray[Any, np.dtype[np.int8]]
) -> None:
    report = report_of(evaluated)
    predicted = predicted_class(evaluated.predictions, CALIBRATED)
    assert report["winner"]["confusion_matrix"] == confusion_matrix(true, predicted).tolist()
    assert report["winner"]["accuracy"]["estimate"] == pytest.approx(
        accuracy_score(true, predicted)
    )
    assert report["winner"]["macro_f1"]["estimate"] == pytest.approx(
        f1_score(true, predicted, average="macro")
    )
    ablation = next(row for row in report["leaderboard"] if row["without"] == "product")
    without = predicted_class(evaluated.predictions, "without_product")
    assert ablation["test_accuracy"] == pytest.approx(accuracy_score(true, without))
    for row in report["leaderboard"]:
        if row["kind"] == "candidate":
            answers = predicted_class(evaluated.predictions, row["model"])
            assert row["test_accuracy"] == pytest.approx(accuracy_score(true, answers))


def test_the_baseline_always_answers_the_majority_class_of_the_training_set(
    sample_run: Run, evaluated: Evaluated
) -> None:
    report = report_of(evaluated)
    commonest = sample_run.train["price_sensitivity"].value_counts().sort("count")[-1, 0]
    share = (sample_run.test["price_sensitivity"] == commonest).mean()
    baseline = report["leaderboard"][-1]
    assert baseline["kind"] == "baseline"
    assert baseline["test_accuracy"] == pytest.approx(share)
    assert impact_of(report)["baseline_total"] == pytest.approx(
        30_000 * (cast("float", share) * 10 + 2)
    )


def test_a_class_that_is_the_majority_only_in_the_test_set_is_no_baseline(
    sample_run: Run, trained: Path, no_pictures: None
) -> None:
    # As if nearly all baskets to train on had been Low ones.
    table = pl.read_parquet(trained / "oof_predictions.parquet")
    rare = table.with_columns(price_sensitivity=pl.lit("Low"))
    rare.write_parquet(trained / "oof_predictions.parquet")
    report = run_evaluation(sample_run.gold, trained, CONFIG, NoChampion(), RUN)
    share = (sample_run.test["price_sensitivity"] == "Low").mean()
    assert report["leaderboard"][-1]["test_accuracy"] == pytest.approx(share)


def test_what_products_say_leads_the_drivers(evaluated: Evaluated) -> None:
    drivers = report_of(evaluated)["drivers"]
    assert drivers["importance"][0]["group"] == "product"
    drops = [row["drop"] for row in drivers["importance"]]
    assert drops == sorted(drops, reverse=True)
    assert {row["feature"] for row in drivers["importance"]} == set(
        evaluated.record.feature_columns
    )
    for label in CLASSES:
        assert {product["class"] for product in drivers["products"][label]} == {label}
        assert all(product["baskets"] > 0 for product in drivers["products"][label])


def test_lines_and_baskets_add_up(sample_run: Run, evaluated: Evaluated) -> None:
    data = report_of(evaluated)["data"]
    assert data["lines_accepted"] + data["lines_rejected"] == data["lines_read"]
    assert data["split"]["train_baskets"] == sample_run.train.height
    assert data["split"]["test_baskets"] == sample_run.test.height
    classified = sum(data["baskets"][label] for label in ("Low", "Medium", "High"))
    assert classified == sample_run.train.height + sample_run.test.height
    assert data["files_total"] == len(data["files"]) == 6


def test_baskets_that_say_nothing_are_counted(sample_run: Run, evaluated: Evaluated) -> None:
    number = sample_run.metadata.uncertain
    assert number is not None
    share = number / sample_run.test.height
    assert evaluated.report.get("certainty") == {"unclassified": number, "share": share}


def test_no_document_holds_what_json_cannot(evaluated: Evaluated) -> None:
    for path in evaluated.folder.glob("*.json"):
        document = json.loads(path.read_bytes(), parse_constant=lambda name: pytest.fail(name))
        assert all(np.isfinite(list(numbers_in(document)))), path.name


def evaluate(sample_run: Run, trained: Path, champion: Champion) -> Report:
    return run_evaluation(sample_run.gold, trained, CONFIG, champion, RUN)


def test_a_champion_that_is_better_keeps_its_place(
    sample_run: Run,
    trained: Path,
    no_pictures: None,
    true: np.ndarray[Any, np.dtype[np.int8]],
) -> None:
    # The challenger is made wrong about every tenth basket.
    table = pl.read_parquet(trained / "test_predictions.parquet")
    wrong = (true + (np.arange(true.size) % 10 == 0)) % 3
    answers = {
        f"{CALIBRATED}_p_{label.lower()}": (wrong == k).astype(np.float32)
        for k, label in enumerate(CLASSES)
    }
    table.with_columns(**{k: pl.Series(v) for k, v in answers.items()}).write_parquet(
        trained / "test_predictions.parquet"
    )
    result = evaluate(sample_run, trained, Scored("7", true))
    assert not result["verdict"]["approved"]
    assert result["verdict"]["state"] == "PendingManualApproval"
    champion = result["champion"]
    assert champion is not None
    assert champion["version"] == "7"
    assert champion["test_rows"] == true.size
    assert champion["accuracy_difference"]["estimate"] == pytest.approx(-(wrong != true).mean())
    assert champion["accuracy_difference"]["high"] < 0
    assert "not approved: worse than the champion" in result["verdict"]["headline"]


def test_a_champion_that_could_not_be_scored_leaves_it_to_a_person(
    sample_run: Run, trained: Path, no_pictures: None
) -> None:
    result = evaluate(sample_run, trained, NotScored("7", "no index"))
    assert not result["verdict"]["approved"]
    assert result["champion"] is None
    assert "version 7) could not be scored" in result["verdict"]["description"]


def test_the_thresholds_are_those_of_the_config(
    sample_run: Run, trained: Path, no_pictures: None
) -> None:
    strict = Config(
        training=CONFIG.training,
        evaluation=EvaluationConfig(resamples=100, importance_baskets=20, importance_repeats=1),
        gate=GateConfig(min_accuracy=1.0),
    )
    result = run_evaluation(sample_run.gold, trained, strict, NoChampion(), RUN)
    assert not result["verdict"]["approved"]
    assert " < 1" in result["verdict"]["headline"]
    assert result["impact"] is None
    assert result["verdict"]["description"] == result["verdict"]["description"]


def test_two_evaluations_of_a_training_agree(
    sample_run: Run, evaluated: Evaluated, trained: Path, no_pictures: None
) -> None:
    result = evaluate(sample_run, trained, NoChampion())
    result["run"]["seconds"] = evaluated.report["run"]["seconds"]
    assert result == evaluated.report


def test_without_the_product_group_there_is_no_index_to_ship(
    sample: Path, tmp_path: Path, no_pictures: None
) -> None:
    settings = {
        "features": {"groups": ["basket"]},
        "training": {"models": ["decision_tree"]},
        "evaluation": {"resamples": 100, "importance_baskets": 20, "importance_repeats": 1},
    }
    config = Config.model_validate(settings)
    made, out = run(sample, tmp_path, config), tmp_path / "artifacts"
    out.mkdir()
    run_training(made.gold, out, config.training, quiet)
    result = run_evaluation(made.gold, out, config, NoChampion(), RUN)
    assert result["drivers"]["products"] == {}
    with tarfile.open(out / "model.tar.gz") as archive:
        assert "product_index.parquet" not in archive.getnames()


def test_an_unfinished_training_is_refused(sample_run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no finished training") as caught:
        run_evaluation(sample_run.gold, tmp_path, CONFIG, NoChampion(), RUN)
    assert "basketwise train" in caught.value.hint


def test_an_evaluation_is_read_as_it_was_written(evaluated: Evaluated) -> None:
    assert read_report(evaluated.folder / "report.json") == evaluated.report


def test_customers_are_drawn_where_there_are_codes(
    sample_run: Run, trained: Path, no_pictures: None
) -> None:
    def winner_of(resample: str) -> Any:
        settings = CONFIG.model_dump()
        settings["evaluation"]["resample"] = resample
        config = Config.model_validate(settings)
        report = run_evaluation(sample_run.gold, trained, config, NoChampion(), RUN)
        return report["winner"]

    by_customer, by_basket = winner_of("customers"), winner_of("baskets")
    assert by_customer["resampled"] == "customers"
    assert 0 < by_customer["units"] < by_basket["units"] == sample_run.test.height
    assert by_basket["resampled"] == "baskets"
    assert by_customer["accuracy"]["estimate"] == by_basket["accuracy"]["estimate"]


def test_other_splits_stand_beside_the_chosen_one(
    sample_run: Run, trained: Path, no_pictures: None
) -> None:
    other: SplitScores = {
        "strategy": "customer",
        "chosen": False,
        "train_baskets": 0,
        "test_baskets": 0,
        "accuracy": None,
        "macro_f1": None,
        "reason": "no codes",
    }
    report = run_evaluation(
        sample_run.gold, trained, CONFIG, NoChampion(), RUN, lambda record: [other]
    )
    assert [row["strategy"] for row in report["splits"]] == ["time", "customer"]
    assert report["splits"][0]["accuracy"] == report["winner"]["accuracy"]
    assert report["splits"][1] == other


def test_the_calibration_is_measured_before_and_after(evaluated: Evaluated) -> None:
    calibration = report_of(evaluated)["calibration"]
    assert calibration["method"] == "isotonic"
    assert calibration["raw"] != calibration["shipped"]
    for kind in (calibration["raw"], calibration["shipped"]):
        assert sum(row["baskets"] for row in kind["bins"]) == evaluated.predictions.height
        assert kind["log_loss"] > 0


def test_the_champion_changes_no_other_interval(
    sample_run: Run,
    evaluated: Evaluated,
    trained: Path,
    no_pictures: None,
    true: np.ndarray[Any, np.dtype[np.int8]],
) -> None:
    other = (true + (np.arange(true.size) % 3 == 0).astype(np.int8)) % 3
    evaluate(sample_run, trained, Scored("7", other.astype(np.int8)))
    alone = (evaluated.folder / "metrics.json").read_bytes()
    assert (trained / "metrics.json").read_bytes() == alone


def test_the_pictures_are_part_of_what_the_report_took(
    sample_run: Run, trained: Path, no_pictures: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []

    def draw(*_: object) -> list[str]:
        drawn.append(time.perf_counter())
        return []

    monkeypatch.setattr("basketwise.evaluation.outputs._write_pictures", draw)
    report = run_evaluation(sample_run.gold, trained, CONFIG, NoChampion(), RUN)
    assert report["run"]["seconds"] >= drawn[0] - RUN.clock
    assert json.loads((trained / "report.json").read_bytes())["run"] == report["run"]

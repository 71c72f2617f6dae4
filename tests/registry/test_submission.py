from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from basketwise.files import JOB_FILE
from basketwise.registry.protocol import Submission
from basketwise.registry.submission import registered, submission
from basketwise.report.types.document import Report
from tests.evaluation.running import CONFIG, Evaluated
from tests.fakes.registry import MemoryRegistry


@pytest.fixture
def report(evaluated: Evaluated) -> Report:
    return copy.deepcopy(evaluated.report)


@pytest.fixture
def given(evaluated: Evaluated, report: Report) -> Submission:
    return submission("run-1", evaluated.folder, report)


def test_the_archive_goes_with_its_digest(evaluated: Evaluated, given: Submission) -> None:
    assert given.run_id == "run-1"
    assert given.model_archive == evaluated.archive
    assert given.sha256 == hashlib.sha256(evaluated.archive.read_bytes()).hexdigest()


def test_a_version_of_the_same_model_is_recognised_whatever_run_it_is_of(
    given: Submission, tmp_path: Path
) -> None:
    registry = MemoryRegistry()
    assert registered(registry, given) is None
    first = registry.register(given, who="ann")
    other_report = replace(given, run_id="run-2", sha256="0" * 64)
    assert registered(registry, other_report) == first
    assert registered(registry, replace(given, model_digest="0" * 64)) is None


def test_a_version_without_a_digest_of_its_model_is_compared_by_its_archive(
    given: Submission,
) -> None:
    registry = MemoryRegistry()
    old = registry.register(replace(given, model_digest=""), who="ann")
    assert registered(registry, given) == old
    assert registered(registry, replace(given, sha256="0" * 64)) is None


def test_the_winners_scores_and_those_of_each_candidate_are_kept(
    given: Submission, report: Report
) -> None:
    best = next(row for row in report["leaderboard"] if row["winner"])
    for name, key in (
        ("accuracy", "test_accuracy"),
        ("f1_score", "test_f1"),
        ("precision", "test_precision"),
        ("recall", "test_recall"),
        ("cv_accuracy", "cv_accuracy_mean"),
    ):
        assert given.metrics[name] == best[key]  # type: ignore[literal-required]
    for row in report["leaderboard"]:
        if row["kind"] == "candidate":
            assert given.metrics[f"{row['model']}_test_accuracy"] == row["test_accuracy"]
    assert len(given.metrics) == 5 + 3 * 4
    assert all(math.isfinite(value) for value in given.metrics.values())


def test_the_ablation_does_not_pass_for_the_winner(given: Submission, report: Report) -> None:
    ablation = next(row for row in report["leaderboard"] if row["without"] == "product")
    assert given.metrics[f"{ablation['model']}_test_accuracy"] != ablation["test_accuracy"]


def test_what_was_not_measured_is_left_out(evaluated: Evaluated, report: Report) -> None:
    for row in report["leaderboard"]:
        row["cv_accuracy_mean"] = row["cv_f1_mean"] = None
    result = submission("run-1", evaluated.folder, report).metrics
    assert "cv_accuracy" not in result
    assert not any(name.endswith("cv_f1_mean") for name in result)


def test_every_setting_that_made_the_run_is_a_parameter_in_plain_text(given: Submission) -> None:
    assert given.params["training.models"] == "logistic, decision_tree, random_forest, xgboost"
    assert given.params["training.random_forest.n_estimators"] == "4"
    assert given.params["training.calibration"] == "isotonic"
    assert {name.partition(".")[0] for name in given.params} == set(CONFIG.model_dump())


def test_each_candidate_has_its_scores_and_settings(given: Submission, report: Report) -> None:
    rows = [row for row in report["leaderboard"] if row["kind"] == "candidate"]
    assert [candidate.name for candidate in given.candidates] == [row["model"] for row in rows]
    forest = next(candidate for candidate in given.candidates if candidate.name == "random_forest")
    assert forest.params["n_estimators"] == "4"
    assert forest.metrics["test_accuracy"] == next(
        row["test_accuracy"] for row in rows if row["model"] == "random_forest"
    )


def test_the_card_says_what_it_is_and_how_good(given: Submission, report: Report) -> None:
    best = next(row for row in report["leaderboard"] if row["winner"])
    assert given.card.startswith("# Price sensitivity of baskets: ")
    assert report["verdict"]["headline"] in given.card
    assert f"| accuracy | {best['test_accuracy']:.4f} |" in given.card
    assert report["lineage"]["data_hash"] in given.card


def test_the_tags_say_what_a_version_is_looked_up_by(
    evaluated: Evaluated, given: Submission, report: Report
) -> None:
    assert given.tags == {
        "model_name": evaluated.record.winner,
        "data_hash": report["lineage"]["data_hash"],
        "data_source": report["run"]["data"],
        "dataset_size": str(report["data"]["lines_accepted"]),
        "feature_count": str(len(evaluated.record.feature_columns)),
        "training_timestamp": evaluated_at(evaluated),
        "code_version": report["lineage"]["code_version"],
        "git_commit": report["lineage"]["git_commit"],
    }


def evaluated_at(evaluated: Evaluated) -> str:
    results = json.loads((evaluated.folder / "evaluation_results.json").read_bytes())
    return str(results["training_timestamp"])


def test_the_job_that_trained_is_named(
    evaluated: Evaluated, report: Report, tmp_path: Path
) -> None:
    folder = shutil.copytree(evaluated.folder, tmp_path / "run")
    (folder / JOB_FILE).write_text('{"name": "retail-prediction-training-run-1"}')
    tags = submission("run-1", folder, report).tags
    assert tags["training_job"] == "retail-prediction-training-run-1"


def test_outside_a_repository_there_is_no_commit(evaluated: Evaluated, report: Report) -> None:
    report["lineage"]["git_commit"] = None
    assert "git_commit" not in submission("run-1", evaluated.folder, report).tags


def test_the_description_names_model_and_data_then_each_rule(
    evaluated: Evaluated, given: Submission, report: Report
) -> None:
    lines = f"{report['data']['lines_accepted']:,}"
    first, empty, *rules = given.description.splitlines()
    assert first == f"{evaluated.record.winner}, trained on {lines} lines"
    assert empty == ""
    reasons = report["verdict"]["reasons"]
    assert len(rules) == len(reasons)
    for line, reason in zip(rules, reasons, strict=True):
        assert line.endswith(f"{reason['rule']}: {reason['text']}")


def test_pictures_and_the_report_are_attached(given: Submission) -> None:
    assert [path.name for path in given.attachments] == [
        *(f"confusion_matrix_{name}.png" for name in sorted(CONFIG.training.models)),
        "model_comparison.png",
        "reliability.png",
        "report.html",
        "report.json",
        "evaluation_results.json",
    ]
    assert all(path.is_file() for path in given.attachments)


def test_a_registry_takes_it(given: Submission, tmp_path: Path) -> None:
    registry = MemoryRegistry()
    version = registry.register(given, who="gate")
    fetched = registry.fetch(version.version, tmp_path)
    assert fetched.read_bytes() == given.model_archive.read_bytes()


def test_the_lead_over_what_it_was_compared_with_is_kept(
    evaluated: Evaluated, report: Report
) -> None:
    lead = {"estimate": 0.01, "low": -0.002, "high": 0.022}
    compared = {"accuracy_difference": lead, "f1_difference": lead, "test_rows": 9}
    report["champion"] = {"version": "4", **compared}  # type: ignore[typeddict-item]
    by_champion = submission("run-1", evaluated.folder, report)
    assert by_champion.tags["lead_over"] == "4"
    assert by_champion.metrics["lead_low"] == -0.002
    assert by_champion.metrics["lead_high"] == 0.022
    report["best"] = {"version": "2", **compared}  # type: ignore[typeddict-item]
    assert submission("run-1", evaluated.folder, report).tags["lead_over"] == "2"

from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest

from basketwise.files import JOB_FILE
from basketwise.registry.protocol import Submission
from basketwise.registry.submission import submission
from basketwise.report.types import Report
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
    found = submission("run-1", evaluated.folder, report).metrics
    assert "cv_accuracy" not in found
    assert not any(name.endswith("cv_f1_mean") for name in found)


def test_every_setting_that_made_the_run_is_a_parameter(given: Submission) -> None:
    for section, values in CONFIG.model_dump(mode="json").items():
        for key, value in values.items():
            assert json.loads(given.params[f"{section}.{key}"]) == value


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
        "git_commit": report["lineage"]["git_commit"] or "",
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


def test_outside_a_repository_the_commit_is_empty(evaluated: Evaluated, report: Report) -> None:
    report["lineage"]["git_commit"] = None
    assert submission("run-1", evaluated.folder, report).tags["git_commit"] == ""


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

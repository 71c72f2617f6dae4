from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import classification_report

from basketwise.config import Config
from basketwise.etl.gold.metadata import LearningCurve, LearningPoint, Metadata
from basketwise.evaluation.champion import Scored
from basketwise.evaluation.documents import (
    MAJORITY,
    evaluation_results,
    leaderboard,
    manifest_facts,
    metrics,
    model_metadata,
    results,
)
from basketwise.evaluation.findings import Findings
from basketwise.evaluation.gate import Decision
from basketwise.evaluation.impact import business_impact
from basketwise.evaluation.intervals import Bootstrap, resample
from basketwise.evaluation.reliability import reliability
from basketwise.evaluation.summary import report_document, split_sentence
from basketwise.training.metrics import confusion_matrix, scores
from basketwise.training.record import CandidateRecord, ReferenceRecord, TrainingRecord
from tests.etl.running import Run
from tests.evaluation.running import RUN, Evaluated

AT = "2026-03-01T12:00:00+00:00"
BOTH = ["basket", "product"]
TRUE = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2], dtype=np.int8)
ANSWERS = {
    "logistic": [0, 0, 1, 1, 1, 1, 1, 2, 2, 0],
    "decision_tree": [0, 0, 0, 1, 1, 1, 1, 2, 2, 2],
    "xgboost": [0, 0, 0, 1, 1, 1, 2, 2, 2, 2],
    "without_product": [1, 1, 0, 1, 1, 1, 1, 1, 1, 1],
    "index_only": [0, 0, 0, 1, 1, 1, 1, 2, 2, 1],
    "baseline": [1] * 10,
}
CHAMPION = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2], dtype=np.int8)


def candidate(name: Any, f1: float | None, **changes: Any) -> CandidateRecord:
    return CandidateRecord(
        model=name,
        **{
            "algorithm": name,
            "groups": BOTH,
            "train_accuracy": 0.99,
            "cv_accuracy_mean": f1,
            "cv_accuracy_std": 0.01,
            "cv_f1_mean": f1,
            "cv_folds": 3,
            "fit_seconds": 1.5,
            **changes,
        },
    )


RECORD = TrainingRecord(
    winner="xgboost",
    candidates=[
        candidate("logistic", 0.80),
        candidate("decision_tree", 0.91),
        candidate("xgboost", 0.95, forward_accuracy=0.9, forward_f1=0.85),
    ],
    references=[
        ReferenceRecord(
            model="without_product",
            algorithm="xgboost",
            groups=["basket"],
            train_accuracy=0.5,
            fit_seconds=1.0,
            kind="ablation",
            without="product",
        ),
        ReferenceRecord(
            model="index_only",
            algorithm="logistic",
            groups=["product"],
            train_accuracy=0.9,
            fit_seconds=0.1,
            kind="simpler",
        ),
    ],
    groups=BOTH,
    feature_columns=["total_spend", "product_balance"],
)


@pytest.fixture
def findings(sample_run: Run) -> Findings:
    predicted = {name: np.array(answers, np.int8) for name, answers in ANSWERS.items()}
    bootstrap = Bootstrap(200, 0.95, 1)
    resampled = resample(TRUE, predicted | {"champion": CHAMPION}, None, bootstrap)
    measured = reliability(TRUE, np.eye(3)[predicted["xgboost"]] * 0.7 + 0.1)
    return Findings(
        metadata=sample_run.metadata,
        record=RECORD,
        scores={name: scores(confusion_matrix(TRUE, by)) for name, by in predicted.items()},
        resampled=resampled,
        by_customer=False,
        champion=Scored("3", CHAMPION),
        best=None,
        block="b" * 64,
        looks=3,
        decision=Decision(True, False, [], "Auto-approved"),
        calibration={"method": "none", "description": "", "raw": measured, "shipped": measured},
        slices=[],
        splits=[],
        importance=[],
        products={},
        rule=None,
        face_validity=None,
        impact=business_impact(resampled, "xgboost", 1, Config().business),
    )


def test_the_leaderboard_goes_by_cross_validation_and_ends_with_the_references(
    findings: Findings,
) -> None:
    rows = leaderboard(findings)
    # The tree happens to do best on the test set: that must not make it the best.
    assert [(row["model"], row["kind"], row["winner"]) for row in rows] == [
        ("xgboost", "candidate", True),
        ("decision_tree", "candidate", False),
        ("logistic", "candidate", False),
        ("xgboost", "ablation", False),
        ("logistic", "simpler", False),
        (MAJORITY, "baseline", False),
    ]
    assert rows[1]["test_accuracy"] == 1
    assert (rows[3]["groups"], rows[3]["without"]) == (["basket"], "product")
    assert rows[3]["test_accuracy"] == 0.5
    assert (rows[4]["groups"], rows[4]["without"]) == (["product"], None)
    assert rows[5]["test_accuracy"] == 0.4
    assert rows[5]["test_recall"] == pytest.approx(1 / 3)
    assert rows[5]["cv_f1_mean"] is None


def test_a_candidate_that_was_given_up_stands_behind_those_that_were_not(
    findings: Findings,
) -> None:
    high = candidate("logistic", 0.99, cv_folds=1, cv_accuracy_std=None)
    record = RECORD.model_copy(update={"candidates": [high, *RECORD.candidates[1:]]})
    rows = leaderboard(replace(findings, record=record))
    assert [row["model"] for row in rows[:3]] == ["xgboost", "decision_tree", "logistic"]
    assert [row.get("cv_folds") for row in rows[:3]] == [3, 3, 1]


def test_every_row_has_its_interval_and_the_winners_paired_lead(findings: Findings) -> None:
    winner, *others = leaderboard(findings)
    assert winner["accuracy_lead"] is None
    assert winner["f1_lead"] is None
    for row in others:
        interval, lead = row["accuracy_interval"], row["accuracy_lead"]
        assert interval is not None
        assert lead is not None
        assert interval["estimate"] == row["test_accuracy"]
        assert interval["low"] <= interval["estimate"] <= interval["high"]
        assert lead["estimate"] == pytest.approx(0.9 - interval["estimate"])
        assert lead["low"] <= lead["estimate"] <= lead["high"]


def test_metrics_hold_every_score_and_no_time(findings: Findings) -> None:
    document = metrics(findings)
    assert list(document["models"]) == list(ANSWERS)
    assert document["models"]["without_product"]["accuracy"] == 0.5
    assert document["cross_validation"]["logistic"]["f1_mean"] == 0.80
    assert document["calibration"]["raw"] == document["calibration"]["shipped"]
    assert not any(word in json.dumps(document) for word in ("seconds", "timestamp", "created"))


def test_evaluation_results_have_the_keys_of_the_design(findings: Findings) -> None:
    document = evaluation_results(findings, leaderboard(findings), AT)
    assert document.keys() - {"references", "confusion_matrices"} == {
        "model_comparison",
        "best_model",
        "classification_reports",
        "feature_columns",
        "target_classes",
        "training_timestamp",
    }
    comparison = document["model_comparison"]
    assert [row["model_name"] for row in comparison] == ["xgboost", "decision_tree", "logistic"]
    assert comparison[0] == {
        "model_name": "xgboost",
        "kind": "candidate",
        "feature_groups": BOTH,
        "without": None,
        "accuracy_interval": leaderboard(findings)[0]["accuracy_interval"],
        "f1_interval": leaderboard(findings)[0]["f1_interval"],
        "train_accuracy": 0.99,
        "test_accuracy": 0.9,
        "test_precision": findings.scores["xgboost"].precision,
        "test_recall": findings.scores["xgboost"].recall,
        "test_f1": findings.scores["xgboost"].f1,
        "cv_accuracy_mean": 0.95,
        "cv_accuracy_std": 0.01,
        "cv_f1_mean": 0.95,
        "cv_folds": 3,
        "forward_accuracy": 0.9,
        "forward_f1": 0.85,
        "fit_seconds": 1.5,
    }
    assert [row["kind"] for row in document["references"]] == ["ablation", "simpler", "baseline"]
    assert document["best_model"] == "xgboost"
    assert document["target_classes"] == ["Low", "Medium", "High"]
    assert document["feature_columns"] == RECORD.feature_columns
    assert document["training_timestamp"] == AT
    assert document["confusion_matrices"]["logistic"] == [[2, 1, 0], [0, 4, 0], [1, 0, 2]]


def test_classification_reports_are_scikit_learns(findings: Findings) -> None:
    result = evaluation_results(findings, leaderboard(findings), AT)["classification_reports"]
    assert list(result) == ["logistic", "decision_tree", "xgboost"]
    for name, report in result.items():
        reference = classification_report(
            TRUE, ANSWERS[name], target_names=["Low", "Medium", "High"], output_dict=True
        )
        for part in ("Low", "Medium", "High", "macro avg"):
            assert report[part] == pytest.approx(reference[part])
        assert report["accuracy"] == pytest.approx(reference["accuracy"])


def test_model_metadata_has_exactly_the_keys_of_the_design(
    sample_run: Run, findings: Findings
) -> None:
    assert model_metadata(findings) == {
        "model_type": "xgboost",
        "accuracy": 0.9,
        "f1_score": findings.scores["xgboost"].f1,
        "precision": findings.scores["xgboost"].precision,
        "recall": findings.scores["xgboost"].recall,
        "cv_accuracy": 0.95,
        "feature_count": 2,
        "train_samples": sample_run.train.height,
        "test_samples": sample_run.test.height,
    }


def test_results_have_exactly_the_keys_of_the_design(findings: Findings) -> None:
    assert results(findings) == {
        "best_model": "xgboost",
        "best_f1_score": findings.scores["xgboost"].f1,
        "all_results": {
            name: {"accuracy": findings.scores[name].accuracy, "f1_score": findings.scores[name].f1}
            for name in ("logistic", "decision_tree", "xgboost")
        },
    }


def test_the_manifest_facts_repeat_the_run(sample_run: Run, findings: Findings) -> None:
    config = Config()
    facts = manifest_facts(
        report_document(RUN.document(), findings, config), {"metrics.json": "abc"}, AT
    )
    assert Config.model_validate(facts["config"]) == config
    assert facts["created"] == AT
    assert facts["data_hash"] == sample_run.metadata.data_hash
    assert facts["seed"] == config.training.random_state
    assert facts["outputs"] == {"metrics.json": "abc"}
    assert (facts["run_id"], facts["data"]) == (RUN.run_id, RUN.data)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("time", "Trained on weeks 200607 to 200610, tested on the 2 weeks 200611 to 200612."),
        (
            "customer",
            "No customer is in both sets; a basket without a card counts as its own customer.",
        ),
        ("stratified", "A random 20% of the baskets of each class is the test set."),
    ],
)
def test_the_split_is_one_sentence(sample_run: Run, strategy: str, expected: str) -> None:
    split = sample_run.metadata.split.model_copy(
        update={
            "strategy": strategy,
            "train_weeks": [200607, 200608, 200610],
            "test_weeks": [200611, 200612],
        }
    )
    metadata: Metadata = sample_run.metadata.model_copy(update={"split": split})
    assert split_sentence(metadata) == expected


def test_a_split_of_two_weeks_speaks_of_each(sample_run: Run) -> None:
    weeks = {"strategy": "time", "train_weeks": [200607], "test_weeks": [200608]}
    split = sample_run.metadata.split.model_copy(update=weeks)
    metadata: Metadata = sample_run.metadata.model_copy(update={"split": split})
    assert split_sentence(metadata) == "Trained on week 200607, tested on week 200608."


def test_a_real_run_writes_the_same_keys(evaluated: Evaluated, findings: Findings) -> None:
    for name, built in (
        ("evaluation_results", evaluation_results(findings, leaderboard(findings), AT)),
        ("model_metadata", model_metadata(findings)),
        ("results", results(findings)),
        ("metrics", metrics(findings)),
    ):
        written = json.loads((evaluated.folder / f"{name}.json").read_bytes())
        assert written.keys() == built.keys()


@pytest.mark.parametrize(
    ("best", "learned_from", "advice"),
    [
        (None, 14, None),
        (8, 14, "Train on fewer weeks (split.train_weeks): something has changed."),
        (8, 8, "So only the latest 8 training weeks were learned from."),
    ],
)
def test_older_weeks_that_do_harm_are_warned_of(
    findings: Findings, best: int | None, learned_from: int, advice: str | None
) -> None:
    points = [
        LearningPoint(weeks=7, baskets=700, accuracy=0.98, error=0.001),
        LearningPoint(weeks=14, baskets=1_400, accuracy=0.87, error=0.001),
    ]
    curve = LearningCurve(judged_weeks=[200732], points=points, gain=-0.11, error=0.001, best=best)
    split = findings.metadata.split.model_copy(update={"train_weeks": list(range(learned_from))})
    metadata = findings.metadata.model_copy(update={"learning_curve": curve, "split": split})
    report = report_document(RUN.document(), replace(findings, metadata=metadata), Config())
    warnings = [w for w in report["verdict"]["warnings"] if w.startswith("Older weeks do harm")]
    assert warnings == (
        []
        if advice is None
        else [
            "Older weeks do harm: an index learned from the latest 7 weeks tells later baskets "
            "with an accuracy of 0.9800, one learned from 14 weeks with 0.8700. " + advice
        ]
    )
    assert report["learning_curve"]["gain"] == -0.11

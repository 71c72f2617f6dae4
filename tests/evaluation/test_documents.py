from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import classification_report

from basketwise.config import Config
from basketwise.evaluation.documents import (
    BASELINE,
    evaluation_results,
    leaderboard,
    manifest_facts,
    model_metadata,
    results,
)
from basketwise.evaluation.metrics import Scores, confusion_matrix, scores
from basketwise.evaluation.report_document import split_sentence
from basketwise.gold.metadata import Metadata
from basketwise.training.record import Candidate, TrainingRecord
from tests.evaluation.running import Evaluated
from tests.gold.running import Run

AT = "2026-03-01T12:00:00+00:00"
BOTH = ["basket", "product"]
TRUE = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2], dtype=np.int8)
ANSWERS = {
    "logistic": [0, 0, 1, 1, 1, 1, 1, 2, 2, 0],
    "decision_tree": [0, 0, 0, 1, 1, 1, 1, 2, 2, 2],
    "xgboost": [0, 0, 0, 1, 1, 1, 2, 2, 2, 2],
    "without_product": [1, 1, 0, 1, 1, 1, 1, 1, 1, 1],
    "baseline": [1] * 10,
}


def candidate(name: Any, f1: float | None, **changes: Any) -> Candidate:
    return Candidate(
        model=name,
        **{
            "algorithm": name,
            "groups": BOTH,
            "train_accuracy": 0.99,
            "cv_accuracy_mean": f1,
            "cv_accuracy_std": 0.01,
            "cv_f1_mean": f1,
            "fit_seconds": 1.5,
            **changes,
        },
    )


RECORD = TrainingRecord(
    winner="xgboost",
    candidates=[
        candidate("logistic", 0.80),
        candidate("decision_tree", 0.91),
        candidate("xgboost", 0.95),
    ],
    ablation=candidate(
        "without_product",
        None,
        algorithm="xgboost",
        groups=["basket"],
        cv_accuracy_mean=None,
        cv_accuracy_std=None,
    ),
    groups=BOTH,
    feature_columns=["total_spend", "product_balance"],
)


@pytest.fixture
def judged() -> dict[str, Scores]:
    return {
        name: scores(confusion_matrix(TRUE, np.array(answers, dtype=np.int8)))
        for name, answers in ANSWERS.items()
    }


def test_the_leaderboard_goes_by_cross_validation_and_ends_with_the_references(
    judged: dict[str, Scores],
) -> None:
    rows = leaderboard(RECORD, judged)
    # The tree happens to do best on the test part: that must not make it the best.
    assert [(row["model"], row["kind"], row["winner"]) for row in rows] == [
        ("xgboost", "candidate", True),
        ("decision_tree", "candidate", False),
        ("logistic", "candidate", False),
        ("xgboost", "ablation", False),
        (BASELINE, "baseline", False),
    ]
    assert rows[1]["test_accuracy"] == 1
    assert rows[3]["groups"] == ["basket"]
    assert rows[3]["test_accuracy"] == 0.5
    assert rows[4]["test_accuracy"] == 0.4
    assert rows[4]["test_recall"] == pytest.approx(1 / 3)
    assert rows[4]["cv_f1_mean"] is None


def test_evaluation_results_have_the_keys_of_the_design(judged: dict[str, Scores]) -> None:
    document = evaluation_results(RECORD, judged, AT)
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
        "train_accuracy": 0.99,
        "test_accuracy": 0.9,
        "test_precision": judged["xgboost"].precision,
        "test_recall": judged["xgboost"].recall,
        "test_f1": judged["xgboost"].f1,
        "cv_accuracy_mean": 0.95,
        "cv_accuracy_std": 0.01,
        "cv_f1_mean": 0.95,
        "fit_seconds": 1.5,
    }
    assert [row["kind"] for row in document["references"]] == ["ablation", "baseline"]
    assert document["best_model"] == "xgboost"
    assert document["target_classes"] == ["Low", "Medium", "High"]
    assert document["feature_columns"] == RECORD.feature_columns
    assert document["training_timestamp"] == AT
    assert document["confusion_matrices"]["logistic"] == [[2, 1, 0], [0, 4, 0], [1, 0, 2]]


def test_classification_reports_are_scikit_learns(judged: dict[str, Scores]) -> None:
    found = evaluation_results(RECORD, judged, AT)["classification_reports"]
    assert list(found) == ["logistic", "decision_tree", "xgboost"]
    for name, report in found.items():
        reference = classification_report(
            TRUE, ANSWERS[name], target_names=["Low", "Medium", "High"], output_dict=True
        )
        for part in ("Low", "Medium", "High", "macro avg"):
            assert report[part] == pytest.approx(reference[part])
        assert report["accuracy"] == pytest.approx(reference["accuracy"])


def test_model_metadata_has_exactly_the_keys_of_the_design(
    sample_run: Run, judged: dict[str, Scores]
) -> None:
    assert model_metadata(RECORD, judged["xgboost"], sample_run.metadata) == {
        "model_type": "xgboost",
        "accuracy": 0.9,
        "f1_score": judged["xgboost"].f1,
        "precision": judged["xgboost"].precision,
        "recall": judged["xgboost"].recall,
        "cv_accuracy": 0.95,
        "feature_count": 2,
        "train_samples": sample_run.train.height,
        "test_samples": sample_run.test.height,
    }


def test_results_have_exactly_the_keys_of_the_design(judged: dict[str, Scores]) -> None:
    assert results(RECORD, judged) == {
        "best_model": "xgboost",
        "best_f1_score": judged["xgboost"].f1,
        "all_results": {
            name: {"accuracy": judged[name].accuracy, "f1_score": judged[name].f1}
            for name in ("logistic", "decision_tree", "xgboost")
        },
    }


def test_the_manifest_facts_repeat_the_run(sample_run: Run) -> None:
    config = Config()
    facts = manifest_facts(sample_run.metadata, config, AT)
    assert Config.model_validate(facts["config"]) == config
    assert facts["created"] == AT
    assert facts["data_hash"] == sample_run.metadata.data_hash
    assert facts["seed"] == config.training.random_state


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("time", "Trained on weeks 200607 to 200610, tested on the 2 weeks 200611 to 200612."),
        ("customer", "No customer is on both sides; a basket without a card is its own customer."),
        ("stratified", "A random 20% of the baskets of each class is tested."),
    ],
)
def test_the_split_is_said_in_one_sentence(sample_run: Run, strategy: str, said: str) -> None:
    split = sample_run.metadata.split.model_copy(
        update={
            "strategy": strategy,
            "train_weeks": [200607, 200608, 200610],
            "test_weeks": [200611, 200612],
        }
    )
    metadata: Metadata = sample_run.metadata.model_copy(update={"split": split})
    assert split_sentence(metadata) == said


def test_a_real_run_writes_the_same_keys(
    evaluated: Evaluated, sample_run: Run, judged: dict[str, Scores]
) -> None:
    for name, built in (
        ("evaluation_results", evaluation_results(RECORD, judged, AT)),
        ("model_metadata", model_metadata(RECORD, judged["xgboost"], sample_run.metadata)),
        ("results", results(RECORD, judged)),
    ):
        written = json.loads((evaluated.folder / f"{name}.json").read_bytes())
        assert written.keys() == built.keys()

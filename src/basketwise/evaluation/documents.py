"""The JSON documents of a run, from what was measured. Nothing is computed here but shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from basketwise.config import Config
from basketwise.evaluation.metrics import Scores
from basketwise.evaluation.report_types import (
    LeaderboardRow,
)
from basketwise.gold.metadata import Metadata
from basketwise.lineage import code_version, git_commit, host, library_versions
from basketwise.schema import CLASSES
from basketwise.training.record import Candidate, TrainingRecord

BASELINE = "commonest class"
LISTED_FILES = 500


def leaderboard(record: TrainingRecord, judged: Mapping[str, Scores]) -> list[LeaderboardRow]:
    """List the candidates best first, then the ablation, then the commonest class."""
    ranked = sorted(record.candidates, key=lambda c: -(c.cv_f1_mean or 0))
    rows = [
        _row(c, judged[c.model], winner=c.model == record.winner, kind="candidate") for c in ranked
    ]
    ablation = record.ablation
    rows.append(_row(ablation, judged[ablation.model], winner=False, kind="ablation"))
    # The report pairs the ablation with the candidate of the same name.
    rows[-1]["model"] = ablation.algorithm
    baseline = judged["baseline"]
    rows.append(
        LeaderboardRow(
            model=BASELINE,
            groups=[],
            kind="baseline",
            winner=False,
            test_accuracy=baseline.accuracy,
            test_f1=baseline.f1,
            test_precision=baseline.precision,
            test_recall=baseline.recall,
            train_accuracy=None,
            cv_accuracy_mean=None,
            cv_accuracy_std=None,
            cv_f1_mean=None,
            fit_seconds=None,
        )
    )
    return rows


def _row(candidate: Candidate, test: Scores, *, winner: bool, kind: str) -> LeaderboardRow:
    return LeaderboardRow(
        model=candidate.model,
        groups=candidate.groups,
        kind=cast("Any", kind),
        winner=winner,
        test_accuracy=test.accuracy,
        test_f1=test.f1,
        test_precision=test.precision,
        test_recall=test.recall,
        train_accuracy=candidate.train_accuracy,
        cv_accuracy_mean=candidate.cv_accuracy_mean,
        cv_accuracy_std=candidate.cv_accuracy_std,
        cv_f1_mean=candidate.cv_f1_mean,
        fit_seconds=candidate.fit_seconds,
    )


def evaluation_results(
    record: TrainingRecord, judged: Mapping[str, Scores], timestamp: str
) -> dict[str, Any]:
    """Build ``evaluation_results.json``."""
    comparison = [
        {
            "model_name": row["model"],
            "kind": row["kind"],
            "feature_groups": row["groups"],
            **{
                key: row[key]
                for key in (
                    "train_accuracy",
                    "test_accuracy",
                    "test_precision",
                    "test_recall",
                    "test_f1",
                    "cv_accuracy_mean",
                    "cv_accuracy_std",
                    "cv_f1_mean",
                    "fit_seconds",
                )
            },
        }
        for row in leaderboard(record, judged)
    ]
    return {
        "model_comparison": [row for row in comparison if row["kind"] == "candidate"],
        "references": [row for row in comparison if row["kind"] != "candidate"],
        "best_model": record.winner,
        "classification_reports": {
            c.model: _classification_report(judged[c.model]) for c in record.candidates
        },
        "confusion_matrices": {
            c.model: judged[c.model].confusion.tolist() for c in record.candidates
        },
        "feature_columns": record.feature_columns,
        "target_classes": list(CLASSES),
        "training_timestamp": timestamp,
    }


def _classification_report(test: Scores) -> dict[str, Any]:
    per_class = {
        label: {
            "precision": float(test.per_class_precision[k]),
            "recall": float(test.per_class_recall[k]),
            "f1-score": float(test.per_class_f1[k]),
            "support": int(test.support[k]),
        }
        for k, label in enumerate(CLASSES)
    }
    macro = {
        "precision": test.precision,
        "recall": test.recall,
        "f1-score": test.f1,
        "support": int(test.support.sum()),
    }
    return {**per_class, "accuracy": test.accuracy, "macro avg": macro}


def model_metadata(record: TrainingRecord, test: Scores, metadata: Metadata) -> dict[str, Any]:
    """Build ``model_metadata.json``, of the winner."""
    winner = next(c for c in record.candidates if c.model == record.winner)
    return {
        "model_type": record.winner,
        "accuracy": test.accuracy,
        "f1_score": test.f1,
        "precision": test.precision,
        "recall": test.recall,
        "cv_accuracy": winner.cv_accuracy_mean,
        "feature_count": len(record.feature_columns),
        "train_samples": metadata.train_samples,
        "test_samples": metadata.test_samples,
    }


def results(record: TrainingRecord, judged: Mapping[str, Scores]) -> dict[str, Any]:
    """Build ``results.json``."""
    return {
        "best_model": record.winner,
        "best_f1_score": judged[record.winner].f1,
        "all_results": {
            c.model: {"accuracy": judged[c.model].accuracy, "f1_score": judged[c.model].f1}
            for c in record.candidates
        },
    }


def manifest_facts(metadata: Metadata, config: Config, timestamp: str) -> dict[str, Any]:
    """Build what ``manifest.json`` says besides the files' digests."""
    return {
        "created": timestamp,
        "code_version": code_version(),
        "versions": library_versions(),
        "host": host(),
        "data_hash": metadata.data_hash,
        "git_commit": git_commit(),
        "seed": config.training.random_state,
        "config": config.recorded(),
    }

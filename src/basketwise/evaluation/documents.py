"""The leaderboard, and the JSON documents beside the report."""

from __future__ import annotations

from typing import Any

from basketwise.etl.gold.metadata import HistoryRecord
from basketwise.evaluation.findings import BASELINE, Findings
from basketwise.report.types.document import Report
from basketwise.report.types.scores import DistributedFit, LeaderboardRow
from basketwise.schema import CLASSES
from basketwise.training.metrics import Scores
from basketwise.training.record import CandidateRecord, ReferenceRecord

MAJORITY = "majority class"


def leaderboard(findings: Findings) -> list[LeaderboardRow]:
    """List the candidates best first, then the references, then the majority-class baseline."""
    record = findings.record
    # A score of fewer folds says less: whoever has it was given up.
    ranked = sorted(record.candidates, key=lambda c: (-(c.cv_folds or 0), -(c.cv_f1_mean or 0)))
    return [
        *(_row(findings, candidate) for candidate in ranked),
        *(_row(findings, reference) for reference in record.references),
        _row(findings, None),
    ]


def _row(findings: Findings, trained: CandidateRecord | None) -> LeaderboardRow:
    """Return the row of a candidate or of a reference; None is the baseline."""
    model = trained.model if trained else BASELINE
    reference = trained if isinstance(trained, ReferenceRecord) else None
    test, resampled, winner = findings.scores[model], findings.resampled, findings.record.winner
    beaten = model != winner
    row = LeaderboardRow(
        # The report pairs an ablation with the candidate of the same algorithm.
        model=reference.algorithm if reference else model if trained else MAJORITY,
        groups=trained.groups if trained else [],
        kind=reference.kind if reference else "candidate" if trained else "baseline",
        without=reference.without if reference else None,
        winner=not beaten,
        accuracy_interval=resampled.accuracy(model),
        f1_interval=resampled.macro_f1(model),
        accuracy_lead=resampled.accuracy_difference(winner, model) if beaten else None,
        f1_lead=resampled.f1_difference(winner, model) if beaten else None,
        test_accuracy=test.accuracy,
        test_f1=test.f1,
        test_precision=test.precision,
        test_recall=test.recall,
        train_accuracy=trained.train_accuracy if trained else None,
        cv_accuracy_mean=trained.cv_accuracy_mean if trained else None,
        cv_accuracy_std=trained.cv_accuracy_std if trained else None,
        cv_f1_mean=trained.cv_f1_mean if trained else None,
        cv_folds=trained.cv_folds if trained else None,
        forward_accuracy=trained.forward_accuracy if trained else None,
        forward_f1=trained.forward_f1 if trained else None,
        fit_seconds=trained.fit_seconds if trained else None,
    )
    if trained and trained.distributed:
        fit = trained.distributed
        row["distributed"] = DistributedFit(
            estimator=fit.estimator, baskets=fit.baskets, workers=fit.workers
        )
    return row


def evaluation_results(
    findings: Findings, rows: list[LeaderboardRow], timestamp: str
) -> dict[str, Any]:
    """Build ``evaluation_results.json``; ``rows`` are the leaderboard."""
    record, scores = findings.record, findings.scores
    renamed = {"model": "model_name", "groups": "feature_groups"}
    left_out = {"winner", "accuracy_lead", "f1_lead"}
    comparison = [
        {renamed.get(key, key): value for key, value in row.items() if key not in left_out}
        for row in rows
    ]
    return {
        "model_comparison": [row for row in comparison if row["kind"] == "candidate"],
        "references": [row for row in comparison if row["kind"] != "candidate"],
        "best_model": record.winner,
        "classification_reports": {
            c.model: _classification_report(scores[c.model]) for c in record.candidates
        },
        "confusion_matrices": {
            c.model: scores[c.model].confusion.tolist() for c in record.candidates
        },
        "feature_columns": record.feature_columns,
        **needs(findings.metadata.history),
        "target_classes": list(CLASSES),
        "training_timestamp": timestamp,
    }


def needs(history: HistoryRecord | None) -> dict[str, Any]:
    """Say that a model needs the customers' history at scoring time; nothing if it does not."""
    return {"needs_history": True} if history else {}


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


def model_metadata(findings: Findings) -> dict[str, Any]:
    """Build ``model_metadata.json``, of the winner."""
    record, metadata = findings.record, findings.metadata
    test = findings.scores[record.winner]
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
        **({"distributed": winner.distributed.model_dump()} if winner.distributed else {}),
        **needs(metadata.history),
    }


def results(findings: Findings) -> dict[str, Any]:
    """Build ``results.json``."""
    record, scores = findings.record, findings.scores
    return {
        "best_model": record.winner,
        "best_f1_score": scores[record.winner].f1,
        "all_results": {
            c.model: {"accuracy": scores[c.model].accuracy, "f1_score": scores[c.model].f1}
            for c in record.candidates
        },
    }


def metrics(findings: Findings) -> dict[str, Any]:
    """Build ``metrics.json``: every score without any time, to be compared byte for byte."""
    return {
        "winner": findings.record.winner,
        "models": {
            name: {
                "accuracy": test.accuracy,
                "precision": test.precision,
                "recall": test.recall,
                "f1_score": test.f1,
                "f1_by_class": dict(zip(CLASSES, test.per_class_f1.tolist(), strict=True)),
                "confusion_matrix": test.confusion.tolist(),
                "accuracy_interval": findings.resampled.accuracy(name),
                "f1_interval": findings.resampled.macro_f1(name),
            }
            for name, test in findings.scores.items()
        },
        "cross_validation": {
            c.model: {
                "accuracy_mean": c.cv_accuracy_mean,
                "accuracy_std": c.cv_accuracy_std,
                "f1_mean": c.cv_f1_mean,
                "folds": c.cv_folds,
                "forward_accuracy": c.forward_accuracy,
                "forward_f1": c.forward_f1,
            }
            for c in findings.record.candidates
        },
        "calibration": {
            kind: {name: findings.calibration[kind][name] for name in ("log_loss", "brier", "ece")}
            for kind in ("raw", "shipped")
        },
    }


def manifest_facts(report: Report, outputs: dict[str, str], timestamp: str) -> dict[str, Any]:
    """Build the content of ``manifest.json`` besides the digests of the files beside it.

    ``outputs`` are the sha256 of what must be the same when the run is made again.
    """
    run = report["run"]
    return {
        "run_id": run["run_id"],
        "command": run["command"],
        "data": run["data"],
        "created": timestamp,
        **report["lineage"],
        "outputs": outputs,
    }

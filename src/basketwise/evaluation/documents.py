"""The JSON documents of a run, from what was measured. Nothing is computed here but shares."""

from __future__ import annotations

from typing import Any, Literal

from basketwise.config import Config
from basketwise.evaluation.findings import BASELINE, Findings
from basketwise.provenance import code_hash, code_version, git_commit, host, library_versions
from basketwise.report.types import LeaderboardRow, Run
from basketwise.schema import CLASSES
from basketwise.training.metrics import Scores
from basketwise.training.record import CandidateRecord, ReferenceRecord

MAJORITY = "majority class"

Kind = Literal["candidate", "ablation", "rung", "baseline"]


def leaderboard(findings: Findings) -> list[LeaderboardRow]:
    """List the candidates best first, then the references, then the majority-class baseline."""
    record = findings.record
    ranked = sorted(record.candidates, key=lambda one: -(one.cv_f1_mean or 0))
    return [
        *(_row(findings, one, "candidate") for one in ranked),
        *(_reference_row(findings, one) for one in record.references),
        _baseline_row(findings),
    ]


def _row(findings: Findings, candidate: CandidateRecord, kind: Kind) -> LeaderboardRow:
    row = _scored_row(findings, candidate.model, kind)
    row["groups"] = candidate.groups
    row["train_accuracy"] = candidate.train_accuracy
    row["cv_accuracy_mean"] = candidate.cv_accuracy_mean
    row["cv_accuracy_std"] = candidate.cv_accuracy_std
    row["cv_f1_mean"] = candidate.cv_f1_mean
    row["fit_seconds"] = candidate.fit_seconds
    return row


def _reference_row(findings: Findings, reference: ReferenceRecord) -> LeaderboardRow:
    row = _row(findings, reference, reference.kind)
    # The report pairs an ablation with the candidate of the same algorithm.
    row["model"] = reference.algorithm
    row["without"] = reference.without
    return row


def _baseline_row(findings: Findings) -> LeaderboardRow:
    row = _scored_row(findings, BASELINE, "baseline")
    row["model"] = MAJORITY
    return row


def _scored_row(findings: Findings, model: str, kind: Kind) -> LeaderboardRow:
    """Return a row with the test scores only."""
    test, resampled, winner = findings.scores[model], findings.resampled, findings.record.winner
    leads = model != winner
    return LeaderboardRow(
        model=model,
        groups=[],
        kind=kind,
        without=None,
        winner=not leads,
        accuracy_interval=resampled.accuracy(model),
        f1_interval=resampled.macro_f1(model),
        accuracy_lead=resampled.accuracy_difference(winner, model) if leads else None,
        f1_lead=resampled.f1_difference(winner, model) if leads else None,
        test_accuracy=test.accuracy,
        test_f1=test.f1,
        test_precision=test.precision,
        test_recall=test.recall,
        train_accuracy=None,
        cv_accuracy_mean=None,
        cv_accuracy_std=None,
        cv_f1_mean=None,
        fit_seconds=None,
    )


def evaluation_results(findings: Findings, timestamp: str) -> dict[str, Any]:
    """Build ``evaluation_results.json``."""
    record, scores = findings.record, findings.scores
    comparison = [
        {
            "model_name": row["model"],
            "kind": row["kind"],
            "feature_groups": row["groups"],
            **{
                key: row[key]
                for key in (
                    "without",
                    "train_accuracy",
                    "test_accuracy",
                    "test_precision",
                    "test_recall",
                    "test_f1",
                    "accuracy_interval",
                    "f1_interval",
                    "cv_accuracy_mean",
                    "cv_accuracy_std",
                    "cv_f1_mean",
                    "fit_seconds",
                )
            },
        }
        for row in leaderboard(findings)
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
    calibration = findings.calibration
    return {
        "winner": findings.record.winner,
        "models": {
            name: {
                "accuracy": one.accuracy,
                "precision": one.precision,
                "recall": one.recall,
                "f1_score": one.f1,
                "f1_by_class": dict(zip(CLASSES, one.per_class_f1.tolist(), strict=True)),
                "confusion_matrix": one.confusion.tolist(),
                "accuracy_interval": findings.resampled.accuracy(name),
                "f1_interval": findings.resampled.macro_f1(name),
            }
            for name, one in findings.scores.items()
        },
        "cross_validation": {
            c.model: {
                "accuracy_mean": c.cv_accuracy_mean,
                "accuracy_std": c.cv_accuracy_std,
                "f1_mean": c.cv_f1_mean,
            }
            for c in findings.record.candidates
        },
        "calibration": {
            kind: {"log_loss": one["log_loss"], "brier": one["brier"], "ece": one["ece"]}
            for kind, one in (("raw", calibration["raw"]), ("shipped", calibration["shipped"]))
        },
    }


def manifest_facts(
    run: Run, findings: Findings, config: Config, outputs: dict[str, str], timestamp: str
) -> dict[str, Any]:
    """Build what ``manifest.json`` says besides the digests of the files beside it.

    ``outputs`` are the sha256 of what must be the same when the run is made again.
    """
    return {
        "run_id": run["run_id"],
        "command": run["command"],
        "data": run["data"],
        "created": timestamp,
        "code_version": code_version(),
        "code_hash": code_hash(),
        "versions": library_versions(),
        "host": host(),
        "data_hash": findings.metadata.data_hash,
        "git_commit": git_commit(),
        "seed": config.training.random_state,
        "config": config.recorded(),
        "outputs": outputs,
    }

"""A finished run, as the registry takes it."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import JsonValue

from basketwise.artifact.archive import read_document
from basketwise.digests import sha256
from basketwise.evaluation.gate import rule_lines
from basketwise.files import ARCHIVE, EVALUATION_RESULTS, JOB_FILE, REPORT_HTML, REPORT_JSON
from basketwise.registry.protocol import Submission
from basketwise.report.types import Report


def submission(run_id: str, folder: Path, report: Report) -> Submission:
    """Put together what the registry keeps of a run.

    Parameters
    ----------
    run_id : str
        The run.
    folder : Path
        Its artifacts.
    report : Report
        What evaluation found; the settings that made the run are kept as parameters
        ``section.key``.
    """
    archive = folder / ARCHIVE
    rows = [row for row in report["leaderboard"] if row["kind"] == "candidate"]
    metrics = {
        f"{row['model']}_{key}": float(value)
        for row in rows
        for key, value in (
            ("test_accuracy", row["test_accuracy"]),
            ("test_f1", row["test_f1"]),
            ("cv_f1_mean", row["cv_f1_mean"]),
        )
        if value is not None
    }
    best = next(row for row in rows if row["winner"])
    metrics |= {
        name: float(value)
        for name, value in (
            ("accuracy", best["test_accuracy"]),
            ("f1_score", best["test_f1"]),
            ("precision", best["test_precision"]),
            ("recall", best["test_recall"]),
            ("cv_accuracy", best["cv_accuracy_mean"]),
        )
        if value is not None
    }
    params = {
        f"{section}.{key}": json.dumps(value)
        for section, values in _sections(report)
        for key, value in values.items()
    }
    pictures = sorted(folder.glob("*.png"))
    evaluated = json.loads((folder / EVALUATION_RESULTS).read_bytes())
    documents = [folder / REPORT_HTML, folder / REPORT_JSON, folder / EVALUATION_RESULTS]
    return Submission(
        run_id=run_id,
        model_archive=archive,
        sha256=sha256(archive),
        description=(
            f"{best['model']}, trained on {report['data']['lines_accepted']:,} lines\n\n"
            f"{rule_lines(report['verdict']['reasons'])}"
        ),
        metrics=metrics,
        params=params,
        tags={
            "model_name": best["model"],
            "data_hash": report["lineage"]["data_hash"],
            "data_source": report["run"]["data"],
            "dataset_size": str(report["data"]["lines_accepted"]),
            "feature_count": str(len(evaluated["feature_columns"])),
            "training_timestamp": str(evaluated["training_timestamp"]),
            "code_version": report["lineage"]["code_version"],
            "git_commit": report["lineage"]["git_commit"] or "",
            **_job(folder),
        },
        attachments=(*pictures, *documents),
    )


def _job(folder: Path) -> dict[str, str]:
    """Name the job that trained it, if one did."""
    if not (folder / JOB_FILE).is_file():
        return {}
    return {"training_job": str(read_document(folder / JOB_FILE)["name"])}


def _sections(report: Report) -> list[tuple[str, dict[str, JsonValue]]]:
    config = report["lineage"]["config"]
    return [(name, values) for name, values in config.items() if isinstance(values, dict)]

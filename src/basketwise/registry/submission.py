"""A finished run as it is submitted to the registry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from basketwise.artifact.archive import read_document
from basketwise.digests import sha256
from basketwise.evaluation.gate import rule_lines
from basketwise.files import ARCHIVE, EVALUATION_RESULTS, JOB_FILE, REPORT_HTML, REPORT_JSON
from basketwise.registry.identity import model_digest
from basketwise.registry.memory import LEAD_HIGH, LEAD_LOW, LEAD_OVER
from basketwise.registry.protocol import (
    ModelVersion,
    Origin,
    Registry,
    Submission,
    TrainedCandidate,
)
from basketwise.report.types.document import Report
from basketwise.report.types.scores import LeaderboardRow
from basketwise.settings import flatten

WINNER = {
    "accuracy": "test_accuracy",
    "f1_score": "test_f1",
    "precision": "test_precision",
    "recall": "test_recall",
    "cv_accuracy": "cv_accuracy_mean",
}
"""The version's own metrics, and where the leaderboard has them."""

SCORES = (*WINNER.values(), "train_accuracy", "cv_accuracy_std", "cv_f1_mean", "fit_seconds")
"""What is compared among candidates."""


def submission(run_id: str, folder: Path, report: Report) -> Submission:
    """Put together what the registry stores of a run, from its artifacts and its report.

    The settings that made the run become parameters ``section.key``.
    """
    archive, job = folder / ARCHIVE, folder / JOB_FILE
    rows = [row for row in report["leaderboard"] if row["kind"] == "candidate"]
    best = next(row for row in rows if row["winner"])
    metrics = {
        f"{row['model']}_{name}": value
        for row in rows
        for name, value in _scores(row, ("test_accuracy", "test_f1", "cv_f1_mean")).items()
    }
    winner = _scores(best, WINNER.values())
    metrics |= {name: winner[key] for name, key in WINNER.items() if key in winner}
    compared = report.get("best") or report["champion"]
    if compared:
        lead = compared["accuracy_difference"]
        metrics |= {LEAD_LOW: lead["low"], LEAD_HIGH: lead["high"]}
    settings = flatten(report["lineage"]["config"])
    params = {name: _plain(value) for name, value in settings.items() if value != {}}
    evaluated = json.loads((folder / EVALUATION_RESULTS).read_bytes())
    documents = [folder / REPORT_HTML, folder / REPORT_JSON, folder / EVALUATION_RESULTS]
    data, lineage = report["data"], report["lineage"]
    origin = Origin(
        started_at=datetime.fromisoformat(report["run"]["started_at"]),
        seconds=report["run"]["seconds"],
        command=report["run"]["command"],
        data=report["run"]["data"],
        data_hash=lineage["data_hash"],
        lines=data["lines_accepted"],
        git_commit=lineage["git_commit"] or "",
    )
    title = f"{best['model']}, trained on {origin.lines:,} lines"
    rules = rule_lines(report["verdict"]["reasons"])
    tags = {
        "model_name": best["model"],
        "data_hash": origin.data_hash,
        "data_source": origin.data,
        "dataset_size": str(origin.lines),
        "feature_count": str(len(evaluated["feature_columns"])),
        "training_timestamp": str(evaluated["training_timestamp"]),
        "code_version": lineage["code_version"],
        "git_commit": origin.git_commit,
        LEAD_OVER: compared["version"] if compared else "",
        "needs_history": "true" if evaluated.get("needs_history") else "",
        # Only what was trained elsewhere has one.
        "training_job": str(read_document(job)["name"]) if job.is_file() else "",
    }
    return Submission(
        run_id=run_id,
        model_archive=archive,
        sha256=sha256(archive),
        model_digest=model_digest(archive),
        description=f"{title}\n\n{rules}",
        metrics=metrics,
        params=params,
        tags={name: value for name, value in tags.items() if value},
        attachments=(*sorted(folder.glob("*.png")), *documents),
        card=_card(title, rules, winner, report),
        candidates=tuple(_candidate(row, params) for row in rows),
        origin=origin,
    )


def _scores(row: LeaderboardRow, names: Iterable[str]) -> dict[str, float]:
    """Return a row's scores by name; what was not measured is left out."""
    values = {name: cast("float | None", row.get(name)) for name in names}
    return {name: float(value) for name, value in values.items() if value is not None}


def _candidate(row: LeaderboardRow, params: Mapping[str, str]) -> TrainedCandidate:
    own = f"training.{row['model']}."
    return TrainedCandidate(
        name=row["model"],
        metrics=_scores(row, SCORES),
        params={
            name.removeprefix(own): value for name, value in params.items() if name.startswith(own)
        },
    )


def _card(title: str, rules: str, winner: Mapping[str, float], report: Report) -> str:
    """Return the model card: what it does, how well, on what data, under which conditions."""
    scores = "\n".join(
        f"| {name.removeprefix('test_').replace('_', ' ')} | {value:.4f} |"
        for name, value in winner.items()
    )
    checks = "\n".join(f"- {line}" for line in rules.splitlines() if line)
    return (
        f"# Price sensitivity of baskets: {title}\n\n"
        "Takes raw till lines and predicts for each basket whether its price sensitivity is Low, "
        "Medium or High, with calibrated probabilities.\n\n"
        f"{report['verdict']['headline']}\n\n"
        f"| score of the winner | |\n| --- | --- |\n{scores}\n\n"
        f"**Data.** {report['data']['split']['description']} "
        f"{report['data']['lines_rejected']:,} of {report['data']['lines_read']:,} lines were "
        f"rejected. sha256 of the raw files: `{report['lineage']['data_hash']}`.\n\n"
        f"**Gate.**\n\n{checks}\n\n"
        f"**Created by** `{report['run']['command']}`. "
        "Slices, calibration and drivers: `attachments/report.html`.\n"
    )


def _plain(value: Any) -> str:
    """Return a setting as plain text."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def registered(registry: Registry, submission: Submission) -> ModelVersion | None:
    """Return the newest version of the same model, whichever run it was registered from."""

    def same(version: ModelVersion) -> bool:
        if version.model_digest and submission.model_digest:
            return version.model_digest == submission.model_digest
        return version.sha256 == submission.sha256

    return next(filter(same, registry.versions()), None)

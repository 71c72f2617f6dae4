"""``report.json``: everything that the report shows, as one document."""

from __future__ import annotations

from basketwise import __version__
from basketwise.config import Config
from basketwise.etl.metadata import Metadata
from basketwise.evaluation.champion import Scored
from basketwise.evaluation.documents import leaderboard
from basketwise.evaluation.findings import CHAMPION, Findings
from basketwise.evaluation.slices import weak_slices
from basketwise.provenance import code_hash, git_commit, host, library_versions
from basketwise.report.types import (
    REPORT_FORMAT,
    Baskets,
    Champion,
    DataSummary,
    Drivers,
    Lineage,
    Report,
    Run,
    Verdict,
    Winner,
)
from basketwise.schema import CLASSES, UNCLASSIFIED

LISTED_FILES = 500


def report_document(run: Run, findings: Findings, config: Config) -> Report:
    """Build ``report.json``."""
    metadata = findings.metadata
    return Report(
        format=REPORT_FORMAT,
        run=run,
        verdict=_verdict(findings),
        leaderboard=leaderboard(findings),
        winner=_winner(findings),
        calibration=findings.calibration,
        slices=findings.slices,
        splits=findings.splits,
        champion=_champion(findings),
        drivers=Drivers(importance=findings.importance, products=findings.products),
        impact=findings.impact,
        data=_data(metadata),
        lineage=Lineage(
            data_hash=metadata.data_hash,
            code_version=__version__,
            code_hash=code_hash(),
            git_commit=git_commit(),
            seed=config.training.random_state,
            host=host(),
            versions=library_versions(),
            config=config.recorded(),
        ),
    )


def _verdict(findings: Findings) -> Verdict:
    decision, name = findings.decision, findings.record.winner
    test = findings.scores[name]
    right, total = int(test.confusion.trace()), int(test.support.sum())
    failure = next((reason["text"] for reason in decision.reasons if not reason["passed"]), "")
    # Counts, since 99.998 % rounded to two places would claim too much.
    headline = (
        f"{name} approved: {right:,} of {total:,} unseen test baskets classified correctly."
        if decision.approved
        else f"{name} not approved: {failure[0].lower()}{failure[1:]}."
    )
    return Verdict(
        approved=decision.approved,
        state="Approved" if decision.approved else "PendingManualApproval",
        headline=headline,
        description=decision.description,
        reasons=decision.reasons,
        warnings=[*findings.metadata.warnings, *weak_slices(findings.slices)],
    )


def _winner(findings: Findings) -> Winner:
    name, resampled = findings.record.winner, findings.resampled
    test = findings.scores[name]
    return Winner(
        model=name,
        accuracy=resampled.accuracy(name),
        macro_f1=resampled.macro_f1(name),
        confidence=resampled.bootstrap.confidence,
        resamples=resampled.bootstrap.resamples,
        resampled="customers" if findings.by_customer else "baskets",
        units=resampled.units,
        classes=list(CLASSES),
        confusion_matrix=test.confusion.tolist(),
        per_class=[
            {
                "class": label,
                "precision": float(test.per_class_precision[k]),
                "recall": float(test.per_class_recall[k]),
                "f1": float(test.per_class_f1[k]),
                "f1_interval": interval,
                "support": int(test.support[k]),
            }
            for k, (label, interval) in enumerate(
                zip(CLASSES, resampled.class_f1(name), strict=True)
            )
        ],
    )


def _champion(findings: Findings) -> Champion | None:
    name, resampled = findings.record.winner, findings.resampled
    if not isinstance(findings.champion, Scored):
        return None
    return Champion(
        version=findings.champion.version,
        accuracy_difference=resampled.accuracy_difference(name, CHAMPION),
        f1_difference=resampled.f1_difference(name, CHAMPION),
        test_rows=int(findings.scores[name].support.sum()),
    )


def _data(metadata: Metadata) -> DataSummary:
    counts = metadata.baskets
    return DataSummary(
        files=[
            {"name": f.name, "sha256": f.sha256, "bytes": f.bytes, "lines": f.lines}
            for f in metadata.files[:LISTED_FILES]
        ],
        files_total=len(metadata.files),
        lines_read=metadata.lines.read,
        lines_accepted=metadata.lines.accepted,
        lines_rejected=metadata.lines.rejected,
        rejected_by_reason=metadata.lines.rejected_by_reason,
        baskets=Baskets(
            Low=counts.get("Low", 0),
            Medium=counts.get("Medium", 0),
            High=counts.get("High", 0),
            Unclassified=counts.get(UNCLASSIFIED, 0),
        ),
        outlier_quantile=metadata.outliers.quantile,
        outlier_threshold=metadata.outliers.threshold,
        outliers=metadata.outliers.lines,
        products=metadata.products,
        split={
            "strategy": metadata.split.strategy,
            "train_baskets": metadata.train_samples,
            "test_baskets": metadata.test_samples,
            "description": split_sentence(metadata),
        },
        groups_tried=[
            {"group": t.group, "gain": t.gain, "error": t.error, "chosen": t.chosen}
            for t in metadata.tried
        ],
    )


def split_sentence(metadata: Metadata) -> str:
    """Describe the split in one sentence."""
    split = metadata.split
    if split.strategy == "time" and split.train_weeks and split.test_weeks:
        trained, tested = split.train_weeks, split.test_weeks
        first = f"weeks {trained[0]} to {trained[-1]}" if len(trained) > 1 else f"week {trained[0]}"
        latest = f"the {len(tested)} weeks {tested[0]} to {tested[-1]}"
        return (
            f"Trained on {first}, tested on {latest if len(tested) > 1 else f'week {tested[0]}'}."
        )
    if split.strategy == "customer":
        return "No customer is in both sets; a basket without a card counts as its own customer."
    return f"A random {split.test_size:.0%} of the baskets of each class is the test set."

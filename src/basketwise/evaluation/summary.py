"""``report.json``: everything that the report shows, as one document."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from basketwise import __version__
from basketwise.config import Config
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.raw.sources import FileRecord
from basketwise.evaluation.champion import Scored
from basketwise.evaluation.documents import leaderboard
from basketwise.evaluation.findings import BEST, CHAMPION, Findings
from basketwise.evaluation.rule import trials
from basketwise.evaluation.slices import weak_slices
from basketwise.files import HISTORY_FILE
from basketwise.provenance import code_hash, git_commit, host, library_versions
from basketwise.report.in_words import more_data_text
from basketwise.report.types.data import Baskets, DataSummary, HistorySummary, InputFile, Lineage
from basketwise.report.types.document import REPORT_FORMAT, Report
from basketwise.report.types.drivers import Drivers, LearningCurve
from basketwise.report.types.run import Run
from basketwise.report.types.scores import Certainty, Winner
from basketwise.report.types.verdict import Champion, Looks, Verdict
from basketwise.schema import CLASSES, UNCLASSIFIED

LISTED_FILES = 500

NEEDS_HISTORY = (
    f"When it scores, the model needs the customers' history: {HISTORY_FILE} of this run, or a "
    "newer one. Without it, every customer counts as unknown, and the scores of this report do not "
    "hold."
)


def report_document(
    run: Run, findings: Findings, config: Config, commit: str | None = None
) -> Report:
    """Build ``report.json``; ``commit`` is that of the command's repository, if it is known."""
    metadata = findings.metadata
    return Report(
        format=REPORT_FORMAT,
        run=run,
        verdict=_verdict(findings),
        leaderboard=leaderboard(findings),
        winner=_winner(findings),
        certainty=_certainty(metadata),
        calibration=findings.calibration,
        slices=findings.slices,
        splits=findings.splits,
        champion=_comparison(findings, findings.champion, CHAMPION),
        best=_comparison(findings, findings.best, BEST),
        looks=_looks(findings),
        drivers=Drivers(importance=findings.importance, products=findings.products),
        rule=findings.rule,
        face_validity=findings.face_validity,
        learning_curve=_learning_curve(metadata),
        impact=findings.impact,
        data=_data(metadata),
        lineage=Lineage(
            data_hash=metadata.data_hash,
            code_version=__version__,
            code_hash=code_hash(),
            git_commit=commit or git_commit(),
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
        else f"{name} {'undecided' if decision.undecided else 'not approved'}: "
        f"{failure[0].lower()}{failure[1:]}."
    )
    return Verdict(
        approved=decision.approved,
        outcome="approved"
        if decision.approved
        else "undecided"
        if decision.undecided
        else "refused",
        state="Approved" if decision.approved else "PendingManualApproval",
        headline=headline,
        description=decision.description,
        reasons=decision.reasons,
        warnings=[
            *findings.metadata.warnings,
            *([NEEDS_HISTORY] if findings.metadata.history else []),
            *weak_slices(findings.slices),
            *_older_weeks(findings.metadata),
        ],
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


def _certainty(metadata: Metadata) -> Certainty | None:
    number = metadata.uncertain
    if number is None:
        return None
    return Certainty(unclassified=number, share=number / metadata.test_samples)


def _comparison(findings: Findings, other: object, name: str) -> Champion | None:
    if not isinstance(other, Scored):
        return None
    winner, resampled = findings.record.winner, findings.resampled
    return Champion(
        version=other.version,
        accuracy_difference=resampled.accuracy_difference(winner, name),
        f1_difference=resampled.f1_difference(winner, name),
        test_rows=int(findings.scores[winner].support.sum()),
    )


def _looks(findings: Findings) -> Looks | None:
    if findings.looks is None:
        return None
    name, resampled = findings.record.winner, findings.resampled
    # Two models err mostly on the same baskets: only what is each one's own can be picked by luck.
    # Without another model, all of its error is taken for its own.
    if isinstance(findings.champion, Scored):
        interval, models = resampled.accuracy_difference(name, CHAMPION), 2
    else:
        interval, models = resampled.accuracy(name), 1
    reach = (interval["high"] - interval["low"]) / 2
    error = reach / ndtri((1 + resampled.bootstrap.confidence) / 2) / np.sqrt(models)
    return Looks(
        block=findings.block,
        number=findings.looks,
        optimism=float(error * expected_maximum(findings.looks)),
    )


def expected_maximum(number: int) -> float:
    """Return the mean of the largest of so many standard normal variables, to a few per cent.

    Blom, Statistical Estimates and Transformed Beta-Variables, 1958.

    Examples
    --------
    >>> [round(expected_maximum(number), 2) for number in (1, 2, 26)]
    [0.0, 0.59, 1.98]
    """
    return float(ndtri((number - 0.375) / (number + 0.25)))


def _older_weeks(metadata: Metadata) -> list[str]:
    """Warn where training on fewer weeks is clearly better."""
    curve = metadata.learning_curve
    if curve.best is None:
        return []
    taken = len(metadata.split.train_weeks) == curve.best
    best = max(curve.points, key=lambda point: point.accuracy)
    last = curve.points[-1]
    return [
        f"Older weeks do harm: an index learned from the latest {best.weeks} weeks tells later "
        f"baskets with an accuracy of {best.accuracy:.4f}, one learned from {last.weeks} weeks "
        f"with {last.accuracy:.4f}. "
        + (
            f"So only the latest {curve.best} training weeks were learned from."
            if taken
            else "Train on fewer weeks (split.train_weeks): something has changed."
        )
    ]


def _learning_curve(metadata: Metadata) -> LearningCurve:
    curve = metadata.learning_curve
    measured = len(curve.points) > 1
    result = LearningCurve(
        text="",
        judged_weeks=curve.judged_weeks,
        judged_baskets=curve.judged_baskets,
        points=[
            {"weeks": p.weeks, "baskets": p.baskets, "accuracy": p.accuracy, "error": p.error}
            for p in curve.points
        ],
        gain=curve.gain if measured else None,
        error=curve.error if measured else None,
    )
    result["text"] = more_data_text(result, curve.reason)
    return result


def _file(file: FileRecord) -> InputFile:
    listed = InputFile(name=file.name, sha256=file.sha256, bytes=file.bytes, lines=file.lines)
    if file.snapshot is not None:
        listed["snapshot"] = file.snapshot
    return listed


def _data(metadata: Metadata) -> DataSummary:
    counts = metadata.baskets
    summary = DataSummary(
        files=[_file(file) for file in metadata.files[:LISTED_FILES]],
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
        groups_tried=trials(metadata),
    )
    if history := metadata.history:
        summary["history"] = HistorySummary(
            customers=history.customers, train_baskets=history.train, test_baskets=history.test
        )
    return summary


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

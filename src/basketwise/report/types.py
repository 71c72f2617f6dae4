"""The report document: what ``report.json`` contains and ``report.html`` shows.

Every value is JSON-native. Shares, scores and their intervals are between 0 and 1; ``None`` always
means "not measured". Classes and matrices are in the order Low, Medium, High.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, NotRequired, cast

from pydantic import JsonValue, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from basketwise import clock
from basketwise.errors import InputError
from basketwise.provenance import Host
from basketwise.redaction import redacted

REPORT_FORMAT = 2
"""Goes up when a key changes its meaning or is taken away."""


class Interval(TypedDict):
    """An estimate with the ends of its bootstrap interval."""

    estimate: float
    low: float
    high: float


class Run(TypedDict):
    """One run: ``started_at`` is ISO 8601 with its zone, ``command`` repeats the run.

    ``seconds`` go from the start of the command to the writing of the report. ``data`` is where
    the raw files were, as it was typed; empty where that is not known.
    """

    run_id: str
    started_at: str
    seconds: float
    command: str
    data: str


@dataclass(frozen=True)
class StartedRun:
    """A run before its report is written; ``clock`` is ``time.perf_counter()`` at its start."""

    run_id: str
    command: str
    data: str
    started_at: datetime = field(default_factory=clock.now)
    clock: float = field(default_factory=time.perf_counter)
    commit: str | None = None
    """Of the repository that the command was started in, if that is another machine."""

    def document(self) -> Run:
        """Return what the report says of the run; to be called when the report is written."""
        return Run(
            run_id=self.run_id,
            started_at=self.started_at.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - self.clock,
            command=redacted(self.command),
            data=redacted(self.data),
        )


class Reason(TypedDict):
    """Outcome of one rule of the gate.

    ``rule`` is named after its setting: ``min_accuracy``, ``min_macro_f1``, ``champion`` …
    ``value`` and ``threshold`` are ``None`` for a rule without numbers. ``baskets_needed`` is there
    only if the test baskets are too few to tell: about how many it takes, ``None`` if no number is
    enough.
    """

    rule: str
    passed: bool
    value: float | None
    threshold: float | None
    text: str
    baskets_needed: NotRequired[int | None]


class Verdict(TypedDict):
    """What the gate decided; ``approved`` is true exactly when ``state`` is ``Approved``.

    ``outcome`` tells a version that is refused from one of which the test baskets are too few to
    tell; both wait for a person. Reports of earlier versions lack it.
    """

    approved: bool
    outcome: NotRequired[Literal["approved", "refused", "undecided"]]
    state: Literal["Approved", "PendingManualApproval"]
    headline: str
    description: str
    """One line for the registry's history."""
    reasons: list[Reason]
    warnings: list[str]
    """What a reader should know before using the model, whether approved or not: what is odd
    about the raw files, weak slices."""


class DistributedFit(TypedDict):
    """An engine's fit: on so many training baskets, in so many tasks side by side."""

    estimator: str
    baskets: int
    workers: int


class LeaderboardRow(TypedDict):
    """One model, best first. Precision, recall and F1 are macro averages.

    ``kind`` is ``candidate``, ``ablation`` (the winner's algorithm without the group ``without``),
    ``simpler`` (a simpler model with fewer features) or ``baseline`` (always predicts
    the majority class of the training set). The differences are the winner's score minus this
    row's, paired on the same test baskets; ``None`` on the winner's own row. ``cv_folds`` is how
    many folds the cross-validated scores rest on. ``fit_seconds`` is wall time. ``distributed`` is
    there only if an engine made the fit.
    """

    model: str
    groups: list[str]
    kind: Literal["candidate", "ablation", "simpler", "baseline"]
    without: str | None
    winner: bool
    accuracy_interval: Interval | None
    f1_interval: Interval | None
    accuracy_lead: Interval | None
    f1_lead: Interval | None
    test_accuracy: float | None
    test_f1: float | None
    test_precision: float | None
    test_recall: float | None
    train_accuracy: float | None
    cv_accuracy_mean: float | None
    cv_accuracy_std: float | None
    cv_f1_mean: float | None
    cv_folds: NotRequired[int | None]
    forward_accuracy: NotRequired[float | None]
    forward_f1: NotRequired[float | None]
    fit_seconds: float | None
    distributed: NotRequired[DistributedFit]


ClassScores = TypedDict(
    "ClassScores",
    {
        "class": str,
        "precision": float,
        "recall": float,
        "f1": float,
        "f1_interval": Interval,
        "support": int,
    },
)
"""Scores of one class; ``support`` is its number of test baskets."""


class Winner(TypedDict):
    """The winner on the test set; ``confusion_matrix`` has true rows, predicted columns.

    Intervals come from ``resamples`` draws of ``units`` customers (a basket without a card is one)
    or baskets.
    """

    model: str
    accuracy: Interval
    macro_f1: Interval
    confidence: float
    resamples: int
    resampled: Literal["customers", "baskets"]
    units: int
    classes: list[str]
    confusion_matrix: list[list[int]]
    per_class: list[ClassScores]


class Champion(TypedDict):
    """Challenger minus champion, or minus the best version of the gate's memory.

    Paired on the same ``test_rows`` baskets.
    """

    version: str
    accuracy_difference: Interval
    f1_difference: Interval
    test_rows: int


class Looks(TypedDict):
    """How often models were evaluated on these test baskets in this workspace, this time included.

    ``optimism``: by how much the accuracy of the best of so many equally good models is too high,
    on average; ``block`` is the digest of the baskets.
    """

    block: str
    number: int
    optimism: float


class Certainty(TypedDict):
    """Test baskets of which no product says anything, by number and as a share."""

    unclassified: int
    share: float


class Bin(TypedDict):
    """Test baskets whose likeliest class has a probability from ``low`` to ``high``.

    ``confidence`` is the mean of these probabilities, ``accuracy`` the share that is right; both
    ``None`` where there is no basket.
    """

    low: float
    high: float
    baskets: int
    confidence: float | None
    accuracy: float | None


class Reliability(TypedDict):
    """How reliable probabilities are on the test set; 0 is perfect.

    ``log_loss`` in nats, ``brier`` summed over the classes (0 to 2), ``ece`` the expected
    calibration error of the likeliest class's probability over ``bins``.
    """

    log_loss: float
    brier: float
    ece: float
    bins: list[Bin]


class Calibration(TypedDict):
    """The winner's probabilities as the algorithm gives them (``raw``) and as they are shipped.

    ``description`` says in words what was fitted, on how many out-of-fold predictions.
    """

    method: Literal["temperature", "isotonic", "none"]
    description: str
    raw: Reliability
    shipped: Reliability


class Slice(TypedDict):
    """One slice of the test set; ``difference`` is its accuracy minus the whole's.

    ``macro_f1`` is over the classes that occur in it; ``significantly_worse`` is decided
    after a correction for the number of slices, and never true for a slice of
    fewer than 30 customers.
    """

    value: str
    baskets: int
    accuracy: float
    macro_f1: float
    difference: Interval
    significantly_worse: bool


class SliceTable(TypedDict):
    """All slices by one column."""

    column: str
    rows: list[Slice]
    more: int
    """Slices left out of ``rows``: the smallest."""


class SplitScores(TypedDict):
    """The winner's algorithm, trained and tested on one split.

    Scores are ``None`` where ``reason`` says why this split is not possible.
    """

    strategy: str
    chosen: bool
    train_baskets: int
    test_baskets: int
    accuracy: Interval | None
    macro_f1: Interval | None
    reason: str | None


class Importance(TypedDict):
    """Mean drop in test accuracy when one feature is permuted, and its standard deviation."""

    feature: str
    group: str
    drop: float
    std: float


ProductScore = TypedDict(
    "ProductScore",
    {
        "prod_code": str,
        "prod_name": NotRequired[str | None],
        "department": str | None,
        "score_low": float,
        "score_medium": float,
        "score_high": float,
        "class": str,
        "baskets": int,
    },
)
"""One product of the index; ``baskets`` is the number of baskets behind its scores."""


class Drivers(TypedDict):
    """What drives the winner: features, largest drop first; informative products by class."""

    importance: list[Importance]
    products: dict[str, list[ProductScore]]


RulePiece = TypedDict("RulePiece", {"class": str, "up_to": float | None})
"""Values of a feature up to an end (``None``: all that are left) and the class they have."""


class Rule(TypedDict):
    """The rule of one feature and at most two thresholds that tells the labels best.

    ``pieces`` are ordered by value. ``recognised``: whether it tells them well, on training and
    test set; ``weighting``: what weighs a product in the index, ``None`` without one.
    ``agreement``: share of the test baskets for which the winner says the same. ``text`` and
    ``notes`` say all that in words.
    """

    text: str
    notes: list[str]
    recognised: bool
    feature: str
    group: str
    pieces: list[RulePiece]
    weighting: Literal["lines", "spend", "quantity"] | None
    train_baskets: int
    train_accuracy: float
    test_accuracy: float
    agreement: float


class LearningPoint(TypedDict):
    """An index learned from some weeks; ``error`` is the standard error of its accuracy."""

    weeks: int
    baskets: int
    accuracy: float
    error: float


class LearningCurve(TypedDict):
    """The accuracy of the index alone by the weeks it was learned from, fewest first.

    All are judged on the same ``judged_baskets`` of later training weeks. ``gain`` is that of the
    last step with its standard ``error``; ``None`` without points. ``text`` says whether more data
    would help.
    """

    text: str
    judged_weeks: list[int]
    judged_baskets: int
    points: list[LearningPoint]
    gain: float | None
    error: float | None


class FaceValidity(TypedDict):
    """Whether the products of class High are the cheap ones of their groups.

    Ranks are means of the products' price ranks within their group, 0 the cheapest, 1 the dearest;
    ``difference`` is High minus Low, ``None`` where products or groups are too few.
    """

    text: str
    answer: Literal["yes", "no", "unknown"]
    high_rank: float | None
    low_rank: float | None
    difference: Interval | None
    high_products: int
    low_products: int
    groups: int


class Assumption(TypedDict):
    """One setting behind the business impact, named as in section ``business`` of the config."""

    name: str
    value: JsonValue
    unit: str


class Impact(TypedDict):
    """Money per month; the interval comes from resampled test baskets.

    ``currency`` is empty where none is stated.

    ``default_assumptions`` is true where section ``business`` of the configuration is as delivered:
    then the figures say nothing about this business, and no summary shows them.
    """

    currency: str
    default_assumptions: bool
    monthly_predictions: float
    accurate_predictions: float
    monthly_revenue_impact: float
    monthly_cost_savings: float
    total_monthly_value: float
    total_low: float
    total_high: float
    baseline_total: float
    assumptions: list[Assumption]


class InputFile(TypedDict):
    """One raw file or table that was read; ``snapshot`` of a table that has any."""

    name: str
    sha256: str
    bytes: int
    lines: int
    snapshot: NotRequired[str]


class Baskets(TypedDict):
    """Baskets by label."""

    Low: int
    Medium: int
    High: int
    Unclassified: int


class SplitSummary(TypedDict):
    """The split; ``description`` is one sentence for people."""

    strategy: str
    train_baskets: int
    test_baskets: int
    description: str


class GroupTrial(TypedDict):
    """An optional feature group, tried on training baskets that were left out.

    ``gain`` is the log loss (nats per basket) that it takes away, ``error`` its standard error.
    """

    group: str
    gain: float
    error: float
    chosen: bool


class HistorySummary(TypedDict):
    """Of a model that needs the customers' history: how much of it there was.

    ``customers`` in the history; training and test baskets with an earlier one of their customer.
    """

    customers: int
    train_baskets: int
    test_baskets: int


class DataSummary(TypedDict):
    """What was read; ``lines_accepted + lines_rejected == lines_read``.

    ``files`` may name fewer than ``files_total``. ``outlier_threshold`` is money a line, ``None``
    where no quantile was taken; ``outliers`` counts the lines above it.
    """

    files: list[InputFile]
    files_total: int
    lines_read: int
    lines_accepted: int
    lines_rejected: int
    rejected_by_reason: dict[str, int]
    baskets: Baskets
    outlier_quantile: float
    outlier_threshold: float | None
    outliers: int
    products: int
    split: SplitSummary
    groups_tried: NotRequired[list[GroupTrial]]
    history: NotRequired[HistorySummary]


class Lineage(TypedDict):
    """What the result was made from; ``git_commit`` is ``None`` outside a repository."""

    data_hash: str
    code_version: str
    code_hash: str
    """sha256 over Basketwise's own source files."""
    git_commit: str | None
    seed: int
    host: Host
    versions: dict[str, str]
    config: dict[str, JsonValue]


class Report(TypedDict):
    """The whole document.

    ``champion`` is ``None`` where no version was approved before, ``impact`` where the gate did not
    approve the model: it earns nothing. ``best`` is the best version of the gate's memory where
    that is another than the champion; it, ``looks``, ``certainty``, ``rule``, ``learning_curve``
    and ``face_validity`` are absent from earlier versions' reports. Without a product index
    ``certainty`` and ``face_validity`` are ``None``, where no feature tells the labels ``rule``.
    """

    format: int
    run: Run
    verdict: Verdict
    leaderboard: list[LeaderboardRow]
    winner: Winner
    certainty: NotRequired[Certainty | None]
    calibration: Calibration
    slices: list[SliceTable]
    splits: list[SplitScores]
    champion: Champion | None
    best: NotRequired[Champion | None]
    looks: NotRequired[Looks | None]
    drivers: Drivers
    rule: NotRequired[Rule | None]
    face_validity: NotRequired[FaceValidity | None]
    learning_curve: NotRequired[LearningCurve]
    impact: Impact | None
    data: DataSummary
    lineage: Lineage


def read_report(path: Path) -> Report:
    """Read and check ``report.json``.

    Raises
    ------
    InputError
        If it is absent, or is not a report of the format that this version writes.
    """
    again = "Run 'basketwise evaluate --force' to write it again."
    if not path.is_file():
        raise InputError(
            f"The run {path.parent.name} has not been evaluated.", "Run 'basketwise evaluate'."
        )
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{str(path)!r} is not JSON: {error}.", again) from error
    number = document.get("format") if isinstance(document, dict) else None
    if number != REPORT_FORMAT:
        raise InputError(
            f"{str(path)!r} has the report format {number!r}; this version of Basketwise reads "
            f"format {REPORT_FORMAT}.",
            again,
        )
    try:
        TypeAdapter(Report).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{str(path)!r} is not a report of Basketwise: {key}: {first['msg']}.", again
        ) from error
    return cast("Report", document)

"""What models scored, whole and in parts of the test set."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class Interval(TypedDict):
    """An estimate with the ends of its bootstrap interval."""

    estimate: float
    low: float
    high: float


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


class Certainty(TypedDict):
    """Test baskets of which no product says anything, by number and as a share."""

    unclassified: int
    share: float


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

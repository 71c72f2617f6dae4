"""What a model goes by, and what more data would bring."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from basketwise.report.types.scores import Interval


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

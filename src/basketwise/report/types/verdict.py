"""What the gate says, whom it compares with, and what approval would earn."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

from basketwise.report.types.scores import Interval


class Reason(TypedDict):
    """Outcome of one rule of the gate.

    ``rule`` is named after its setting: ``min_accuracy``, ``min_macro_f1``, ``champion`` …
    ``value`` and ``threshold`` are ``None`` for a rule without numbers. ``baskets_needed`` is there
    only if the test baskets do not tell: with about how many an equally good version would mostly
    pass (they may be fewer), ``None`` if no number is enough.
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

"""The gate: which rules a version must pass to be approved without a person."""

from __future__ import annotations

from dataclasses import dataclass

from basketwise.config import GateConfig
from basketwise.evaluation.intervals import Interval
from basketwise.evaluation.metrics import shown
from basketwise.evaluation.report_types import Reason, Verdict


@dataclass(frozen=True)
class Decision:
    """What the gate decided, and why.

    Attributes
    ----------
    approved
        Whether every rule passed.
    reasons
        One per rule, in the order they were asked.
    description
        One line: what approval's history keeps.
    """

    approved: bool
    reasons: list[Reason]
    description: str


def decide(
    accuracy: float,
    macro_f1: float,
    champion: str | None,
    difference: Interval | None,
    config: GateConfig,
) -> Decision:
    """Ask every rule.

    Parameters
    ----------
    accuracy, macro_f1 : float
        Of the challenger on the test part.
    champion : str or None
        Version of the current champion; None if there is none.
    difference : Interval or None
        Challenger's accuracy minus champion's, paired on the same test baskets; None where there is
        no champion, or where it could not be scored: then the rule fails.
    config : GateConfig
        Thresholds.
    """
    reasons = [
        _at_least("min_accuracy", "Test accuracy", accuracy, config.min_accuracy),
        _at_least("min_macro_f1", "Macro-F1", macro_f1, config.min_macro_f1),
    ]
    if config.champion:
        reasons.append(_against_champion(champion, difference, config.champion_margin))
    approved = all(reason["passed"] for reason in reasons)
    return Decision(approved, reasons, _description(accuracy, macro_f1, reasons, config))


def _at_least(rule: str, name: str, value: float, threshold: float) -> Reason:
    passed = value >= threshold
    sign = "≥" if passed else "<"
    return Reason(
        rule=rule,
        passed=passed,
        value=value,
        threshold=threshold,
        text=f"{name} {shown(value, threshold=threshold)} {sign} {threshold:g}",
    )


def _against_champion(champion: str | None, difference: Interval | None, margin: float) -> Reason:
    if champion is None:
        return Reason(
            rule="champion",
            passed=True,
            value=None,
            threshold=None,
            text="No champion to compare with: no version is approved at present",
        )
    if difference is None:
        return Reason(
            rule="champion",
            passed=False,
            value=None,
            threshold=None,
            text=f"Champion (version {champion}) could not be scored on these test baskets",
        )
    # Worse is what is surely worse: the whole interval of the difference lies below the margin.
    passed = difference.high >= -margin
    return Reason(
        rule="champion",
        passed=passed,
        value=difference.estimate,
        threshold=-margin,
        text=(
            f"{'Not worse' if passed else 'Worse'} than the champion (version {champion}) on the "
            f"same baskets: accuracy {difference.estimate:+.4f} "
            f"[{difference.low:+.4f}, {difference.high:+.4f}]"
        ),
    )


def _description(
    accuracy: float, macro_f1: float, reasons: list[Reason], config: GateConfig
) -> str:
    failed = [reason["text"] for reason in reasons if not reason["passed"]]
    if failed:
        return "Not approved: " + "; ".join(failed)
    return (
        f"Auto-approved: Accuracy={shown(accuracy, threshold=config.min_accuracy, places=3)} "
        f"(≥{config.min_accuracy:g}), "
        f"F1={shown(macro_f1, threshold=config.min_macro_f1, places=3)} (≥{config.min_macro_f1:g})"
    )


def decision_of(verdict: Verdict) -> Decision:
    """Return the decision that a report has written down."""
    return Decision(verdict["approved"], verdict["reasons"], verdict["description"])

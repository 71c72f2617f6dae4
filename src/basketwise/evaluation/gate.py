"""The gate: which rules a version must pass to be approved without a person."""

from __future__ import annotations

from dataclasses import dataclass

from basketwise.config import GateConfig
from basketwise.evaluation.intervals import Interval
from basketwise.evaluation.metrics import shown
from basketwise.report.types import Reason, Verdict

BASKETS_RULE, REJECTED_RULE = "min_test_baskets", "max_rejected_share"


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    Attributes
    ----------
    accuracy, macro_f1
        Of the challenger on the test part.
    champion
        Version of the current champion; None if there is none, or the registry is not seen.
    difference
        Challenger's accuracy minus champion's, paired on the same test baskets; None where there
        is no champion, or where it could not be scored: then the rule fails.
    test_baskets
        In the test part.
    lines_read, lines_rejected
        Of the raw files.
    sees_registry
        Whether it is known which version is the champion; where it is not, the rule fails.
    """

    accuracy: Interval
    macro_f1: Interval
    champion: str | None
    difference: Interval | None
    test_baskets: int
    lines_read: int
    lines_rejected: int
    sees_registry: bool = True


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


def decide(evidence: Evidence, config: GateConfig) -> Decision:
    """Ask every rule."""
    reasons = [
        _at_least("min_accuracy", "Test accuracy", evidence.accuracy, config.min_accuracy, config),
        _at_least("min_macro_f1", "Macro-F1", evidence.macro_f1, config.min_macro_f1, config),
    ]
    if config.champion:
        reasons.append(
            _against_champion(evidence.champion, evidence.difference, config.champion_margin)
            if evidence.sees_registry
            else _not_compared()
        )
    reasons += [
        _enough(evidence.test_baskets, config.min_test_baskets),
        _few_rejected(evidence.lines_rejected, evidence.lines_read, config.max_rejected_share),
    ]
    approved = all(reason["passed"] for reason in reasons)
    return Decision(approved, reasons, _description(evidence, reasons, config))


def _at_least(
    rule: str, name: str, interval: Interval, threshold: float, config: GateConfig
) -> Reason:
    estimate = shown(interval.estimate, threshold=threshold)
    value, subject = interval.estimate, f"{name} {estimate}"
    if config.thresholds_on == "lower":
        value = interval.low
        low = shown(value, threshold=threshold)
        subject = f"Lower end of the interval of {name[0].lower()}{name[1:]} {low}"
    passed = value >= threshold
    text = f"{subject} {'≥' if passed else '<'} {threshold:g}"
    if config.thresholds_on == "lower":
        text += f" (estimate {estimate})"
    return Reason(rule=rule, passed=passed, value=value, threshold=threshold, text=text)


def _not_compared() -> Reason:
    return Reason(
        rule="champion",
        passed=False,
        value=None,
        threshold=None,
        text="Not compared with the champion: this job does not see the registry",
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
    # As many right on the same baskets is not worse. Fewer right must surely lie within the margin:
    # a test part too small to tell does not pass.
    as_good = difference.estimate >= 0
    passed = as_good or difference.low >= -margin
    if passed:
        finding = "Not worse than"
    elif difference.high < -margin:
        finding = "Worse than"
    else:
        finding = "Not surely as good as"
    return Reason(
        rule="champion",
        passed=passed,
        value=difference.estimate if as_good else difference.low,
        threshold=0.0 if as_good else -margin,
        text=(
            f"{finding} the champion (version {champion}) on the same baskets: accuracy "
            f"{difference.estimate:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}], "
            f"margin {margin:g}"
        ),
    )


def _enough(baskets: int, least: int) -> Reason:
    passed = baskets >= least
    return Reason(
        rule=BASKETS_RULE,
        passed=passed,
        value=baskets,
        threshold=least,
        text=f"{baskets:,} test baskets {'≥' if passed else '<'} {least:,}",
    )


def _few_rejected(rejected: int, read: int, most: float) -> Reason:
    share = rejected / read if read else 0.0
    passed = share <= most
    return Reason(
        rule=REJECTED_RULE,
        passed=passed,
        value=share,
        threshold=most,
        text=(
            f"{rejected:,} of {read:,} lines rejected: {100 * share:.3g}% "
            f"{'≤' if passed else '>'} {100 * most:g}%"
        ),
    )


def _description(evidence: Evidence, reasons: list[Reason], config: GateConfig) -> str:
    failed = [reason["text"] for reason in reasons if not reason["passed"]]
    if failed:
        return "Not approved: " + "; ".join(failed)
    scores = (
        ("Accuracy", evidence.accuracy, config.min_accuracy),
        ("F1", evidence.macro_f1, config.min_macro_f1),
    )
    return "Auto-approved: " + ", ".join(
        f"{name}={_approved_score(interval, least, config)} (≥{least:g})"
        for name, interval, least in scores
    )


def _approved_score(interval: Interval, least: float, config: GateConfig) -> str:
    estimate = shown(interval.estimate, threshold=least, places=3)
    if config.thresholds_on == "estimate":
        return estimate
    return f"{estimate}, at least {shown(interval.low, threshold=least, places=3)}"


def rule_lines(reasons: list[Reason]) -> str:
    """Say what each rule found, a line a rule."""
    return "\n".join(
        f"{'passed' if reason['passed'] else 'NOT PASSED'} {reason['rule']}: {reason['text']}"
        for reason in reasons
    )


def decision_of(verdict: Verdict) -> Decision:
    """Return the decision that a report has written down."""
    return Decision(verdict["approved"], verdict["reasons"], verdict["description"])

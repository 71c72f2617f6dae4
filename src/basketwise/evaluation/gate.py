"""The gate: rules that a version must pass to be approved automatically."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from basketwise.config import GateConfig
from basketwise.evaluation.champion import Champion, NoChampion, NotScored, NotSeen, Scored
from basketwise.report.numbers import shown
from basketwise.report.types import Interval, Reason

SHOWN = 3
"""Number of skipped files that a reason names."""


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    ``difference`` is the challenger's accuracy minus the champion's, paired on the same test
    baskets; None unless the champion is ``Scored``. Lines are those of the raw files; ``skipped``
    are names of skipped files that may contain lines.
    """

    accuracy: Interval
    macro_f1: Interval
    confidence: float
    champion: Champion
    difference: Interval | None
    test_baskets: int
    lines_read: int
    lines_rejected: int
    skipped: Sequence[str] = ()


@dataclass(frozen=True)
class Decision:
    """What the gate decided, and why: one reason per rule, in the order they were checked.

    ``description`` is one line for the registry's history.
    """

    approved: bool
    reasons: list[Reason]
    description: str


def decide(evidence: Evidence, config: GateConfig) -> Decision:
    """Check every rule."""
    reasons = [
        _at_least("min_accuracy", "Test accuracy", evidence.accuracy, config.min_accuracy, config),
        _at_least("min_macro_f1", "Macro-F1", evidence.macro_f1, config.min_macro_f1, config),
    ]
    if config.champion:
        reasons.append(_champion_rule(evidence, config.champion_margin))
    reasons += [
        _enough(evidence.test_baskets, config.min_test_baskets),
        _few_rejected(evidence, config.max_rejected_share),
    ]
    approved = all(reason["passed"] for reason in reasons)
    return Decision(approved, reasons, _description(evidence, reasons, config))


def _at_least(
    rule: str, name: str, interval: Interval, threshold: float, config: GateConfig
) -> Reason:
    estimate = shown(interval["estimate"], threshold=threshold)
    value, subject = interval["estimate"], f"{name} {estimate}"
    if config.thresholds_on == "lower":
        value = interval["low"]
        low = shown(value, threshold=threshold)
        subject = f"Lower bound of {name[0].lower()}{name[1:]} {low}"
    passed = value >= threshold
    text = f"{subject} {'≥' if passed else '<'} {threshold:g}"
    if config.thresholds_on == "lower":
        text += f" (estimate {estimate})"
    return Reason(rule=rule, passed=passed, value=value, threshold=threshold, text=text)


def _champion_rule(evidence: Evidence, margin: float) -> Reason:
    """Check that the challenger is not worse than the champion by more than the margin."""
    passed, value, threshold = False, None, None
    match evidence.champion:
        case NotSeen():
            text = "Not compared with the champion: this job has no access to the registry"
        case NoChampion():
            passed, text = True, "No champion to compare with: no version is currently approved"
        case NotScored(version, why, broken):
            text = f"The champion (version {version}) could not be scored: {why}"
            if broken:
                text += f"; 'basketwise models reject {version}' goes on without it"
        case Scored(version) if (difference := evidence.difference) is not None:
            # As many correct on the same baskets is not worse. Where there are fewer, that the loss
            # is within the margin must be shown: a test set too small to tell does not pass.
            as_good = difference["estimate"] >= 0
            passed = as_good or difference["low"] >= -margin
            value = difference["estimate"] if as_good else difference["low"]
            threshold = 0.0 if as_good else -margin
            worse = "Worse than" if difference["high"] < -margin else "May be worse than"
            estimate, low, high = (
                f"{end:+.4f}".replace("-", "−")
                for end in (difference["estimate"], difference["low"], difference["high"])
            )
            text = (
                f"{'Not worse than' if passed else worse} the champion (version {version}): "
                f"accuracy {estimate}, {100 * evidence.confidence:g}% CI [{low}, {high}], "
                f"allowed loss {margin:g}"
            )
        case _:
            raise ValueError("A champion that was scored needs a difference.")
    return Reason(rule="champion", passed=passed, value=value, threshold=threshold, text=text)


def _enough(baskets: int, least: int) -> Reason:
    passed = baskets >= least
    return Reason(
        rule="min_test_baskets",
        passed=passed,
        value=baskets,
        threshold=least,
        text=f"{baskets:,} test baskets {'≥' if passed else '<'} {least:,}",
    )


def _few_rejected(evidence: Evidence, most: float) -> Reason:
    rejected, read, skipped = evidence.lines_rejected, evidence.lines_read, evidence.skipped
    share = rejected / read if read else 0.0
    passed = share <= most
    not_read = ""
    if skipped:
        more = f" and {len(skipped) - SHOWN:,} more" if len(skipped) > SHOWN else ""
        not_read = f"; skipped files: {', '.join(skipped[:SHOWN])}{more}"
    return Reason(
        rule="max_rejected_share",
        passed=passed,
        value=share,
        threshold=most,
        text=(
            f"{rejected:,} of {read:,} lines rejected: {100 * share:.3g}% "
            f"{'≤' if passed else '>'} {100 * most:g}%{not_read}"
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
    estimate = shown(interval["estimate"], threshold=least, decimals=3)
    if config.thresholds_on == "estimate":
        return estimate
    return f"{estimate}, at least {shown(interval['low'], threshold=least, decimals=3)}"


def rule_lines(reasons: list[Reason]) -> str:
    """Return one line per rule: whether it passed, its name, its reason."""
    return "\n".join(
        f"{'passed' if reason['passed'] else 'NOT PASSED'} {reason['rule']}: {reason['text']}"
        for reason in reasons
    )

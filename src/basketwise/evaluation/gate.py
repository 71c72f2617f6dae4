"""The gate: rules that a version must pass to be approved automatically.

That a challenger is not worse must be shown (non-inferiority: Piaggio and others, Reporting of
Noninferiority and Equivalence Randomized Trials, 2012): against the champion, and against the best
version of the gate's memory. Without the second, twenty challengers, each within the margin of its
predecessor, could lose twenty margins. Where the interval contains both a loss that is allowed and
one that is not, the answer is neither yes nor no but how many test baskets it would take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from basketwise.config import GateConfig
from basketwise.etl.gold.metadata import HistoryRecord
from basketwise.evaluation.champion import Champion, NoChampion, NotScored, NotSeen, Scored
from basketwise.report.numbers import shown
from basketwise.report.types.scores import Interval
from basketwise.report.types.verdict import Reason

SHOWN = 3
"""Number of skipped files that a reason names."""

REPEATED = 5
"""The interval of the difference to the best of memory misses so many times less often: after a few
small losses, every challenger is compared with the same version, and one of them would be lucky."""

POWER = 0.8
"""How likely an equally good challenger passes with the number of test baskets that is named."""


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    ``difference`` is the challenger's accuracy minus the champion's, paired on the same test
    baskets; None unless the champion is ``Scored``. ``best`` is the best version of the gate's
    memory where that is not the champion, ``best_difference`` likewise, and ``lost`` are better
    ones that could not be scored. Lines are those of the raw files; ``skipped`` are names of
    skipped files that may contain lines. ``history`` is there if the model needs that of the
    customers.
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
    best: Scored | None = None
    best_difference: Interval | None = None
    lost: Sequence[NotScored] = ()
    history: HistoryRecord | None = None


@dataclass(frozen=True)
class Decision:
    """What the gate decided, and why: one reason per rule, in the order they were checked.

    ``undecided``: no rule failed, but the test baskets are too few to tell. ``description`` is one
    line for the registry's history.
    """

    approved: bool
    undecided: bool
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
        if evidence.best or evidence.lost:
            reasons.append(_memory_rule(evidence, config.champion_margin))
    reasons += [
        _enough(evidence.test_baskets, config.min_test_baskets),
        _few_rejected(evidence, config.max_rejected_share),
        *([_needs_history(evidence.history, evidence.test_baskets)] if evidence.history else []),
    ]
    failed = [reason for reason in reasons if not reason["passed"]]
    undecided = bool(failed) and all("baskets_needed" in reason for reason in failed)
    description = _description(evidence, reasons, config)
    return Decision(not failed, undecided, reasons, description)


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
    passed = False
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
            other = f"the champion (version {version})"
            return _not_worse("champion", other, difference, evidence, evidence.confidence, margin)
        case _:
            raise ValueError("A champion that was scored needs a difference.")
    return Reason(rule="champion", passed=passed, value=None, threshold=None, text=text)


def _memory_rule(evidence: Evidence, margin: float) -> Reason:
    """Check that it is not worse either than the best version of the memory."""
    # An old version that is lost must not stop every run.
    lost = "; ".join(
        f"version {one.version} was better but could not be scored: {one.why}"
        for one in evidence.lost
    )
    if evidence.best is None:
        text = f"Compared with no version before the champion: {lost}"
        return Reason(rule="memory", passed=True, value=None, threshold=None, text=text)
    if evidence.best_difference is None:
        raise ValueError("A version that was scored needs a difference.")
    other = f"the best of the versions approved before (version {evidence.best.version})"
    confidence = memory_confidence(evidence.confidence)
    reason = _not_worse("memory", other, evidence.best_difference, evidence, confidence, margin)
    if lost:
        reason["text"] += f"; {lost}"
    return reason


def memory_confidence(confidence: float) -> float:
    """Return the confidence level of the difference to the best version of the memory.

    Examples
    --------
    >>> round(memory_confidence(0.95), 3)
    0.99
    """
    return 1 - (1 - confidence) / REPEATED


def _not_worse(
    rule: str,
    other: str,
    difference: Interval,
    evidence: Evidence,
    confidence: float,
    margin: float,
) -> Reason:
    # An estimate of 0 or more alone shows nothing: on a small test set a worse version has it too.
    passed, worse = difference["low"] >= -margin, difference["high"] < -margin
    verdict = "Not worse than" if passed else "Worse than" if worse else "Can't tell if worse than"
    estimate, low, high = (
        f"{end:+.4f}".replace("-", "−")
        for end in (difference["estimate"], difference["low"], difference["high"])
    )
    text = (
        f"{verdict} {other}: accuracy {estimate}, {100 * confidence:.3g}% CI "
        f"[{low}, {high}], allowed loss {margin:g}"
    )
    reason = Reason(rule=rule, passed=passed, value=difference["low"], threshold=-margin, text=text)
    if not passed and not worse:
        needed = baskets_needed(difference, evidence.test_baskets, confidence, margin)
        reason["baskets_needed"] = needed
        if not needed:
            reason["text"] += "; without an allowed loss only a better version can be told"
        elif needed > evidence.test_baskets:
            reason["text"] += (
                f"; needs about {needed:,} test baskets, not {evidence.test_baskets:,}"
            )
        else:
            # A few more would not help: this one is most likely worse, if within the margin.
            reason["text"] += (
                f"; an equally good one would mostly pass with these {evidence.test_baskets:,} "
                "test baskets"
            )
    return reason


def baskets_needed(
    difference: Interval, baskets: int, confidence: float, margin: float
) -> int | None:
    """Return with about how many test baskets an equally good challenger would mostly pass.

    The interval's reach falls with the root of their number. None if there is no such number.

    Examples
    --------
    >>> baskets_needed({"estimate": 0.0, "low": -0.02, "high": 0.02}, 1_000, 0.95, 0.01)
    8200
    """
    if not margin:
        return None
    reach = difference["estimate"] - difference["low"]
    spread = 1 + float(ndtri(POWER) / ndtri((1 + confidence) / 2))
    needed = max(baskets * (reach * spread / margin) ** 2, 1)
    digits = int(10 ** max(math.floor(math.log10(needed)) - 1, 0))
    return math.ceil(needed / digits) * digits


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


def _needs_history(history: HistoryRecord, baskets: int) -> Reason:
    """Say what the model needs where it is used: no condition, but whoever deploys it must know."""
    return Reason(
        rule="history",
        passed=True,
        value=history.test / baskets if baskets else 0.0,
        threshold=None,
        text=(
            "The model needs the customers' history when it scores: earlier baskets were known of "
            f"the customers of {history.test:,} of {baskets:,} test baskets"
        ),
    )


def _description(evidence: Evidence, reasons: list[Reason], config: GateConfig) -> str:
    failed = [reason["text"] for reason in reasons if not reason["passed"]]
    if failed:
        undecided = all(reason["passed"] or "baskets_needed" in reason for reason in reasons)
        return ("Undecided: " if undecided else "Not approved: ") + "; ".join(failed)
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

"""What was learned, in words: the rule, whether more data would help, whether products make sense.

Nothing is claimed beyond the figures beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from basketwise.report.numbers import score
from basketwise.report.types.data import GroupTrial
from basketwise.report.types.drivers import FaceValidity, LearningCurve, Rule, RulePiece

_VOTES: Mapping[str, tuple[str, str]] = {
    "product_balance": ("a vote of lines", "lines"),
    "posterior_balance": ("a vote of lines, by the probabilities of their classes", "lines"),
    "spend_balance": ("a vote of lines weighted by spend", "spend"),
    "quantity_balance": ("a vote of lines weighted by quantity", "quantity"),
}
"""What a rule on a feature is called, and what of the products it counts."""
CERTAIN = 2.0
"""Standard errors from which a gain is more than chance."""
FINE = 0.001
"""Gain below which it is shown with one digit more."""
MUCH = 0.005
"""Gain in accuracy from which more data help, and not only a little."""


def rule_text(rule: Rule) -> str:
    """Say what the rule is and how often it is right."""
    name, _ = _VOTES.get(rule["feature"], (f"the feature {rule['feature']}", ""))
    thresholds = ranges(rule["pieces"], "+" if rule["feature"] in _VOTES else "")
    right = (
        f"right in {share(rule['train_accuracy'])} of {rule['train_baskets']:,} training baskets "
        f"and {share(rule['test_accuracy'])} of the test baskets"
    )
    if rule["recognised"]:
        return f"{name[0].upper()}{name[1:]}: {thresholds}; {right}."
    return f"No simple rule was recognised. The closest, {name} ({thresholds}), is {right}."


def rule_notes(rule: Rule, winner: float, tried: Sequence[GroupTrial]) -> list[str]:
    """Say what belongs to the rule, a sentence each.

    Parameters
    ----------
    rule : Rule
        The rule.
    winner : float
        The winner's accuracy on the test set.
    tried : sequence of GroupTrial
        Optional feature groups.
    """
    notes = []
    if rule["feature"] in _VOTES:
        _, counted = _VOTES[rule["feature"]]
        notes.append(
            f"What is compared with the thresholds: {counted} of High products minus {counted} of "
            f"Low ones, as a share of the {counted} of all products that say something."
        )
    notes.append(
        f"The winner, right in {share(winner)} of the test baskets, answers the same in "
        f"{share(rule['agreement'])}."
    )
    if not rule["recognised"] and rule["test_accuracy"] >= winner:
        notes.append("The winner is no better than this rule: the rest may be noise in the labels.")
    if rule["weighting"] == "lines":
        notes.append(
            "The index counts every line as one: weights by spend or quantity were not shown to "
            "tell labels better."
        )
    elif rule["weighting"] is not None:
        notes.append(
            f"The index weighs every line by its {rule['weighting']}, which tells labels clearly "
            "better."
        )
    added, useless = (
        ", ".join(
            # A gain that rounds to nothing has no minus.
            f"{group['group']} ({round(group['gain'], 3) + 0.0:+.3f} ± {group['error']:.3f} nats)"
            for group in tried
            if group["chosen"] == chosen
        ).replace("-", "−")
        for chosen in (True, False)
    )
    if added:
        notes.append(f"Optional feature groups that help: {added}.")
    if useless:
        notes.append(f"Those that add nothing that shows: {useless}.")
    if rule["recognised"] and not tried:
        others = "other feature" + (", price included," if rule["group"] != "price" else "")
        rest = 1 - rule["test_accuracy"]
        notes.append(
            f"Any {others} could improve on the rule in {share(rest)} of the test baskets at most."
            if rest
            else f"On these baskets the rule leaves nothing for any {others} to add."
        )
    return notes


def ranges(pieces: Sequence[RulePiece], sign: str = "") -> str:
    """Say which class a rule gives to which values; ``sign="+"`` shows the plus too.

    Examples
    --------
    >>> ranges([{"class": "Low", "up_to": -0.18}, {"class": "High", "up_to": None}])
    'Low up to −0.18, High above'
    """
    return ", ".join(
        f"{piece['class']} above"
        if piece["up_to"] is None
        else f"{piece['class']} up to {piece['up_to']:{sign}.10g}".replace("-", "−")
        for piece in pieces
    )


def more_data_text(curve: LearningCurve, reason: str) -> str:
    """Answer whether more data would help; ``reason`` says why there is no curve."""
    points = curve["points"]
    gain, error = curve["gain"], curve["error"]
    if len(points) < 2 or gain is None or error is None:
        return f"Not measured: {reason}."
    before, last = points[-2], points[-1]
    digits = 4 if abs(gain) >= FINE else 5
    step = (
        f"learned from {last['weeks']} weeks instead of {before['weeks']}, the index alone tells "
        f"later baskets with an accuracy of {score(last['accuracy'])} instead of "
        f"{score(before['accuracy'])} ({score(gain, '+', digits)} ± {score(error, '', digits)})"
    )
    if gain < -CERTAIN * error:
        return f"No, older weeks do harm: {step}."
    if gain <= CERTAIN * error:
        return f"Not measurably: {step}, which may be chance."
    if gain < MUCH:
        return f"A little: {step}."
    return f"Yes: {step}."


def face_validity_text(result: FaceValidity, confidence: float) -> str:
    """Say whether the products of class High are the cheap ones of their groups."""
    high, low, difference = result["high_rank"], result["low_rank"], result["difference"]
    if difference is None or high is None or low is None:
        return (
            "Can't tell whether High products are the cheap ones of their group: too few products "
            f"with a price, a group and enough baskets ({result['high_products']:,} High, "
            f"{result['low_products']:,} Low)."
        )
    figures = (
        f"mean price rank {high:.2f} against {low:.2f} of Low products, where 0 is the cheapest; "
        f"difference {_signed(difference['estimate'])}, {confidence:.0%} interval "
        f"{_signed(difference['low'])} to {_signed(difference['high'])}; "
        f"{result['high_products']:,} High and {result['low_products']:,} Low products in "
        f"{result['groups']:,} groups"
    )
    beside = ", but dearer ones" if difference["low"] > 0 else ""
    if difference["high"] < 0:
        beside = ", only a little cheaper than Low ones"
    starts = {
        "yes": "High products are the cheap ones of their group",
        "no": f"High products are not the cheap ones of their group{beside}",
        "unknown": "Can't tell whether High products are the cheap ones of their group",
    }
    return f"{starts[result['answer']]}: {figures}."


def share(value: float) -> str:
    """Write a share as a percentage, never rounded to all or nothing.

    Examples
    --------
    >>> share(0.9), share(0.99996), share(1.0), share(0.00006)
    ('90%', '99.996%', '100%', '0.01%')
    """
    digits = 1
    while 0 < value < 1 and round(100 * value, digits) in (0, 100):
        digits += 1
    return f"{round(100 * value, digits):.10g}%"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")

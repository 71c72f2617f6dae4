"""What was learned, in words; nothing is claimed beyond the figures."""

from typing import Any

import pytest

from basketwise.report.in_words import (
    face_validity_text,
    more_data_text,
    ranges,
    rule_notes,
    rule_text,
    share,
)
from basketwise.report.types.drivers import FaceValidity, LearningCurve, Rule
from tests.report.example import PIECES


def rule(**changes: Any) -> Rule:
    recognised: Rule = {
        "text": "",
        "notes": [],
        "recognised": True,
        "feature": "product_balance",
        "group": "product",
        "pieces": [*PIECES],
        "weighting": "lines",
        "train_baskets": 48_000,
        "train_accuracy": 0.9991,
        "test_accuracy": 0.9981,
        "agreement": 0.9972,
    }
    return {**recognised, **changes}  # type: ignore[typeddict-item]


def curve(before: float, last: float, error: float) -> LearningCurve:
    return {
        "text": "",
        "judged_weeks": [200752],
        "judged_baskets": 4_000,
        "points": [
            {"weeks": 8, "baskets": 30_000, "accuracy": before, "error": 0.001},
            {"weeks": 16, "baskets": 60_000, "accuracy": last, "error": 0.001},
        ],
        "gain": last - before,
        "error": error,
    }


def products(answer: str, high: float, low: float) -> FaceValidity:
    return {
        "text": "",
        "answer": answer,  # type: ignore[typeddict-item]
        "high_rank": high,
        "low_rank": low,
        "difference": {"estimate": high - low, "low": high - low - 0.04, "high": high - low + 0.04},
        "high_products": 1_200,
        "low_products": 900,
        "groups": 240,
    }


def test_a_recognised_rule_is_named_with_its_thresholds() -> None:
    assert rule_text(rule()) == (
        "A vote of lines: Low up to −0.18, Medium up to +0.23, High above; right in 99.9% of "
        "48,000 training baskets and 99.8% of the test baskets."
    )
    text = rule_text(rule(feature="group_price_ratio"))
    assert text.startswith("The feature group_price_ratio: ")


def test_a_rule_that_does_not_tell_the_labels_is_not_claimed() -> None:
    text = rule_text(rule(recognised=False, test_accuracy=0.796))
    assert text == (
        "No simple rule was recognised. The closest, a vote of lines (Low up to −0.18, Medium up "
        "to +0.23, High above), is right in 99.9% of 48,000 training baskets and 79.6% of the test "
        "baskets."
    )


def test_thresholds_have_a_plus_if_that_is_wanted() -> None:
    pieces: Any = [{"class": "High", "up_to": 12.5}, {"class": "Low", "up_to": None}]
    assert ranges(pieces) == "High up to 12.5, Low above"
    assert ranges(pieces, "+") == "High up to +12.5, Low above"


def test_groups_that_were_tried_are_told_apart() -> None:
    notes = rule_notes(
        rule(weighting="spend"),
        0.9986,
        [
            {"group": "weighted", "gain": 0.21, "error": 0.01, "chosen": True},
            {"group": "price", "gain": -0.001, "error": 0.004, "chosen": False},
            {"group": "season", "gain": -0.0001, "error": 0.001, "chosen": False},
        ],
    )
    assert notes[1:] == [
        "The winner, right in 99.9% of the test baskets, answers the same in 99.7%.",
        "The index weighs every line by its spend, which tells labels clearly better.",
        "Optional feature groups that help: weighted (+0.210 ± 0.010 nats).",
        "Those that add nothing that shows: price (−0.001 ± 0.004 nats), season (+0.000 ± "
        "0.001 nats).",
    ]


def test_what_neither_rule_nor_winner_tell_may_be_noise() -> None:
    noisy = rule(recognised=False, test_accuracy=0.787)
    words = "the rest may be noise in the labels"
    assert any(words in note for note in rule_notes(noisy, 0.774, []))
    assert not any(words in note for note in rule_notes(noisy, 0.8, []))


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        (
            {},
            "Any other feature, price included, could improve on the rule in 0.2% of the test "
            "baskets at most.",
        ),
        (
            {"test_accuracy": 1.0},
            "On these baskets the rule leaves nothing for any other feature, price included, to "
            "add.",
        ),
        (
            {"feature": "group_price_ratio", "group": "price", "weighting": None},
            "Any other feature could improve on the rule in 0.2% of the test baskets at most.",
        ),
        (
            {"recognised": False, "weighting": None},
            "The winner, right in 99.9% of the test baskets, answers the same in 99.7%.",
        ),
    ],
)
def test_where_no_group_was_tried_the_rest_bounds_what_one_could_add(
    changes: dict[str, Any], last: str
) -> None:
    assert rule_notes(rule(**changes), 0.9986, [])[-1] == last


@pytest.mark.parametrize(
    ("before", "last", "error", "start", "figures"),
    [
        (0.95, 0.97, 0.002, "Yes: ", "(+0.0200 ± 0.0020)"),
        (0.97, 0.9705, 0.0002, "A little: ", "(+0.00050 ± 0.00020)"),
        (0.97, 0.971, 0.002, "Not measurably: ", "which may be chance"),
        (0.97, 0.96, 0.002, "No, older weeks do harm: ", "(−0.0100 ± 0.0020)"),
    ],
)
def test_the_last_step_answers_whether_more_data_would_help(
    before: float, last: float, error: float, start: str, figures: str
) -> None:
    text = more_data_text(curve(before, last, error), "")
    assert text.startswith(f"{start}learned from 16 weeks instead of 8, the index alone tells")
    assert figures in text


def test_without_a_curve_the_reason_is_told() -> None:
    none = curve(0.9, 0.9, 0.1)
    none["points"], none["gain"], none["error"] = [], None, None
    assert more_data_text(none, "there are fewer than 4 training weeks") == (
        "Not measured: there are fewer than 4 training weeks."
    )


@pytest.mark.parametrize(
    ("answer", "start"),
    [
        ("yes", "High products are the cheap ones of their group: "),
        ("unknown", "Can't tell whether High products are the cheap ones of their group: "),
    ],
)
def test_face_validity_says_what_was_measured(answer: str, start: str) -> None:
    assert face_validity_text(products(answer, 0.31, 0.62), 0.95) == (
        f"{start}mean price rank 0.31 against 0.62 of Low products, where 0 is the cheapest; "
        "difference −0.31, 95% interval −0.35 to −0.27; 1,200 High and 900 Low products in 240 "
        "groups."
    )


@pytest.mark.parametrize(
    ("high", "low", "words"),
    [
        (0.62, 0.31, ", but dearer ones: "),
        (0.45, 0.51, ", only a little cheaper than Low ones: "),
        (0.49, 0.51, ": "),
    ],
)
def test_products_that_are_not_the_cheap_ones(high: float, low: float, words: str) -> None:
    text = face_validity_text(products("no", high, low), 0.95)
    assert text.startswith(f"High products are not the cheap ones of their group{words}mean")


def test_too_few_products_tell_nothing() -> None:
    result = products("unknown", 0.31, 0.62)
    result["difference"], result["high_products"] = None, 1
    assert face_validity_text(result, 0.95).endswith(
        "too few products with a price, a group and enough baskets (1 High, 900 Low)."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9, "90%"), (0.99996, "99.996%"), (1.0, "100%"), (0.0, "0%"), (0.00006, "0.01%")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(value: float, text: str) -> None:
    assert share(value) == text

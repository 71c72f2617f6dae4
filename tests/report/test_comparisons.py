"""The verdict, the champion and the leaderboard: the words follow from the numbers."""

from __future__ import annotations

import pytest

from basketwise.report.html import render_html
from basketwise.report.numbers import GAP
from basketwise.report.types.scores import Interval, LeaderboardRow
from tests.report.example import MARGIN, example_report
from tests.report.page import Page, tidy


def test_warnings_stand_under_the_reasons_and_are_announced_beside_the_verdict() -> None:
    report = example_report()
    report["verdict"]["warnings"].append("Baskets of shop_hour 22 do worse than the whole.")
    page = Page(render_html(report))
    text = page.text_of("verdict")
    assert "2 warnings" in text[: text.index("Passed")]
    last = text.rindex(report["verdict"]["reasons"][-1]["text"])
    title = text.index("Warnings: read before deciding")
    first, second = (text.index(warning) for warning in report["verdict"]["warnings"])
    assert last < title < first < second
    assert {"class": "caution", "href": "#warnings"} in page.attributes("a", "verdict")


def test_without_warnings_that_is_stated() -> None:
    report = example_report()
    report["verdict"]["warnings"] = []
    text = Page(render_html(report)).text_of("verdict")
    assert "No warnings." in text
    assert "read before deciding" not in text


def test_counts_of_the_gate_are_no_scores() -> None:
    text = Page(render_html(example_report())).text_of("verdict")
    assert f"Measured 12{GAP}000 Threshold 100" in text
    assert "Lower bound +0.0012 Threshold −0.0100" in text


def x_of(attributes: dict[str, str | None]) -> float:
    return float((attributes["x1"] or "").rstrip("%"))


def test_gates_margin_is_drawn_where_it_lies() -> None:
    report = example_report()
    assert report["champion"] is not None
    difference = report["champion"]["accuracy_difference"]
    page = Page(render_html(report))
    # The second of each is its key in the legend.
    margin, zero, estimate = (
        x_of(page.of_class(name, "champion")[0]) for name in ("gate", "baseline", "estimate")
    )
    unit = (zero - margin) / MARGIN
    assert unit > 0
    assert estimate == pytest.approx(zero + unit * difference["estimate"], abs=0.02)
    band = page.of_class("band", "champion")[0]
    width = unit * (difference["high"] - difference["low"])
    assert float((band["width"] or "").rstrip("%")) == pytest.approx(width, abs=0.02)


def test_without_a_rule_for_the_champion_no_margin_is_drawn() -> None:
    report = example_report()
    del report["verdict"]["reasons"][2]
    page = Page(render_html(report))
    assert page.of_class("gate", "champion") == []
    assert "margin" not in page.text_of("champion")
    assert "Challenger minus champion" in page.text_of("champion")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.001, 0.003, "is above 0: the challenger is better"),
        (-0.001, 0.003, "no significant difference on these baskets"),
        (-0.003, 0.0, "no significant difference on these baskets"),
        (-0.003, -0.001, "the challenger is worse"),
    ],
)
def test_difference_to_the_champion_is_stated(low: float, high: float, words: str) -> None:
    report = example_report()
    assert report["champion"] is not None
    between: Interval = {"estimate": (low + high) / 2, "low": low, "high": high}
    report["champion"]["accuracy_difference"] = report["champion"]["f1_difference"] = between
    assert Page(render_html(report)).text_of("champion").count(words) == 2


def with_leads(kind: str, accuracy: Interval | None, f1: Interval | None) -> str:
    """Render the leaderboard with one row of a kind, which the winner leads so."""
    report = example_report()
    rows: list[LeaderboardRow] = report["leaderboard"]
    row = next(row for row in rows if row["kind"] == kind)
    row["accuracy_lead"], row["f1_lead"] = accuracy, f1
    report["leaderboard"] = [rows[0], row]
    return Page(render_html(report)).text_of("leaderboard")


AHEAD: Interval = {"estimate": 0.0021, "low": 0.0010, "high": 0.0032}
LEVEL: Interval = {"estimate": 0.0004, "low": -0.0007, "high": 0.0015}
BEHIND: Interval = {"estimate": -0.0020, "low": -0.0031, "high": -0.0009}


@pytest.mark.parametrize(
    ("kind", "accuracy", "f1", "words"),
    [
        (
            "simpler",
            AHEAD,
            AHEAD,
            "▲ Ahead The winner is ahead of the simplest model by +0.0021 [+0.0010, +0.0032] in "
            "accuracy and +0.0021 [+0.0010, +0.0032] in macro-F1: the simpler model would lose "
            "this much.",
        ),
        (
            "simpler",
            LEVEL,
            LEVEL,
            "≈ No significant difference The winner’s lead over the simplest model is +0.0004 "
            "[−0.0007, +0.0015] in accuracy and +0.0004 [−0.0007, +0.0015] in macro-F1: both "
            "intervals contain 0: no significant difference.",
        ),
        ("simpler", BEHIND, BEHIND, "in macro-F1: the simpler model is better. Prefer it."),
        (
            "simpler",
            AHEAD,
            LEVEL,
            "the winner is ahead in accuracy; there is no significant difference in macro-F1.",
        ),
        ("simpler", None, AHEAD, "accuracy was not measured; the winner is ahead in macro-F1."),
        ("simpler", None, None, "lead over the simplest model was not measured."),
        ("ablation", AHEAD, AHEAD, "in macro-F1: group basket improves the model."),
        ("ablation", LEVEL, LEVEL, "do not show that group basket improves the model."),
        ("ablation", BEHIND, BEHIND, "in macro-F1: the model is better without group basket."),
    ],
)
def test_leads_are_said_in_words(
    kind: str, accuracy: Interval | None, f1: Interval | None, words: str
) -> None:
    assert words in tidy(with_leads(kind, accuracy, f1))


def test_leaderboard_says_what_its_rows_are() -> None:
    text = Page(render_html(example_report())).text_of("leaderboard")
    for words in (
        "random_forest Winner basket + product",
        "random_forest without basket: product only",
        "random_forest without product: basket only",
        "logistic index-only logistic regression, the simplest model",
        "majority class baseline: always predicts the majority class",
    ):
        assert text.count(words) == 2
    assert text.count("≈ no significant difference") == 3


def test_without_references_nothing_is_claimed_about_them() -> None:
    report = example_report()
    report["leaderboard"] = [r for r in report["leaderboard"] if r["kind"] == "candidate"]
    text = Page(render_html(report)).text_of("leaderboard")
    assert "worth" not in text
    assert "Feature group" not in text


def test_bars_of_a_column_share_one_scale_and_point_at_what_lies_beyond() -> None:
    report = example_report()
    page = Page(render_html(report))
    rows = report["leaderboard"]
    spans = page.of_class("span", "leaderboard")
    # Accuracy, F1 and two leads a row; the winner has no leads.
    assert len(spans) == 4 * len(rows) - 2
    # Without the product group, and the majority class.
    assert len(page.of_class("beyond", "leaderboard")) == 2 * 4


def test_a_lead_is_never_rounded_to_none() -> None:
    tiny: Interval = {"estimate": 0.00003, "low": 0.00001, "high": 0.00004}
    assert "+0.00003 [+0.00001, +0.00004]" in tidy(with_leads("simpler", tiny, tiny))


def test_optional_groups_that_were_tried_are_listed() -> None:
    report = example_report()
    assert "Optional feature groups" not in Page(render_html(report)).text_of("leaderboard")
    report["data"]["groups_tried"] = [
        {"group": "price", "gain": 0.21, "error": 0.01, "chosen": True},
        {"group": "season", "gain": -0.001, "error": 0.004, "chosen": False},
        {"group": "weighted", "gain": 0.0, "error": 0.004, "chosen": False},
        {"group": "posterior", "gain": 0.001, "error": 0.004, "chosen": False},
    ]
    text = Page(render_html(report)).text_of("leaderboard")
    assert "price (+0.210 ± 0.010) is added; season (−0.001 ± 0.004) is left out" in text
    assert "posterior (+0.001 ± 0.004) is left out: it does not clearly help." in text

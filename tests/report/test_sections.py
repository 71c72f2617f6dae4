"""The report's sections: every number is the document's, and none of them is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from basketwise.report import numbers
from basketwise.report.html import render_html
from basketwise.report.types.document import Report
from basketwise.report.types.drivers import Importance
from tests.report.example import MARGIN, example_report
from tests.report.page import Page, tidy

NUMBER = re.compile(rf"(?<![\w.])[+−-]?\d(?:[\d,.{numbers.GAP}]*\d)?(?![\w])")
FORMS: tuple[Callable[[float], str], ...] = (
    numbers.score,
    lambda value: numbers.score(value, "+"),
    lambda value: numbers.score(value, digits=2),
    numbers.count,
    lambda value: numbers.percent(value).rstrip("%"),
    lambda value: numbers.duration(abs(value)).split(numbers.GAP)[0],
)

FIXED: dict[str, set[str]] = {
    "verdict": {"1"},  # how many warnings
    "champion": {"0"},
    "leaderboard": {"0", "4"},
    "calibration": {"0.9", "0", "2", "0.40", "0.60", "0.80", "1.00"},  # prose, and the axes
    "splits": set(),
    # The first and the last week that is judged, and the axis.
    "learning": {"200737", "200741", "0.70", "0.75", "0.80", "0.85", "0.90"},
    "slices": {"0", "1", "5", "8", "6", "2"},  # how many parts a table has
}
"""Numbers that are no figures of the document."""


def leaves(value: Any) -> Iterator[Any]:
    """Yield every number and text of a part of the document."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield value


def shown_forms(part: Any) -> set[str]:
    """Every way in which the numbers of a part may be written."""
    forms = set()
    for leaf in leaves(part):
        forms |= set(NUMBER.findall(leaf)) if isinstance(leaf, str) else {f(leaf) for f in FORMS}
    return forms


def parts_of(report: Report) -> dict[str, Any]:
    winner, confidence = report["winner"], report["winner"]["confidence"]
    return {
        "verdict": report["verdict"],
        "champion": [report["champion"], confidence, MARGIN, -MARGIN],
        "leaderboard": [report["leaderboard"], confidence],
        "calibration": report["calibration"],
        "splits": [report["splits"], confidence],
        "learning": {**report["learning_curve"], "judged_weeks": []},
        "slices": [report["slices"], confidence],
        "winner": winner,
    }


@pytest.mark.parametrize("section", FIXED)
def test_every_number_shown_comes_from_the_document(section: str) -> None:
    report = example_report()
    text = Page(render_html(report)).text_of(section)
    numbers = NUMBER.findall(text)
    assert len(numbers) > 10
    allowed = shown_forms(parts_of(report)[section]) | FIXED[section]
    assert [number for number in numbers if number not in allowed] == []


@pytest.mark.parametrize("section", [*FIXED, "winner"])
def test_every_number_of_the_document_is_shown(section: str) -> None:
    report = example_report()
    text = Page(render_html(report)).text_of(section)
    numbers = set(NUMBER.findall(text))
    part = parts_of(report)[section]
    if section == "splits":
        # What is not possible has no numbers.
        part = [row for row in report["splits"] if row["accuracy"] is not None]
    missing = [
        leaf
        for leaf in leaves(part)
        if not (leaf[:600] in text if isinstance(leaf, str) else numbers & {f(leaf) for f in FORMS})
    ]
    told_in_words = {
        *("candidate", "ablation", "simpler", "baseline", "Approved", "temperature"),
        *("store_format", "shop_week", "basket_size", "customers"),
        report["verdict"]["description"],
    }
    assert [leaf for leaf in missing if leaf not in told_in_words] == []


def test_the_rule_says_whether_it_was_recognised() -> None:
    report = example_report()
    rule, products = report["rule"], report["face_validity"]
    assert rule is not None
    assert products is not None
    text = Page(render_html(report)).text_of("rule")
    assert rule["text"] in text
    assert "Recognised." not in text
    assert all(note in text for note in rule["notes"])
    assert products["text"] in text

    rule["recognised"] = True
    assert f" Recognised. {rule['text']}" in Page(render_html(report)).text_of("rule")
    report["rule"] = report["face_validity"] = None
    text = Page(render_html(report)).text_of("rule")
    assert "No feature tells the labels" in text
    assert "make sense" not in text


def test_a_curve_of_one_judged_week_or_of_no_points() -> None:
    report = example_report()
    curve = report["learning_curve"]
    page = Page(render_html(report))
    assert len(page.attributes("circle", "learning")) == len(curve["points"])
    (label,) = (a["aria-label"] for a in page.attributes("svg", "learning"))
    assert label is not None
    assert "15 weeks: 0.8312" in label
    curve["judged_weeks"] = [200741]
    assert "training week 200741" in Page(render_html(report)).text_of("learning")
    curve["points"], curve["text"] = [], "Not measured: there are fewer than 4 training weeks."
    page = Page(render_html(report))
    assert curve["text"] in page.text_of("learning")
    assert page.attributes("table", "learning") == []


def test_reports_of_earlier_versions_have_neither() -> None:
    report = example_report()
    del report["rule"], report["face_validity"], report["learning_curve"]
    page = Page(render_html(report))
    assert not {"rule", "learning"} & {attrs["id"] for attrs in page.attributes("section")}


def test_calibration_says_what_it_did() -> None:
    report = example_report()
    text = Page(render_html(report)).text_of("calibration")
    assert report["calibration"]["description"] in text
    assert text.count("▼ better") == 3
    assert "made the probabilities more reliable" in text
    assert "nine in ten should be correct" in text

    calibration = report["calibration"]
    calibration["raw"], calibration["shipped"] = calibration["shipped"], calibration["raw"]
    text = Page(render_html(report)).text_of("calibration")
    assert text.count("▲ worse") == 3
    assert "made the probabilities less reliable" in text

    calibration["raw"]["brier"], calibration["shipped"]["brier"] = 0.2, 0.1
    text = Page(render_html(report)).text_of("calibration")
    assert "improved some measures and worsened others" in text


def test_without_calibration_there_is_one_curve_and_no_change() -> None:
    report = example_report()
    report["calibration"]["raw"] = report["calibration"]["shipped"]
    page = Page(render_html(report))
    text = page.text_of("calibration")
    assert page.of_class("raw", "calibration") == page.of_class("raw-bar", "calibration") == []
    assert len(page.of_class("shipped-bar", "calibration")) == 10
    assert "Change" not in text
    assert "before calibration" not in text


def test_curves_are_drawn_where_the_bins_are() -> None:
    report = example_report()
    page = Page(render_html(report))
    drawn = [
        (float(a["cx"] or ""), float(a["cy"] or ""))
        for a in page.attributes("circle", "calibration")
        if a["cx"] != "13"  # the legend's
    ]
    # The axes go from 0.3 to 1: 304 units from the corner at (46, 312).
    expected = [
        (46 + 304 * (row["confidence"] - 0.3) / 0.7, 312 - 304 * (row["accuracy"] - 0.3) / 0.7)
        for measured in (report["calibration"]["raw"], report["calibration"]["shipped"])
        for row in measured["bins"]
        if row["confidence"] is not None and row["accuracy"] is not None
    ]
    assert drawn == [pytest.approx(point, abs=0.01) for point in expected]


def test_bins_without_any_basket_draw_nothing() -> None:
    report = example_report()
    for measured in (report["calibration"]["raw"], report["calibration"]["shipped"]):
        for row in measured["bins"]:
            row["baskets"], row["confidence"], row["accuracy"] = 0, None, None
    page = Page(render_html(report))
    assert [a for a in page.attributes("circle", "calibration") if a["cx"] != "13"] == []
    assert "at most 0 in a bin" in page.text_of("calibration")


def test_a_split_that_is_not_possible_says_why() -> None:
    report = example_report()
    text = Page(render_html(report)).text_of("splits")
    assert f"Not possible: {report['splits'][2]['reason']}" in text
    assert "time Chosen tests on the latest weeks" in text
    assert "--all-splits" not in text


def test_a_single_split_comes_with_the_command_for_the_others() -> None:
    report = example_report()
    del report["splits"][1:]
    text = Page(render_html(report)).text_of("splits")
    assert "Only the chosen split ( time ) was measured." in text
    assert text.endswith(
        "basketwise evaluate --all-splits --run 20240506-123001-3f9c2a "
        "--workspace price-sensitivity --config basketwise.toml"
    )


def test_worse_slices_are_marked_by_word_and_sign() -> None:
    report = example_report()
    page = Page(render_html(report))
    text = page.text_of("slices")
    assert "▼ 1 slice is significantly worse than the whole." in text
    assert text.count("XLS ▼ significantly worse") == text.count("▼ significantly worse") == 1
    assert "Store format 5 slices, ▼ 1 worse" in tidy(text)
    assert "Week 8 slices, none worse" in text
    assert [a["class"] for a in page.attributes("tr", "slices") if "class" in a] == ["worse"]

    report["slices"][0]["rows"][3]["significantly_worse"] = False
    text = Page(render_html(report)).text_of("slices")
    assert "No slice is significantly worse than the whole." in text
    assert "▼" not in text


def test_long_tables_of_slices_are_closed_unless_something_is_weak() -> None:
    report = example_report()
    weeks = report["slices"][1]
    weeks["rows"] = weeks["rows"] * 3
    weeks["more"] = 7

    def opened() -> list[bool]:
        return ["open" in a for a in Page(render_html(report)).attributes("details", "slices")]

    assert opened() == [True, False, True, True]
    weeks["rows"][20]["significantly_worse"] = True
    assert opened() == [True, True, True, True]
    text = Page(render_html(report)).text_of("slices")
    assert "Week 31 slices" in text
    assert "and 7 more slices, each smaller than these" in text


def test_a_handful_of_baskets_does_not_set_the_scale() -> None:
    page = Page(render_html(example_report()))
    widths = [float((a["width"] or "").rstrip("%")) for a in page.of_class("band", "slices")]
    # Of the sizes, the last part has 8 baskets: its bar is cut off at both ends.
    sizes = widths[13:19]
    assert sizes[-1] == 100
    assert min(sizes) > 10


def test_without_slices_that_is_stated() -> None:
    report = example_report()
    report["slices"] = []
    assert "has no column to slice by" in Page(render_html(report)).text_of("slices")


def test_reproduce_names_the_command_and_what_must_be_equal() -> None:
    report = example_report()
    text = Page(render_html(report)).text_of("reproduce")
    lineage = report["lineage"]
    assert f"basketwise reproduce {report['run']['run_id']} " in text
    for value in (lineage["data_hash"], lineage["code_hash"], *lineage["host"].values()):
        assert str(value) in text
    for name, version in lineage["versions"].items():
        assert f"{name} {version}" in text
    assert f"Seed {lineage['seed']} Host Python" in text
    assert "10 settings" in text


def test_reproduces_command_is_safe_to_paste() -> None:
    report = example_report()
    report["run"]["run_id"] = "x; rm -rf ~"
    assert "basketwise reproduce 'x; rm -rf ~'" in Page(render_html(report)).text_of("reproduce")


def test_features_without_a_measurable_effect_share_one_line() -> None:
    report = example_report()
    unsteady: Importance = {"feature": "unsteady", "group": "basket", "drop": 0.2, "std": 0.11}
    report["drivers"]["importance"].insert(0, unsteady)
    text = Page(render_html(report)).text_of("drivers")
    assert "No measurable effect: unsteady, shop_hour, shop_weekday ." in tidy(text)
    assert "0.2000" not in text


def test_informative_products_are_drawn_with_names_beside_codes() -> None:
    report = example_report()
    for products in report["drivers"]["products"].values():
        products[0]["prod_name"] = "Milk 1 l"
    page = Page(render_html(report))
    assert page.text_of("drivers").count("Milk 1 l") == 3
    for number, (name, products) in enumerate(report["drivers"]["products"].items(), start=1):
        bars = [bar for bar in page.of_class(f"class-{number}", "drivers") if bar["width"] != "10"]
        assert len(bars) == min(len(products), 12), name
        widths = [float(str(bar["width"]).rstrip("%")) for bar in bars]
        assert widths[0] == 100
        assert widths == sorted(widths, reverse=True)

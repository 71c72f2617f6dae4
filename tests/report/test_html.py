"""The report as HTML: complete, in order, escaped, small, and without anything to load."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from typing import Any

import pytest

from basketwise.report.html import render_html
from basketwise.report.numbers import GAP, duration, size
from tests.report.example import ACCURACY, CLASSES, example_report, impact_of
from tests.report.page import Page

HOSTILE = "<script>alert(1)</script>\"'&\x00\ud800\u202e{{ 7 * 7 }}"


def spread(value: Any, text: str) -> Any:
    """Put a text into every string of the document, except where a few words are allowed."""
    if isinstance(value, dict):
        return {
            key: old if key in {"kind", "state"} else spread(old, text)
            for key, old in value.items()
        }
    if isinstance(value, list):
        return [spread(item, text) for item in value]
    return text if isinstance(value, str) else value


def test_sections_come_in_the_order_of_a_readers_questions() -> None:
    page = Page(render_html(example_report()))
    sections = [attrs["id"] for attrs in page.attributes("section")]
    assert sections == [
        "verdict",
        "champion",
        "leaderboard",
        "winner",
        "rule",
        "calibration",
        "splits",
        "learning",
        "drivers",
        "slices",
        "impact",
        "data",
        "reproduce",
    ]
    linked = [attrs["href"] for attrs in page.attributes("a")]
    assert [href for href in linked if href in {f"#{name}" for name in sections}][:13] == [
        f"#{name}" for name in sections
    ]


def test_without_a_champion_nothing_speaks_of_one() -> None:
    report = example_report(champion=False)
    del report["verdict"]["reasons"][2]
    page = Page(render_html(report))
    assert "champion" not in {attrs["id"] for attrs in page.attributes("section")}
    assert "champion" not in page.text.lower()


@pytest.mark.parametrize(
    ("approved", "words", "other"),
    [(True, "Approved", "Not passed"), (False, "Pending manual approval", "Approved")],
)
def test_verdict_is_stated(approved: bool, words: str, other: str) -> None:
    report = example_report(approved=approved)
    text = Page(render_html(report)).text
    assert words in text
    assert other not in text
    for reason in report["verdict"]["reasons"]:
        assert reason["text"] in text
    assert text.index(words) < text.index(report["verdict"]["reasons"][0]["text"])
    assert text.count("Not passed") == (0 if approved else 1)


def test_matrix_says_its_order_and_holds_counts_and_row_shares() -> None:
    page = Page(render_html(example_report()))
    assert "Predicted class (Low, Medium, High)" in page.text
    assert "True class (Low, Medium, High)" in page.text
    cells = [a["class"] for a in page.attributes("td") if "heat-" in (a.get("class") or "")]
    assert [cell.split()[0] for cell in cells if cell] == [
        "hit" if row == column else "miss" for row in range(3) for column in range(3)
    ]
    assert f"4{GAP}620 86.9%" in page.text


@pytest.mark.parametrize(
    ("number", "words"), [(0, ["0 (0%)."]), (17, ["17 (1.7%).", "certainty is Unclassified"])]
)
def test_baskets_that_say_nothing_are_counted(number: int, words: list[str]) -> None:
    report = example_report()
    report["certainty"] = {"unclassified": number, "share": number / 1000}
    text = Page(render_html(report)).text_of("winner")
    assert all(word in text for word in words)
    assert ("little more than a guess" in text) == bool(number)


def test_a_class_without_baskets_has_no_shares() -> None:
    report = example_report()
    report["winner"]["confusion_matrix"][0] = [0, 0, 0]
    assert render_html(report).count('title="not measured"') == (
        render_html(example_report()).count('title="not measured"') + 3
    )


def test_money_is_whole_and_stands_beside_its_assumptions() -> None:
    html = render_html(example_report())
    total = round(30_000 * (ACCURACY * 10 + 2))
    written = f"USD{GAP}{total:,}".replace(",", GAP)
    table = html[html.index('<table class="compare">') :]
    assert written in table
    assert "95% interval" in table
    assert "Majority-class baseline" in table
    rows = html[html.index('<table class="impact">') :].split("<tr")[2:7]
    revenue, saving = "revenue per accurate prediction", "cost saving per prediction"
    rests_on = [
        [name for name in ("predictions per day", revenue, saving, "test accuracy") if name in row]
        for row in rows
    ]
    assert rests_on == [
        ["predictions per day"],
        ["predictions per day", "test accuracy"],
        ["predictions per day", revenue, "test accuracy"],
        ["predictions per day", saving],
        ["predictions per day", revenue, saving, "test accuracy"],
    ]
    assert written in rows[-1]


def test_no_money_is_shown_away_from_its_assumptions() -> None:
    html = render_html(example_report())
    before, after = html.index('id="impact"'), html.index('id="data"')
    assert "USD" not in html[:before]
    # After it, the settings name the currency, and no amount.
    assert f"USD{GAP}" not in html[after:]


def test_a_cost_matrix_stands_beside_the_money_that_rests_on_it() -> None:
    report = example_report()
    impact_of(report)["assumptions"][2] = {
        "name": "cost_matrix",
        "value": [[1, 0, -2], [0, 1, 0], [-2, 0, 1]],
        "unit": "USD",
    }
    text = Page(render_html(report)).text
    # With the comparison, the revenue and the total.
    assert text.count("[[1, 0, -2], [0, 1, 0], [-2, 0, 1]]") == 3


def test_missing_values_are_said_to_be_missing() -> None:
    report = example_report()
    for key in ("test_precision", "cv_f1_mean", "fit_seconds"):
        report["leaderboard"][0][key] = None
    report["leaderboard"][1]["test_f1"] = math.nan
    report["winner"]["accuracy"]["low"] = math.nan
    report["lineage"]["git_commit"] = None
    before = render_html(example_report()).count('<abbr class="na" title="not measured">–</abbr>')
    html = render_html(report)
    Page(html)
    # The lower end is shown twice: in the tiles and with the figure.
    assert html.count('<abbr class="na" title="not measured">–</abbr>') == before + 7
    assert "nan" not in html.lower().replace("finance", "")
    assert "None" not in html


def test_nothing_loads_and_nothing_runs() -> None:
    html = render_html(example_report())
    page = Page(html)
    (policy,) = [
        a["content"] or ""
        for a in page.attributes("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    ]
    style = html[html.index("<style>") + 7 : html.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "url(" not in style
    assert "@import" not in style
    assert "script" not in {tag for tag, _ in page.elements}
    for tag, attrs in page.elements:
        assert not {key for key in attrs if key.startswith("on") or key in {"style", "src"}}, tag
        assert (attrs.get("href") or "#").startswith(("#", "data:,"))


def test_page_can_be_read_without_seeing_it() -> None:
    page = Page(render_html(example_report()))
    tags = Counter(tag for tag, _ in page.elements)
    assert tags["main"] == tags["nav"] == tags["header"] == tags["footer"] == tags["h1"] == 1
    assert all(attrs.get("scope") for attrs in page.attributes("th"))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {attrs["href"] for attrs in page.attributes("a")}
    assert {f"#{name}" for name in ids} >= links >= {"#report", "#verdict"}
    for _, attrs in page.elements:
        assert attrs.get("aria-labelledby") in {None, *ids}
    for attrs in page.attributes("svg"):
        if attrs.get("role") == "img":
            assert len(attrs["aria-label"] or "") > 30
    assert page.elements[0] == ("html", {"lang": "en"})


def test_data_never_becomes_markup() -> None:
    plain = Page(render_html(example_report()))
    report = spread(example_report(), HOSTILE)
    report["verdict"]["reasons"][0]["rule"] = report["leaderboard"][0]["model"] = HOSTILE
    html = render_html(report)
    page = Page(html)
    assert "<script" not in html
    assert "script" not in {tag for tag, _ in page.elements}
    assert "49" not in html[html.index("</style>") : html.index("Leaderboard</h2>")]
    assert "<script>alert(1)</script>" in page.text
    assert not set("\x00\ud800\u202e") & set(html)
    html.encode("utf-8")
    allowed = {name for _, attrs in plain.elements for name in attrs}
    assert {name for _, attrs in page.elements for name in attrs} <= allowed


def test_product_code_is_escaped() -> None:
    report = example_report()
    report["drivers"]["products"]["High"][0]["prod_code"] = "<img src=x onerror=alert(1)>"
    html = render_html(report)
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_product_name_is_escaped_and_cut_beside_its_code() -> None:
    report = example_report()
    first, second, *others = report["drivers"]["products"]["High"]
    first["prod_name"] = "<img src=x>" + "n" * 40
    second["prod_name"] = None
    html = render_html(report)
    assert "<img" not in html
    assert f"&lt;img src=x&gt;{'n' * 28}…</small>" in html
    assert html.index(first["prod_code"]) < html.index("&lt;img") < html.index(second["prod_code"])
    assert html.count('<small class="name">') == 1
    assert others


def test_money_is_left_out_where_nobody_stated_the_assumptions() -> None:
    report = example_report()
    impact_of(report)["default_assumptions"] = True
    text = Page(render_html(report)).text_of("impact")
    assert text.startswith("Business impact No figures: they rest on your own assumptions.")
    assert "USD" not in text


def test_no_heading_and_no_footer_stands_alone_on_paper() -> None:
    html = render_html(example_report())
    printed = html[html.index("@media print") :]
    assert re.search(r"h2, h3, h4, summary, \.lead \{ break-after: avoid; \}", printed)
    assert re.search(r"\.lead, [^{]*\{ break-inside: avoid; \}", printed)
    assert re.search(r"footer \{ break-before: avoid; \}", printed)


def test_a_refused_model_earns_nothing() -> None:
    text = Page(render_html(example_report(approved=False))).text_of("impact")
    assert text == "Business impact No figures: the model was not approved, so it earns nothing."


def test_assumptions_as_delivered_are_marked_as_examples() -> None:
    report = example_report()
    days = next(a for a in impact_of(report)["assumptions"] if a["name"] == "days_per_month")
    days["value"] = 31
    text = Page(render_html(report)).text_of("impact")
    assert "predictions per day 1\u202f000 baskets (example)" in text
    assert "days per month 31 days (example)" not in text
    assert "days per month 31 days" in text


def test_amounts_carry_the_datas_currency_or_none() -> None:
    report = example_report()
    text = Page(render_html(report)).text_of("data")
    assert f"quantile, {11.37}" in text
    report["lineage"]["config"]["data"] = {"currency": "EUR"}
    assert f"quantile, EUR{GAP}11.37" in render_html(report)
    impact_of(report)["currency"] = ""
    html = render_html(report)
    total = f"{impact_of(report)['total_monthly_value']:,.0f}".replace(",", GAP)
    assert f"<strong>{total}</strong>" in html


def test_page_stays_small_whatever_the_data() -> None:
    report = example_report(files=5_000)
    report["leaderboard"] *= 40
    report["verdict"]["reasons"] *= 100
    report["drivers"]["importance"] *= 500
    for products in report["drivers"]["products"].values():
        products *= 300
    impact_of(report)["assumptions"] *= 100
    report["verdict"]["warnings"] *= 300
    report["splits"] *= 40
    for measured in (report["calibration"]["raw"], report["calibration"]["shipped"]):
        measured["bins"] *= 40
    for table in report["slices"]:
        table["rows"] = (table["rows"] * 60)[:60]
        table["more"] = 1_940
    report["slices"] = (report["slices"] * 3)[:10]
    wild = spread(report, '"' * 50_000)
    wild["data"]["rejected_by_reason"] = {f"{i:05d}" + '"' * 9_000: i for i in range(2_000)}
    wild["lineage"]["versions"] = {f"{i:05d}" + '"' * 900: '"' * 900 for i in range(500)}
    wild["lineage"]["config"] = {f"{i:05d}" + '"' * 900: ['"' * 900] for i in range(900)}
    wild["winner"]["classes"] = list(CLASSES)
    html = render_html(wild)
    assert len(html.encode()) < 2_000_000
    text = Page(html).text
    for more in (
        f"and 4{GAP}900 more files",
        f"and 1{GAP}980 more reasons",
        "and 440 more libraries",
        "and 650 more settings",
        f"and 2{GAP}988 more products",
        f"and 2{GAP}980 more features",
        "and 280 more models",
        "and 480 more rules",
        "and 280 more warnings",
        "and 108 more comparisons",
        "and 108 more splits",
        "and 400 more bins",
        f"and 1{GAP}940 more slices",
        "and 2 more tables",
    ):
        assert more in text


def test_files_left_out_by_the_writer_are_counted() -> None:
    report = example_report(files=3)
    report["data"]["files_total"] = 5
    assert "and 2 more files" in Page(render_html(report)).text


def test_what_alone_is_left_out_is_counted_in_the_singular() -> None:
    report = example_report(files=3)
    report["data"]["files_total"] = 4
    report["slices"][0]["more"] = 1
    report["lineage"]["versions"] = {f"library-{number}": "1" for number in range(61)}
    text = Page(render_html(report)).text
    for more in ("and 1 more file ", "and 1 more slice, smaller than these ", "more library "):
        assert more in text


def test_largest_reasons_of_rejection_come_first() -> None:
    report = example_report()
    report["data"]["rejected_by_reason"] = {"rare": 1, "common": 500}
    text = Page(render_html(report)).text
    assert text.index("common 500") < text.index("rare 1")


def test_same_document_same_page() -> None:
    assert render_html(example_report()) == render_html(example_report())


def test_empty_parts_are_said_to_be_empty() -> None:
    report = example_report()
    report["drivers"]["importance"] = []
    report["drivers"]["products"] = {"Low": [], "Medium": []}
    report["data"]["rejected_by_reason"] = {}
    report["data"]["baskets"] = {"Low": 0, "Medium": 0, "High": 0, "Unclassified": 0}
    text = Page(render_html(report)).text
    assert "Importance was not measured." in text
    assert text.count("No product stands out.") == 3


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.004, "0.00_s"),
        (9.8, "9.80_s"),
        (59.97, "1_min 0_s"),
        (252.4, "4_min 12_s"),
        (7_325, "2_h 2_min"),
    ],
)
def test_durations(seconds: float, written: str) -> None:
    assert duration(seconds) == written.replace("_", GAP)


@pytest.mark.parametrize(
    ("number", "written"),
    [(999, "999_B"), (1000, "1_kB"), (6_204_118, "6.2_MB"), (999_600, "1_MB"), (5e12, "5_TB")],
)
def test_sizes(number: float, written: str) -> None:
    assert size(number) == written.replace("_", GAP)


def test_a_verdict_that_cannot_tell_says_so_and_what_it_takes() -> None:
    report = example_report(approved=False)
    report["verdict"]["outcome"] = "undecided"
    text = Page(render_html(report)).text
    assert "Can’t tell: pending manual approval" in text
    assert "needs about 8,600 test baskets" in text


def test_the_best_version_of_the_memory_is_drawn_beside_the_champion() -> None:
    report = example_report()
    assert report["champion"] is not None
    assert "best version approved before" not in Page(render_html(report)).text
    report["best"] = {**report["champion"], "version": "2"}
    text = Page(render_html(report)).text
    assert "Against the best version approved before" in text
    assert "Challenger minus version 2" in " ".join(text.split())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "evaluated on for the first time in this workspace"),
        (7, "7 times in this workspace: the best of 7 equal models would seem better by 0.0021"),
    ],
)
def test_looks_at_the_test_baskets_are_told(number: int, words: str) -> None:
    report = example_report()
    report["looks"] = {"block": "b" * 64, "number": number, "optimism": 0.0021}
    assert words in " ".join(Page(render_html(report)).text.split())

"""The profile as a page: complete, escaped, small, and without anything to load."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.doctor.baskets import Baskets, Gap, Week
from basketwise.doctor.page import render_profile
from basketwise.doctor.profile import FileProfile, Profile, SkippedFile, profile
from basketwise.etl.raw.discovery import list_files
from basketwise.progress import silent
from tests.cli.till import changed, delivered, delivery, without
from tests.raw_lines import LABEL, Line
from tests.report.page import Page
from tests.report.test_browser import CHROMIUM, PHONE, visit

HOSTILE = "<script>alert(1)</script>\"'&\x00\u202e{{ 7 * 7 }}"


def profiled(tmp_path: Path, lines: list[Line]) -> Profile:
    raw = delivered(tmp_path / "raw", lines)
    made = profile(list_files(str(raw)), Config(), silent)
    assert made is not None
    return made


def accepted(made: Profile) -> Baskets:
    assert made.baskets is not None
    return made.baskets


def hostile(made: Profile, text: str) -> Profile:
    """Put a text wherever the data can bring one in."""
    column = replace(made.columns[2], own=(text, text), stored=(text,), examples=(text,) * 3)
    return replace(
        made,
        columns=(column, *made.columns),
        ignored=(text,) * 500,
        files=(FileProfile(text, 10, 20),) * 500,
        skipped=(SkippedFile(text, text, text),) * 500,
        warnings=(text,) * 500,
        currency=text,
    )


def test_the_page_answers_in_order(tmp_path: Path) -> None:
    lines = changed(delivery(), range(3), SPEND="free")
    lines = [one | {"Promo": "x"} for one in lines if one["SHOP_WEEK"] != "200608"]

    page = Page(render_profile(profiled(tmp_path, lines), "raw"))

    sections = [attrs["id"] for attrs in page.attributes("section")]
    assert sections == ["records", "columns", "weeks", "baskets", "files"]
    assert [a["href"] for a in page.attributes("a")] == [
        "#profile",
        *(f"#{name}" for name in sections),
    ]
    assert "spend_not_a_number 2" in page.text_of("records")
    assert "SPEND number 0% 0" in page.text_of("columns")
    assert "Promo" in page.text_of("columns")
    assert "200608" in page.text_of("weeks")
    assert len(page.of_class("gap", "weeks")) == 1
    assert "Low 42" in page.text_of("baskets")
    assert "till.csv" in page.text_of("files")


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    made = hostile(profiled(tmp_path, delivery()), HOSTILE)

    text = render_profile(made, HOSTILE)

    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "form"}
    assert not any("style" in attrs or "onclick" in attrs for _, attrs in page.elements)
    assert "http://" not in text
    assert "https://" not in text
    assert "{{ 7 * 7 }}" in page.text
    assert "\x00" not in text
    assert "\u202e" not in text


def test_any_data_gives_a_small_page(tmp_path: Path) -> None:
    made = hostile(profiled(tmp_path, delivery()), "<&>" * 700)
    weeks = tuple(Week(year * 100 + 1, 5, 2) for year in range(1900, 2999))
    gaps = tuple(Gap(week.week + 1, week.week + 51, 51) for week in weeks)
    made = replace(made, baskets=replace(accepted(made), weeks=weeks, gaps=gaps))

    text = render_profile(made, "raw" * 500)

    assert len(text.encode()) < 2_000_000
    assert "and 1\u202f059 more gaps" in Page(text).text_of("weeks")


def test_without_labels_or_weeks_the_page_says_so(tmp_path: Path) -> None:
    made = profiled(tmp_path, without(without(delivery(), LABEL), "SHOP_WEEK"))
    made = replace(made, baskets=replace(accepted(made), weeks=(), gaps=()))

    page = Page(render_profile(made, "raw"))

    assert "training is not possible" in page.text_of("records")
    assert "no column of weeks" in page.text_of("weeks")
    assert "Low" not in page.text_of("baskets")


def test_without_an_accepted_line_the_page_says_so(tmp_path: Path) -> None:
    page = Page(render_profile(profiled(tmp_path, changed(delivery(), range(360), SPEND="x")), "r"))

    assert "spend_not_a_number 360" in page.text_of("records")
    assert "SPEND" in page.text_of("columns")
    assert page.text_of("weeks") == "Weeks No line was accepted."
    assert page.text_of("baskets") == "Baskets No line was accepted."


def test_the_page_has_the_product_file(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    items = tmp_path / "items.csv"
    items.write_text(f"PROD_CODE,PROD_NAME\n{delivery()[0]['PROD_CODE']},Milk\nX,Bread\nX,Bread\n")
    config = Config.model_validate({"data": {"products": str(items)}})
    made = profile(list_files(str(raw)), config, silent)
    assert made is not None

    text = Page(render_profile(made, "raw")).text_of("baskets")

    assert "Rows 3 of 2 products; 1 repeat another" in text
    assert "Products sold that it names 1 of 15; 14 are not listed PROD_NAME 2" in text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_it_without_a_request_or_a_complaint(tmp_path: Path) -> None:
    path = tmp_path / "profile.html"
    path.write_text(render_profile(profiled(tmp_path, delivery()), "raw"), "utf-8")

    seen = visit(path, "--dump-dom")

    assert "Profile of the data" in seen.dom
    assert (seen.complaints, seen.requests) == ([], [])


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("text", ["", "x" * 500])
def test_it_fits_a_phone(tmp_path: Path, text: str) -> None:
    made = profiled(tmp_path, delivery())
    made = hostile(made, text) if text else made
    page = html.escape(render_profile(made, text or "raw"))
    path = tmp_path / "phone.html"
    path.write_text(PHONE.format(page=page, height=800), "utf-8")

    title = re.search("<title>([^<]+)</title>", visit(path, "--dump-dom").dom)

    assert title is not None
    assert title[1] == "360 of 360"

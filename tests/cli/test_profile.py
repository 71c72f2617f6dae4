"""``doctor --data``: the profile for people and for programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.calling import call, called, clean_environment, command, contents
from tests.cli.till import changed, delivered, delivery, without
from tests.raw_lines import LABEL


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    lines = changed(delivery(), range(3), SPEND="free")
    return delivered(tmp_path / "raw", [line | {"Promo": "x"} for line in lines])


def test_the_profile_follows_the_checks(raw: Path, tmp_path: Path) -> None:
    outcome = called("doctor", raw, "--workspace", tmp_path / "w", "--set", "data.currency=EUR")

    text = " ".join(outcome.out.split())
    assert text.index("registry") < text.index("Records 360 in 1 file = 357 accepted + 3 rejected")
    assert "3 spend_not_a_number" in text
    assert "Weeks 3: 200607 to 200609, no gaps" in text
    assert "Classes Low 60 (33.5%), Medium 60 (33.5%), High 59 (33%)" in text
    assert "SPEND: number none missing; " in text
    assert "1 to 3.25 (EUR)" in text
    assert "Ignored Promo" in text
    assert max(map(len, outcome.out[outcome.out.index("Records") :].splitlines())) <= 78
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_json_has_the_whole_profile(raw: Path, tmp_path: Path) -> None:
    document = called("doctor", raw, "--workspace", tmp_path / "w", "--json").json

    profile = document["profile"]
    assert document["ready"] is True
    assert profile["records"] == 360 == profile["accepted"] + sum(profile["rejected"].values())
    spend = next(column for column in profile["columns"] if column["name"] == "SPEND")
    assert (spend["minimum"], spend["maximum"], spend["missing"]) == (1, 3.25, 0)
    assert [week["week"] for week in profile["baskets"]["weeks"]] == [200607, 200608, 200609]
    assert profile["baskets"]["classes"]["Low"] == 60
    assert all("profile" not in check for check in document["checks"])


def test_the_page_is_written_whole_or_not_at_all(raw: Path, tmp_path: Path) -> None:
    page = tmp_path / "profile.html"
    page.write_text("old")
    spoiled = call("doctor", tmp_path / "none", "--workspace", tmp_path / "w", "--html", page)
    left = page.read_text()
    outcome = called("doctor", raw, "--workspace", tmp_path / "w", "--html", page)
    nowhere = tmp_path / "no" / "folder.html"
    failed = call("doctor", raw, "--workspace", tmp_path / "w", "--html", nowhere)

    assert (spoiled.code, left) == (2, "old")
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert f"Page        {page}" in outcome.out
    assert failed.code != 0
    assert "folder.html' cannot be written" in failed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["profile.html", "raw"]


def test_a_page_needs_data(tmp_path: Path) -> None:
    outcome = call("doctor", "--workspace", tmp_path / "w", "--html", tmp_path / "profile.html")

    assert outcome.code == 2
    assert "--html needs raw files" in outcome.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_with_a_bar_on_stderr_the_checks_are_on_stdout(raw: Path, tmp_path: Path) -> None:
    import pty

    primary, secondary = pty.openpty()
    done = subprocess.run(
        command("doctor", raw, "--workspace", tmp_path / "w"),
        stdout=subprocess.PIPE,
        stderr=secondary,
        check=True,
        env=clean_environment() | {"TERM": "xterm-256color", "COLUMNS": "80"},
        timeout=60,
    )
    os.close(secondary)
    os.close(primary)

    assert b" data       1 file: 360 lines" in done.stdout
    assert b"Records     360 in 1 file" in done.stdout


def test_without_data_nothing_is_profiled(tmp_path: Path) -> None:
    outcome = called("doctor", "--workspace", tmp_path / "w", "--json")

    assert set(outcome.json) == {"ready", "checks"}


def test_data_that_cannot_be_used_has_no_profile(tmp_path: Path) -> None:
    outcome = call("doctor", tmp_path / "none", "--workspace", tmp_path / "w", "--json")

    assert outcome.code == 2
    assert outcome.json["profile"] is None


def test_without_labels_the_profile_says_that_training_is_not_possible(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", without(delivery(), LABEL))

    outcome = call("doctor", raw, "--workspace", tmp_path / "w")

    assert outcome.code == 2
    assert f"✗ data       no column {LABEL}: training is not possible" in outcome.out
    assert "Records     360 in 1 file" in outcome.out


def test_data_without_a_usable_line_is_profiled_all_the_same(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", changed(delivery(), range(360), QUANTITY="two"))
    page = tmp_path / "profile.html"

    outcome = call("doctor", raw, "--workspace", tmp_path / "w", "--html", page)

    assert outcome.code == 2
    text = " ".join(outcome.out.split())
    assert "✗ data None of the 360 lines can be used: 360 quantity_not_a_number." in text
    assert "Records 360 in 1 file = 0 accepted + 360 rejected 360 quantity_not_a_number" in text
    assert "QUANTITY: whole number none missing; 0 distinct e.g. two" in text
    assert page.is_file()


def test_the_product_file_is_named_and_no_file_of_lines(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    codes = sorted({line["PROD_CODE"] for line in delivery()})
    items = raw / "items.csv"
    items.write_text("\n".join(["PROD_CODE,PROD_NAME", *(f"{c},Item" for c in codes[1:])]) + "\n")
    location = ("--workspace", tmp_path / "w", "--products", items)

    outcome = called("doctor", raw, *location)
    document = called("doctor", raw, *location, "--json").json
    items.write_text("PROD_CODE,PROD_NAME\n7,Milk\n")
    other = call("doctor", raw, *location)

    text = " ".join(outcome.out.split())
    assert (
        "Listed in items.csv: 14 rows, 14 products PROD_NAME of 14 products names 14 of 15 prod"
        in text
    )
    assert "Warning 1 of 15 products (" in text
    assert document["profile"]["product_file"]["sold"]["unlisted_products"] == 1
    assert other.code == 2
    assert "✗ data       None of the 15 products in the lines is in 'items.csv'" in other.out
    assert "Records     360 in 1 file" in other.out


def test_a_split_that_is_not_possible_leaves_the_profile(tmp_path: Path) -> None:
    lines = [line | {"SHOP_WEEK": "200607"} for line in delivery()]

    outcome = call("doctor", delivered(tmp_path / "raw", lines), "--workspace", tmp_path / "w")

    assert outcome.code == 2
    assert "needs two weeks" in outcome.out
    assert "Records     360 in 1 file" in outcome.out


def test_values_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    lines = changed(delivery(), range(1), PROD_CODE="\x1b[2J" + "x" * 99)

    outcome = called("doctor", delivered(tmp_path / "raw", lines), "--workspace", tmp_path / "w")

    assert "\x1b" not in outcome.out
    assert "�[2Jxxx" in outcome.out
    assert contents(tmp_path).keys() == {"raw/till.csv"}

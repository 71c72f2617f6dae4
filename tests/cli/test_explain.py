"""``predict --explain`` and ``predict --basket``, as they are typed."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from tests.cli.calling import Outcome, call, called
from tests.etl.running import Run
from tests.evaluation.running import evaluated_once
from tests.features.computing import PRODUCT_FEATURES
from tests.raw_lines import line, write_csv

ESCAPE = "\x1b[31mRED"


@pytest.fixture
def archive(sample_run: Run) -> Path:
    return evaluated_once(sample_run.gold).archive


@pytest.fixture
def till(sample_run: Run, tmp_path: Path) -> Path:
    """Basket 17 holds two products that point to High, one to Low, one to nothing; 18 is odd."""
    own = dict(sample_run.index.group_by("class").agg(pl.col("PROD_CODE").sort()).iter_rows())
    codes = [*own["High"][:2], own["Low"][0], own["Unclassified"][0]]
    lines = [line(BASKET_ID="17", PROD_CODE=code) for code in codes]
    hostile = line(BASKET_ID="18", PROD_CODE=ESCAPE)
    return write_csv(tmp_path / "till.csv", [*lines, hostile])


def predicted(archive: Path, till: Path, *more: str | Path) -> Outcome:
    return called("predict", "--data", till, "--model", archive, *more)


def test_a_column_says_why(archive: Path, till: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    outcome = predicted(archive, till, "--out", out, "--explain")
    assert outcome.out.strip().endswith("scores.csv")
    with out.open(newline="", encoding="utf-8") as stream:
        first, second = csv.DictReader(stream)
    assert list(first)[-1] == "explanation"
    assert (first["basket_id"], second["basket_id"]) == ("17", "18")
    assert first["explanation"].startswith(f"{first['predicted_sensitivity']} price sensitivity (")
    assert "= +0.33. 1 line is uninformative." in first["explanation"]
    assert "\x1b" not in second["explanation"]


def test_without_the_flag_there_is_no_such_column(
    archive: Path, till: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    predicted(archive, till, "--out", out)
    assert "explanation" not in pl.read_parquet_schema(out)


def test_one_basket_can_be_read_on_the_terminal(
    archive: Path, till: Path, sample_run: Run, tmp_path: Path
) -> None:
    outcome = predicted(archive, till, "--basket", "17")
    title, *text = outcome.out.splitlines()
    assert title == "17"
    assert max(map(len, text)) <= 78
    whole = " ".join(text)
    assert "Of 3 informative lines, " in whole
    assert "Balance High minus Low: (2 - 1) / 3 = +0.33. 1 line is uninformative." in whole
    names = {code for code in sample_run.index["PROD_CODE"] if code in whole}
    assert len(names) == 3
    assert "1 basket: " in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["till.csv"]


def test_codes_of_the_data_cannot_colour_the_terminal(archive: Path, till: Path) -> None:
    outcome = predicted(archive, till, "--basket", "18")
    assert "\x1b" not in outcome.out


def test_several_baskets_and_a_file_at_once(archive: Path, till: Path, tmp_path: Path) -> None:
    out = tmp_path / "two.parquet"
    outcome = predicted(archive, till, "--basket", "18", "--basket", "17", "--out", out)
    lines = outcome.out.splitlines()
    assert lines[0] == "18"
    assert "17" in lines
    assert lines[-1].endswith("two.parquet")
    assert pl.read_parquet(out)["basket_id"].to_list() == [17, 18]


def test_as_json_each_product_has_its_part_of_each_feature(archive: Path, till: Path) -> None:
    document = predicted(archive, till, "--basket", "17", "--json").json
    assert (document["out"], document["baskets"], document["lines"]) == (None, 1, 5)
    (requested,) = document["requested"]
    assert requested["basket_id"] == 17
    assert requested["explanation"].startswith(requested["predicted_sensitivity"])
    assert len(requested["products"]) == 4
    assert set(requested["products"][0]) >= set(PRODUCT_FEATURES)
    assert sum(product["product_balance"] for product in requested["products"]) == pytest.approx(
        1 / 3
    )


def test_without_baskets_the_json_has_no_such_key(
    archive: Path, till: Path, tmp_path: Path
) -> None:
    document = predicted(archive, till, "--out", tmp_path / "a.csv", "--explain", "--json").json
    keys = {"out", "baskets", "predicted", "unclassified", "lines", "rejected", "skipped"}
    assert set(document) == keys | {
        "unseen",
        "incomplete_baskets",
        "history",
        "product_file",
        "snapshot",
    }


def test_a_basket_that_is_not_there(archive: Path, till: Path) -> None:
    outcome = call("predict", "--data", till, "--model", archive, "--basket", "19")
    assert (outcome.code, outcome.out) == (2, "")
    assert "no basket '19'" in outcome.err


@pytest.mark.parametrize("more", [(), ("--explain",)])
def test_neither_a_file_nor_a_basket(archive: Path, till: Path, more: tuple[str, ...]) -> None:
    outcome = call("predict", "--data", till, "--model", archive, *more)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Give --out FILE for all baskets, or --basket ID for one." in outcome.err

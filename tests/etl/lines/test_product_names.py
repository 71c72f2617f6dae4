"""Names of products in the lines: one for each product, whatever the order of delivery."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketwise.config import Config, DataConfig, EtlConfig
from basketwise.etl.gold.tables import INDEX_FILE
from basketwise.etl.lines.accepting import clean_table
from basketwise.etl.lines.product_names import LONGEST, plain_names
from basketwise.schema import COLUMN_NAMES
from tests.etl.running import run, run_intake
from tests.raw_lines import Line, line, write_csv


def named(name: str, **changes: str) -> Line:
    return line(**changes) | {"PROD_NAME": name}


def names_of(path: Path, root: Path) -> dict[str, str]:
    names = run_intake(path, root).intake.names
    return dict(names.select("PROD_CODE", "PROD_NAME").iter_rows())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("  Whole  milk ", "Whole milk"),
        ("Milk\r\n1 l", "Milk 1 l"),
        ("\x1b[31mRED\x07", "[31mRED"),
        ("\u202egnitset\u200b", "gnitset"),
        ("Käse & <b>Brot</b>", "Käse & <b>Brot</b>"),
        ("=1+1", "=1+1"),
        ("\x00", None),
        ("x" * (LONGEST + 1), "x" * LONGEST),
    ],
)
def test_a_name_fits_one_line(given: str, expected: str | None) -> None:
    assert plain_names(pl.Series([given])).to_list() == [expected]


def test_a_name_is_no_column_of_a_clean_line() -> None:
    cleaned = clean_table([named("Milk"), named("Milk", BASKET_ID="2")])
    assert set(cleaned.lines.columns) == {*COLUMN_NAMES, "source", "row"}
    assert cleaned.names is not None
    assert cleaned.names.to_dicts() == [
        {"SHOP_WEEK": 200607, "PROD_CODE": "PRD1", "PROD_NAME": "Milk"}
    ]
    assert clean_table([line()]).names is None


def test_missing_words_are_no_names(tmp_path: Path) -> None:
    rows = [
        named(name, BASKET_ID=str(n)) for n, name in enumerate(["", " ", "NULL", "n/a", "\x01"])
    ]
    assert names_of(write_csv(tmp_path / "raw.csv", rows), tmp_path) == {}


def test_rejected_lines_name_nothing(tmp_path: Path) -> None:
    rows = [named("Wrong", SPEND="?"), named("Right", BASKET_ID="2")]
    assert names_of(write_csv(tmp_path / "raw.csv", rows), tmp_path) == {"PRD1": "Right"}


def test_the_name_is_that_of_the_earliest_week_then_the_first_by_letter(tmp_path: Path) -> None:
    rows = [
        named("An older name", SHOP_WEEK="200608", BASKET_ID="1"),
        named("Milk 1 l", BASKET_ID="2"),
        named("MILK 1 L", BASKET_ID="3"),
        named("", BASKET_ID="4"),
    ]
    for number, order in enumerate([rows, rows[::-1]]):
        path = write_csv(tmp_path / f"{number}.csv", order)
        assert names_of(path, tmp_path / str(number)) == {"PRD1": "MILK 1 L"}


def test_a_copy_with_another_spelling_is_a_copy(tmp_path: Path) -> None:
    rows = [named("Milk", QUANTITY="2"), named("MILK", QUANTITY="2")]
    for number, order in enumerate([rows, rows[::-1]]):
        raw = tmp_path / str(number) / "raw"
        raw.mkdir(parents=True)
        for part, row in enumerate(order):
            write_csv(raw / f"{part}.csv", [row])
        result = run_intake(raw, raw.parent)
        assert result.reasons == {"duplicate_line": 1}
        assert result.intake.names["PROD_NAME"].to_list() == ["MILK"]


def test_own_column_names(tmp_path: Path) -> None:
    row = line() | {"Artikel": "Milch"}
    data = DataConfig(columns={"prod_name": "artikel"})
    path = write_csv(tmp_path / "raw.csv", [row])
    names = run_intake(path, tmp_path, data=data).intake.names
    assert names["PROD_NAME"].to_list() == ["Milch"]


def test_the_index_has_names_and_does_not_depend_on_the_order_of_lines(
    sample: Path, tmp_path: Path
) -> None:
    whole = pl.concat(pl.read_csv(file, infer_schema=False) for file in sample.iterdir())
    spelled = (
        pl.when(pl.col("PROD_CODE").str.ends_with("1"))
        .then(None)
        .otherwise(pl.format("{} no. {}", "PROD_CODE", pl.col("BASKET_ID").str.tail(1)))
    )
    whole = whole.with_columns(spelled.alias("PROD_NAME"))
    config = Config(etl=EtlConfig(duplicates="reject"))
    indexes = []
    for number, parts in enumerate([1, 3]):
        raw = tmp_path / str(number) / "raw"
        raw.mkdir(parents=True)
        lines = whole.sample(fraction=1, shuffle=True, seed=number)
        for part in range(parts):
            lines.gather_every(parts, part).write_csv(raw / f"{part}.csv")
        indexes.append(run(raw, raw.parent, config))
    first, second = indexes
    assert (first.gold / INDEX_FILE).read_bytes() == (second.gold / INDEX_FILE).read_bytes()
    absent = first.index["PROD_NAME"].is_null()
    assert absent.equals(first.index["PROD_CODE"].str.ends_with("1"))


def test_without_names_only_the_column_of_the_index_is_added(sample: Path, tmp_path: Path) -> None:
    index = run(sample, tmp_path).index
    assert index["PROD_NAME"].null_count() == index.height

"""Reading the files, and cutting weeks out of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketwise.sampling import generate
from basketwise.schema import COLUMN_NAMES
from benchmarks.rules.lines import SCORE, TYPES, Source, UnusableDataError, read_lines


def test_compressed_csv_and_parquet_are_read_alike(tmp_path: Path) -> None:
    generate(tmp_path / "csv", baskets=200, seed=1, weeks=2)
    read = read_lines(tmp_path / "csv")
    assert set(read.columns) == set(COLUMN_NAMES)
    assert {name: read.schema[name] for name in TYPES} == TYPES
    (tmp_path / "parquet").mkdir()
    read.write_parquet(tmp_path / "parquet" / "all.parquet")
    assert read_lines(tmp_path / "parquet").equals(read)


def test_a_folder_without_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableDataError, match=r"contains no \.csv"):
        read_lines(tmp_path)
    pl.DataFrame({"BASKET_ID": [1], "PROD_CODE": ["a"]}).write_csv(tmp_path / "lines.csv")
    with pytest.raises(UnusableDataError, match=r"lines.csv has no column SHOP_WEEK"):
        read_lines(tmp_path)


def test_a_block_is_the_test_weeks_and_those_before(source: Source) -> None:
    weeks = source.block(3, 200733, 200736)["SHOP_WEEK"].unique().sort().to_list()
    assert weeks == list(range(200730, 200737))


def test_a_block_is_refused_where_weeks_are_missing(source: Source) -> None:
    with pytest.raises(UnusableDataError, match=r"200733 to 200745 .* contain 8 and 2 of them"):
        source.block(2, 200733, 200745)


def test_the_hidden_classes_are_those_of_the_index(source: Source) -> None:
    classes = source.classes
    assert classes.height == 60
    assert set(classes[SCORE]) == {-1, 0, 1, None}
    # Cheap and upmarket products have 14.5 % of the lines each, as labels are made.
    shares = source.scored(source.lines)[SCORE].value_counts(normalize=True)
    assert dict(shares.iter_rows())[1] == pytest.approx(0.145, abs=0.05)

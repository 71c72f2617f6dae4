"""A history that comes from a file is what a run writes, or it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import basketwise.features.history_file as module
from basketwise.errors import InputError
from basketwise.features.history import TYPES
from basketwise.features.history_file import read_history

GOOD = pl.DataFrame(
    {
        "CUST_CODE": ["A", "A", "B"],
        "SHOP_WEEK": [None, None, None],
        "SHOP_DATE": [20070101, 20070102, 20070101],
        "SHOP_HOUR": [9, None, 23],
        "low": [0, 1, 0],
        "medium": [2, 0, 0],
        "high": [0, 0, 1],
    },
    schema=TYPES,
)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("unit", ["SHOP_DATE", "SHOP_WEEK"])
def test_both_formats_are_read_as_they_were_written(tmp_path: Path, suffix: str, unit: str) -> None:
    table, path = GOOD, tmp_path / f"history{suffix}"
    if unit == "SHOP_WEEK":
        table = GOOD.with_columns(
            SHOP_WEEK=pl.Series([200701, 200702, 200701], dtype=pl.Int32),
            SHOP_DATE=pl.lit(None, pl.Int32),
            SHOP_HOUR=pl.lit(None, pl.Int32),
        )
    if suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)
    assert read_history(path).equals(table)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CUST_CODE": [None, "A", "B"]}, "is missing in a row"),
        ({"low": [None, 1, 0]}, "is missing in a row"),
        ({"medium": [0, 0, 0]}, "a row has no basket"),
        ({"medium": [2**32 - 1, 0, 0]}, "have more than"),
        ({"SHOP_DATE": [20070101, None, 20070101]}, "must have SHOP_DATE"),
        ({"SHOP_DATE": [None, None, None]}, "must have SHOP_DATE"),
        ({"SHOP_WEEK": [200701, 200701, 200701]}, "must have SHOP_DATE"),
        ({"SHOP_DATE": [20071301, 20070102, 20070101]}, "a time that is none"),
        ({"SHOP_DATE": [20070100, 20070102, 20070101]}, "a time that is none"),
        ({"SHOP_HOUR": [24, None, 23]}, "a time that is none"),
        ({"SHOP_DATE": [20070101] * 3, "SHOP_HOUR": [9, 9, 9]}, "twice at one time"),
    ],
)
def test_values_that_no_run_writes_are_refused(
    tmp_path: Path, changes: dict[str, list[Any]], words: str
) -> None:
    path = tmp_path / "history.parquet"
    columns = {name: pl.Series(own, dtype=TYPES[name]) for name, own in changes.items()}
    GOOD.with_columns(**columns).write_parquet(path)
    with pytest.raises(InputError, match=words) as caught:
        read_history(path)
    assert "customer_history.parquet" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CUST_CODE,low\nA,1\n", "its columns are not CUST_CODE"),
        (f"{','.join(TYPES)}\nA,,20070101,,1,many,0\n", "many"),
        (f"{','.join(TYPES)}\nA,,20070101,,1,0,-1\n", "-1"),
        ("", "empty"),
        ("PAR1 but nothing else", "no Parquet file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "history"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_history(path)


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    GOOD.with_columns(pl.col("high").cast(pl.Float64)).write_parquet(path)
    with pytest.raises(InputError, match="column high is of type Float64"):
        read_history(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv' cannot be read as a history"):
        read_history(tmp_path / "absent.csv")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize(
    ("bound", "words"), [("MAX_BYTES", "bytes"), ("MAX_ROWS", "rows"), ("MAX_TEXT", "bytes")]
)
def test_large_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, bound: str, words: str
) -> None:
    path = tmp_path / f"history{suffix}"
    (GOOD.write_csv if suffix == ".csv" else GOOD.write_parquet)(path)
    monkeypatch.setattr(module, bound, 2)
    with pytest.raises(InputError, match=f"more than 2 {words}"):
        read_history(path)

"""A history of customers, read from a file that may come from anywhere."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from basketwise.artifact.documents import complaint
from basketwise.artifact.parquet import check_parquet
from basketwise.errors import InputError
from basketwise.features.history import COUNTS, TIMES, TYPES
from basketwise.files import HISTORY_FILE
from basketwise.schema import CUST_CODE, SHOP_DATE, SHOP_HOUR, SHOP_WEEK

MAX_BYTES = 512 * 2**20
MAX_EXPANDED = 2**30
MAX_ROWS = 20_000_000
MAX_BASKETS = 2**31 - 1
MAX_TEXT = 2**30
"""Bytes of all customer codes."""


def read_history(path: Path) -> pl.DataFrame:
    """Read a history from a Parquet file, as a run writes it, or from a CSV with its columns.

    Returns
    -------
    DataFrame
        Columns :data:`basketwise.features.history.TYPES`.

    Raises
    ------
    InputError
        If the file is absent or too large, or anything in it is not as a run writes it.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
        history = _parse(data)
        _check(history)
    # Polars' panics are no exceptions.
    except (OSError, ValueError, PolarsError, PanicException) as error:
        raise InputError(
            f"{str(path)!r} cannot be read as a history of customers: {complaint(error)}.",
            f"Give {HISTORY_FILE} of a run's folder, or a CSV with its columns: "
            f"{', '.join(TYPES)}.",
        ) from error
    return history


def _parse(data: bytes) -> pl.DataFrame:
    if data[:4] == b"PAR1":
        check_parquet(data, most_rows=MAX_ROWS, most_bytes=MAX_EXPANDED)
        table = pl.read_parquet(io.BytesIO(data))
    else:
        table = pl.read_csv(io.BytesIO(data), infer_schema=False)
    if set(table.columns) != set(TYPES):
        raise ValueError(f"its columns are not {', '.join(TYPES)}")
    if table.height > MAX_ROWS:
        raise ValueError(f"it has more than {MAX_ROWS:,} rows")
    wrong = [
        name
        for name, kind in table.schema.items()
        if kind not in (TYPES[name], pl.Null, pl.String) and not kind.is_integer()
    ]
    if wrong:
        raise ValueError(f"its column {wrong[0]} is of type {table.schema[wrong[0]]}"[:200])
    return table.select(TYPES.keys()).cast({name: TYPES[name] for name in TYPES})


def _check(history: pl.DataFrame) -> None:
    if history.select(CUST_CODE, *COUNTS).null_count().sum_horizontal().sum():
        raise ValueError(f"{CUST_CODE} or a number of baskets is missing in a row")
    date, week, hour = (history[name] for name in (SHOP_DATE, SHOP_WEEK, SHOP_HOUR))
    if date.null_count() not in (0, history.height) or (date.is_null() == week.is_null()).any():
        raise ValueError(f"all its rows must have {SHOP_DATE}, or all of them {SHOP_WEEK}")
    months, days = date // 100 % 100, date % 100
    in_range = (
        date.is_between(1000_01_01, 9999_12_31) & months.is_between(1, 12) & days.is_between(1, 31),
        week.is_between(1000_01, 9999_99),
        hour.is_between(0, 23),
    )
    if not all(values.all() for values in in_range):
        raise ValueError("it has a time that is none")
    baskets = history.select(pl.sum_horizontal(pl.col(COUNTS).cast(pl.UInt64))).to_series()
    if not (baskets > 0).all() or baskets.sum() > MAX_BASKETS:
        raise ValueError(f"a row has no basket, or all rows have more than {MAX_BASKETS:,}")
    if history[CUST_CODE].str.len_bytes().cast(pl.UInt64).sum() > MAX_TEXT:
        raise ValueError(f"its customer codes have more than {MAX_TEXT:,} bytes")
    if history.select(CUST_CODE, *TIMES).is_duplicated().any():
        raise ValueError("it has a customer twice at one time")

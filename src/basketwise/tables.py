"""Tables of any library in, as Polars frames; Polars frames out, in the kind that came in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import narwhals.stable.v2.dependencies as libraries
import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Matrix
from basketwise.columns import FAILURES, any_column, listed, of_pandas
from basketwise.errors import InputError

_FRAME_SOURCE = re.compile(r"a table of [\d,]+ lines")

KINDS = (
    "Give a Polars, pandas or PyArrow frame, a DuckDB relation, another object with "
    "__arrow_c_stream__, a list of dictionaries or a dictionary of columns."
)

PLAIN = (
    "Each column needs a name of its own and text, numbers or dates, as many as the others have; "
    "leave out or cast what is of another type."
)
"""What a table of a known kind needs to be read."""

SPARK_FRAME = "a Spark frame"
"""What documents call the raw lines of a Spark frame, in the place of a path."""

BLOCK = 10_000
"""Rows of some dozens of features that stay in a processor's memory."""

FEW = 20_000
"""Up to this number of rows, it takes longer to wake other threads than to do without them."""


def frame_source(lines: int) -> str:
    """Return what documents call the raw lines of any other frame, in the place of a path."""
    return f"a table of {lines:,} lines"


def is_frame_source(text: str) -> bool:
    """Whether documents call raw lines so that were a frame in memory.

    Examples
    --------
    >>> is_frame_source(frame_source(1_200)), is_frame_source(SPARK_FRAME), is_frame_source("raw")
    (True, True, False)
    """
    return text == SPARK_FRAME or bool(_FRAME_SOURCE.fullmatch(text))


def read_table(table: Any) -> pl.DataFrame:
    """Read any table into a Polars frame; values keep their types, nothing is judged.

    Parameters
    ----------
    table : any table
        A Polars frame, lazy or not; a pandas frame (its index is ignored); anything that offers
        ``__arrow_c_stream__``, such as a PyArrow table or a DuckDB relation; a list of
        dictionaries, one per row; a dictionary of columns.

    Raises
    ------
    InputError
        If it is none of these, or cannot be read.

    Examples
    --------
    >>> read_table([{"SPEND": 1.5}, {"SPEND": 2.5}])["SPEND"].to_list()
    [1.5, 2.5]
    """
    if isinstance(table, pl.DataFrame):
        return table
    try:
        if isinstance(table, pl.LazyFrame):
            return table.collect()
        if libraries.is_pandas_dataframe(table):
            return _from_pandas(table)
        if isinstance(table, list):
            return _from_rows(table)
        if isinstance(table, Mapping):
            return _from_columns(table)
        if hasattr(table, "__arrow_c_stream__"):
            return pl.DataFrame(table)
    except (*FAILURES, OSError) as error:
        raise InputError(
            f"The table, a {type(table).__name__}, cannot be read: {_first_line(error)}", PLAIN
        ) from error
    raise InputError(f"An object of type {type(table).__name__} is not a table.", KINDS)


def like(frame: pl.DataFrame, table: Any) -> Any:
    """Return a frame in the kind of the table that came in.

    Parameters
    ----------
    frame : DataFrame
        Columns of numbers, text and flags.
    table : any table
        What :func:`read_table` was given.

    Returns
    -------
    pandas.DataFrame, pyarrow.Table or polars.DataFrame
        Polars for everything but pandas and PyArrow.
    """
    if libraries.is_pandas_dataframe(table):
        import pandas as pd

        # Polars' own conversion needs PyArrow.
        return pd.DataFrame(
            {
                column.name: column.to_numpy()
                if column.dtype.is_numeric() and not column.null_count()
                else column.to_list()
                for column in frame
            }
        )
    return frame.to_arrow() if libraries.is_pyarrow_table(table) else frame


def is_spark_frame(table: Any) -> bool:
    """Whether a table is a frame of Spark or of Spark Connect; imports neither."""
    return libraries.is_pyspark_dataframe(table) or libraries.is_pyspark_connect_dataframe(table)


def selected(frame: pl.DataFrame, expressions: Iterable[pl.Expr]) -> pl.DataFrame:
    """Select expressions; of few rows in one thread, as starting others takes longer than they."""
    if frame.height <= FEW:
        return frame.select_seq(expressions)
    return frame.select(expressions)


def constant_in_runs(values: pl.Series, start: NDArray[np.integer]) -> bool:
    """Whether a column has one value in each run of rows; none of them is null, or all are.

    ``start``: where each run begins, the first at 0.
    """
    if values.dtype.is_numeric() and not values.null_count():
        numbers = values.to_numpy()
        changes = numbers[1:] != numbers[:-1]
    else:
        changes = (values.slice(1) != values.head(-1)).fill_null(False).to_numpy()
    return bool(np.count_nonzero(changes) == np.count_nonzero(changes[start[1:] - 1]))


def matrix(frame: pl.DataFrame, columns: Sequence[str]) -> Matrix:
    """Return columns of numbers as a C-contiguous array, without a copy of them in between."""
    values = np.empty((frame.height, len(columns)), dtype=np.float32)
    # Some rows of all columns at a time: each column alone would pass through all of the memory.
    for start in range(0, frame.height, BLOCK):
        rows = values[start : start + BLOCK]
        part = frame if frame.height <= BLOCK else frame.slice(start, BLOCK)
        for number, name in enumerate(columns):
            rows[:, number] = part[name].to_numpy()
    return values


def _from_pandas(table: Any) -> pl.DataFrame:
    # By column: pandas' own __arrow_c_stream__ needs PyArrow, and refuses columns of mixed types.
    if not table.columns.is_unique:
        duplicate = table.columns[table.columns.duplicated()][0]
        raise InputError(
            f"The table has the column {duplicate!r} more than once.", "Keep one of them."
        )
    return pl.DataFrame([of_pandas(str(name), table[name]) for name in table.columns])


def _first_line(error: BaseException) -> str:
    return f"{str(error).strip().splitlines()[0].rstrip('.')}." if str(error).strip() else "failed."


def _from_rows(rows: list[Any]) -> pl.DataFrame:
    wrong = next((row for row in rows if not isinstance(row, Mapping)), None)
    if wrong is not None:
        raise InputError(f"A row is of type {type(wrong).__name__}, not a dictionary.", KINDS)
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame([listed(str(name), [row.get(name) for row in rows]) for name in names])


def _from_columns(columns: Mapping[Any, Any]) -> pl.DataFrame:
    return pl.DataFrame({str(name): any_column(str(name), v) for name, v in columns.items()})

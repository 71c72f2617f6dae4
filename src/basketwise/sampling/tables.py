"""Tables that lines are put together from, each row with its text in a CSV file."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl


class Table:
    """Rows that many lines share, such as the products on offer.

    Parameters
    ----------
    rows
        Texts, integers, and amounts to the hundredth as Float64. A null is an empty field. No text
        needs quotes.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    @cached_property
    def text(self) -> pl.Series:
        """Each row as it stands in a CSV file, without the end of the line; named as the header is.

        A row is put into text once, not again in every line that has it.
        """
        fields = [
            _two_decimals(name) if dtype.is_float() else pl.col(name).cast(pl.String).fill_null("")
            for name, dtype in self.rows.schema.items()
        ]
        header = ",".join(self.rows.columns)
        return self.rows.select(pl.concat_str(fields, separator=",").alias(header)).to_series()


class Selection(NamedTuple):
    """Columns of some lines: ``row`` is that of ``table`` for each line."""

    table: Table
    row: npt.NDArray[np.int64]


def join_columns(selections: tuple[Selection, ...]) -> pl.DataFrame:
    """Return lines with the columns of all tables, one table beside the other."""
    return pl.concat([table.rows[row] for table, row in selections], how="horizontal")


def join_text(selections: tuple[Selection, ...]) -> pl.DataFrame:
    """Return the same lines with one text column per table; a file joins them by commas."""
    return pl.DataFrame([table.text[row] for table, row in selections])


def _two_decimals(amounts: str) -> pl.Expr:
    hundredths = (pl.col(amounts) * 100).round().cast(pl.Int64)
    cents = (hundredths % 100).cast(pl.String).str.zfill(2)
    return pl.concat_str(hundredths // 100, cents, separator=".")

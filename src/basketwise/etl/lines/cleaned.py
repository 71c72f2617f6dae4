"""What becomes of the lines of a table: accepted lines, and rejected ones with their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from basketwise.etl.lines.dtypes import DTYPES
from basketwise.schema import BASKET_ID, COLUMN_NAMES, COLUMNS, REASON, ROW, SOURCE

REJECTED_COLUMNS = [SOURCE, ROW, REASON, *COLUMN_NAMES]


@dataclass(frozen=True)
class Cleaned:
    """Accepted and rejected lines of one table; together they are the lines read.

    Attributes
    ----------
    lines
        One row per accepted line, typed, with :data:`basketwise.schema.COLUMNS` (null if it
        was missing); BASKET_ID is Int64 if all ids are canonical integers, otherwise String;
        ``source`` (Categorical) and ``row`` (UInt32, 1-based).
    rejected
        One row per rejected line: ``source``, ``row``, ``reason``, then the values that could be
        read; BASKET_ID as String.
    names
        One row per product with a name on an accepted line: SHOP_WEEK of the name, PROD_CODE,
        PROD_NAME; see :func:`basketwise.etl.lines.product_names.first_names`. None if no column of
        the table has names.
    """

    lines: pl.DataFrame
    rejected: pl.DataFrame
    names: pl.DataFrame | None = None

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected lines by reason, sorted by name."""
        return dict(self.rejected[REASON].value_counts().sort(REASON).iter_rows())


@lru_cache
def none_rejected() -> pl.DataFrame:
    """Return an empty frame of rejected lines."""
    columns = {column.name: DTYPES[column.kind] for column in COLUMNS}
    types = {SOURCE: pl.Categorical, ROW: pl.UInt32, REASON: pl.String} | columns
    return pl.DataFrame(schema={name: types[name] for name in REJECTED_COLUMNS})


def unparsed(malformed: pl.DataFrame, source: str) -> pl.DataFrame:
    """Reject records of which nothing could be read."""
    empty = none_rejected().schema
    return malformed.select(
        {SOURCE: pl.lit(source), ROW: pl.col(ROW), REASON: pl.col(REASON)}.get(name, pl.lit(None))
        .cast(dtype)
        .alias(name)
        for name, dtype in empty.items()
    )


def split(lines: pl.DataFrame, reason: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split accepted lines from rejected ones; a frame without any of these is not copied."""
    if reason.null_count() == lines.height:
        return lines, none_rejected()
    refused = reason.is_not_null()
    rejected = (
        lines.filter(refused)
        .with_columns(reason.filter(refused).alias(REASON), pl.col(BASKET_ID).cast(pl.String))
        .select(REJECTED_COLUMNS)
    )
    return lines.filter(~refused), rejected

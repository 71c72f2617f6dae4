"""Columns in the names of ``column=value`` folders, as Hive and Spark write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from basketwise.config import OwnColumns
from basketwise.etl.raw.header import standard_names
from basketwise.schema import READ_NAMES


def added_columns(
    partitions: Mapping[str, str | None], names: Iterable[str], columns: OwnColumns
) -> dict[str, str | None]:
    """Return the known columns of the folders that the file does not have, with their values.

    ``names`` are the columns of the file, in upper case; ``columns`` is ``data.columns``.

    Examples
    --------
    >>> added_columns({"week": "200607", "part": "1"}, ["SPEND"], {"SHOP_WEEK": "Week"})
    {'SHOP_WEEK': '200607'}
    """
    given = zip(standard_names(partitions, columns), partitions.values(), strict=True)
    present = set(names)
    return {name: value for name, value in given if name in READ_NAMES and name not in present}


def with_added(frame: pl.DataFrame, added: Mapping[str, str | None]) -> pl.DataFrame:
    """Add columns with a constant value, as text."""
    values = (pl.lit(value, dtype=pl.String).alias(name) for name, value in added.items())
    return frame.with_columns(values) if added else frame

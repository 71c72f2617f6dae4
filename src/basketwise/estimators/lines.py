"""Typed lines in memory, and the baskets of X: what the estimator reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from basketwise.errors import InputError
from basketwise.etl.lines.accepting import accepted_lines
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.header import check_columns, standard_names, with_derived_names
from basketwise.notices import warn
from basketwise.schema import BASKET_ID, LABEL, PROD_CODE, QUANTITY, ROW, SPEND
from basketwise.tables import read_table


class Baskets(NamedTuple):
    """The baskets of X and their lines.

    Attributes
    ----------
    table
        X itself.
    lines
        The typed lines of its baskets.
    rows
        BASKET_ID and ``row``, 1-based: the row of X that a line or a basket came from.
    ids
        The basket of each row of X, null where it has no lines; None where X has lines.
    """

    table: pl.DataFrame
    lines: pl.DataFrame
    rows: pl.DataFrame
    ids: pl.Series | None


def read_lines(table: Any, rules: Rules, key: str) -> pl.DataFrame:
    """Type the lines of a table.

    Parameters
    ----------
    table : any table
        One row per till line. SPEND and QUANTITY may be absent: the index does not read them.
    rules : Rules
        How lines are judged. Without SPEND or QUANTITY equal lines are accepted, since a product
        scanned twice cannot be told from a line delivered twice.
    key : str
        Column of the basket ids where there is no BASKET_ID; any case.

    Returns
    -------
    DataFrame
        Accepted lines, as from :func:`basketwise.etl.lines.accepting.clean_table`.
    """
    raw = read_table(table)
    known = standard_names(raw.columns, rules.columns)
    if BASKET_ID not in with_derived_names(known, rules.columns):
        rules = rules.model_copy(update={"columns": {**rules.columns, BASKET_ID: key}})
        known = standard_names(raw.columns, rules.columns)
    present = with_derived_names(known, rules.columns)
    required = (BASKET_ID, PROD_CODE, LABEL) if rules.labelled else (BASKET_ID, PROD_CODE)
    check_columns(
        "lines",
        known,
        labelled=rules.labelled,
        columns=rules.columns,
        required=required,
        given=raw.columns,
    )
    absent = [
        pl.lit(value).alias(name)
        for name, value in ((SPEND, 0.0), (QUANTITY, 1))
        if name not in present
    ]
    if absent:
        raw = raw.with_columns(absent)
        rules = rules.model_copy(update={"duplicates": "keep"})
    return accepted_lines(raw, rules, source="lines")


class AuxiliaryLines:
    """Typed lines of an auxiliary table, which is read once for an estimator and its clones."""

    def __init__(self) -> None:
        self._last: tuple[Any, Rules, str, pl.DataFrame] | None = None

    def read(self, table: Any, rules: Rules, key: str) -> pl.DataFrame:
        """Type the lines of a table, see :func:`read_lines`, unless that was the last one read."""
        last = self._last
        if last is not None and last[0] is table and last[1:3] == (rules, key):
            return last[3]
        lines = read_lines(table, rules, key)
        self._last = (table, rules, key, lines)
        return lines


def column_named(table: pl.DataFrame, name: str, what: str) -> str:
    """Find a column by its exact name or, failing that, by its name in another case.

    Parameters
    ----------
    table : DataFrame
        Any columns.
    name : str
        What it is called.
    what : str
        What the error calls the table.

    Raises
    ------
    InputError
        If there is none.
    """
    if name in table.columns:
        return name
    for column in table.columns:
        if column.strip().upper() == name.upper():
            return column
    raise InputError(
        f"{what} has no column {name!r}; it has {', '.join(table.columns) or 'no columns'}.",
        "ProductIndex(key=...) names the column of the basket ids.",
    )


def read_keys(table: pl.DataFrame, name: str, what: str) -> pl.Series:
    """Return the basket id of each row of a table, as text.

    Parameters
    ----------
    table : DataFrame
        One row per basket.
    name : str
        Column of the ids.
    what : str
        What the error calls the table.

    Raises
    ------
    InputError
        If the column is absent or of floats, or a row has no id.
    """
    ids = table[column_named(table, name, what)]
    if ids.dtype.is_float():
        raise InputError(
            f"{what} has {ids.name} as {ids.dtype}: floats cannot carry 15 digits.",
            "Write basket ids as 64-bit integers or as text, without empty ones.",
        )
    if ids.null_count():
        raise InputError(
            f"{what} has no {ids.name} in {ids.null_count():,} of {len(ids):,} rows.",
            "Each row is one basket and needs its id.",
        )
    return ids.cast(pl.String).alias(BASKET_ID)


def as_ids(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Turn ids as text into the type that the lines' ids have; null where that changes an id.

    Blanks around them are removed, as from those of lines.
    """
    text = text.str.strip_chars()
    if dtype == pl.String:
        return text
    numbers = text.cast(pl.Int64, strict=False)
    same = (numbers.cast(pl.String) == text).fill_null(False)
    return numbers.zip_with(same, pl.Series([None], dtype=pl.Int64).new_from_index(0, len(text)))


def baskets_of_lines(X: Any, rules: Rules, key: str) -> Baskets:
    """Read the baskets of X, a table of till lines; parameters as for :func:`read_lines`."""
    table = read_table(X)
    lines = read_lines(table, rules, key)
    return Baskets(table, lines, lines.select(BASKET_ID, ROW), None)


def baskets_with_lines(X: Any, lines: pl.DataFrame, key: str) -> Baskets:
    """Read the baskets of X, a table with one row per basket.

    Parameters
    ----------
    X : any table
        One row per basket, its id in the column ``key``.
    lines : DataFrame
        Typed lines of these and other baskets.
    key : str
        Column of the basket ids.

    Raises
    ------
    InputError
        If X has no ids, or no basket of X has lines.

    Warns
    -----
    UserWarning
        If some baskets have no lines.
    """
    table = read_table(X)
    text = read_keys(table, key, "X")
    ids = as_ids(text, lines.schema[BASKET_ID])
    rows = pl.DataFrame([ids, pl.Series(ROW, np.arange(1, ids.len() + 1), pl.UInt32)])
    own = lines.join(rows, on=BASKET_ID, how="semi", maintain_order="left")
    without = text.filter(~ids.is_in(own[BASKET_ID].unique().implode()).fill_null(False))
    if len(without):
        headline = f"{len(without):,} of the {table.height:,} baskets in X have no lines"
        hint = f"The first is {without[0]!r}."
        if own.is_empty():
            raise InputError(
                f"{headline}.", f"{hint} Check that ids have the same format in X and lines."
            )
        warn(f"{headline}: they are encoded as average baskets. {hint}", stacklevel=5)
    return Baskets(table, own, rows, ids)

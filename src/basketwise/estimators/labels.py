"""What the index is learned from, in memory: typed lines, and one label per basket.

Labels are given with the lines, aligned with the rows of a table, or by basket id; all of them end
as a frame of one row per basket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals.stable.v2.dependencies as libraries
import numpy as np
import polars as pl

from basketwise.errors import InputError
from basketwise.etl.cleaning import ROW, Rules, accepted_lines
from basketwise.etl.dtypes import mapped_labels
from basketwise.etl.header import standard_names
from basketwise.schema import BASKET_ID, LABEL, QUANTITY, SPEND
from basketwise.tables import read_table


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
        Accepted lines, as from :func:`basketwise.etl.cleaning.clean_table`.
    """
    raw = read_table(table)
    if BASKET_ID not in standard_names(raw.columns, rules.columns):
        rules = replace(rules, columns={**rules.columns, BASKET_ID: key})
    known = standard_names(raw.columns, rules.columns)
    absent = [
        pl.lit(value).alias(name)
        for name, value in ((SPEND, 0.0), (QUANTITY, 1))
        if name not in known
    ]
    if absent:
        raw, rules = raw.with_columns(absent), replace(rules, keep_duplicates=True)
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
    """Find a column by its name, the exact one or else one that differs in case alone.

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
    """Turn ids as text into the type that the lines' ids have; null where that changes an id."""
    if dtype == pl.String:
        return text
    numbers = text.cast(pl.Int64, strict=False)
    same = (numbers.cast(pl.String) == text).fill_null(False)
    return numbers.zip_with(same, pl.Series([None], dtype=pl.Int64).new_from_index(0, len(text)))


def label_baskets(
    y: Any, rows: pl.DataFrame, height: int, meanings: Mapping[str, str], key: str
) -> pl.DataFrame:
    """Give each basket its label.

    Parameters
    ----------
    y : mapping, Series, frame or array
        See :meth:`basketwise.estimators.product_index.ProductIndex.fit`.
    rows : DataFrame
        BASKET_ID and ``row``: for each line, or each basket, the 1-based row of X it came from.
    height : int
        Rows of X.
    meanings : mapping of str to str
        What each label means.
    key : str
        Column of the basket ids in a frame of labels.

    Returns
    -------
    DataFrame
        BASKET_ID as in ``rows``, and the label (one of ``INDEX_LABELS``); one row per labelled
        basket.

    Raises
    ------
    InputError
        If ``y`` does not fit to X, a label has no meaning, or a basket has two labels.
    """
    given = _keyed(y, height, key)
    if given is None:
        labels = _text(y)
        if len(labels) != height:
            raise InputError(
                f"y has {len(labels):,} labels, X has {height:,} rows.",
                "Give one label per row of X; or one per basket, as a mapping, as a pandas Series "
                "with the basket ids as its index, or as a frame of two columns.",
            )
        numbers = pl.Series(ROW, np.arange(1, height + 1), rows.schema[ROW])
        given = rows.join(pl.DataFrame([numbers, labels]), on=ROW)
    else:
        given = given.with_columns(as_ids(given[BASKET_ID], rows.schema[BASKET_ID]))
        given = given.join(rows, on=BASKET_ID, how="semi")
        if given.is_empty():
            raise InputError(
                "None of the basket ids in y is one of X.", "Check that both write ids alike."
            )
    given = given.select(BASKET_ID, LABEL).drop_nulls()
    meaning = mapped_labels(given[LABEL], meanings)
    unknown = given[LABEL].filter(meaning.is_null())
    if len(unknown):
        raise InputError(
            f"y has the label {unknown[0]!r} ({len(unknown):,} rows), which has no meaning.",
            f"Known labels: {', '.join(meanings)}. Map others with ProductIndex(labels=...).",
        )
    labelled = given.select(BASKET_ID, meaning.alias(LABEL)).unique()
    twice = labelled.filter(pl.col(BASKET_ID).is_duplicated()).sort(BASKET_ID, LABEL)
    if twice.height:
        raise InputError(
            f"Basket {twice[BASKET_ID][0]} has the labels {twice[LABEL][0]} and {twice[LABEL][1]} "
            f"in y ({twice[BASKET_ID].n_unique():,} such baskets).",
            "Give each basket one label.",
        )
    return labelled


def _keyed(y: Any, height: int, key: str) -> pl.DataFrame | None:
    """Read labels that name their basket: BASKET_ID and label, as text; None if they do not."""
    if isinstance(y, Mapping):
        return pl.DataFrame([_text(list(y)).alias(BASKET_ID), _text(list(y.values()))])
    if libraries.is_pandas_series(y):
        if len(y) == height and str(y.index.name).upper() not in (key.upper(), BASKET_ID):
            return None
        return pl.DataFrame([_text(y.index).alias(BASKET_ID), _text(y)])
    if isinstance(y, pl.Series) or not (hasattr(y, "columns") or hasattr(y, "column_names")):
        return None
    table = read_table(y)
    if table.width == 1:
        raise InputError(
            f"y is a frame of the one column {table.columns[0]!r}.",
            "Give the column itself, or a second one with the basket ids.",
        )
    by_key = key.upper() in {name.strip().upper() for name in table.columns}
    ids = column_named(table, key if by_key else BASKET_ID, "y")
    others = [name for name in table.columns if name != ids]
    label = others[0] if len(others) == 1 else column_named(table, LABEL, "y")
    return pl.DataFrame([read_keys(table, ids, "y"), _text(table[label])])


def _text(values: Any) -> pl.Series:
    """Read labels or ids as text, whatever they come in; missing ones are null."""
    if isinstance(values, pl.Series):
        return values.cast(pl.String).alias(LABEL)
    if hasattr(values, "isna"):
        values = values.astype(object).where(~values.isna(), None)
    if not isinstance(values, list):
        values = np.asarray(values).tolist()
    return pl.Series(LABEL, [None if v is None else str(v) for v in values], dtype=pl.String)

"""One label per basket, however it is given: per row of X, by basket id, or with the lines.

All of them end as a frame of one row per labelled basket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2.dependencies as libraries
import numpy as np
import polars as pl

from basketwise.columns import is_absent
from basketwise.errors import InputError
from basketwise.estimators.lines import as_ids, column_named, read_keys
from basketwise.etl.lines.dtypes import mapped_labels
from basketwise.schema import BASKET_ID, LABEL, ROW
from basketwise.tables import read_table


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
                "Pass one label per row of X; or one per basket, as a mapping, as a pandas Series "
                "with the basket ids as its index, or as a frame of two columns.",
            )
        numbers = pl.Series(ROW, np.arange(1, height + 1), rows.schema[ROW])
        given = rows.join(pl.DataFrame([numbers, labels]), on=ROW)
    else:
        given = given.with_columns(as_ids(given[BASKET_ID], rows.schema[BASKET_ID]))
        given = given.join(rows, on=BASKET_ID, how="semi")
        if given.is_empty():
            raise InputError(
                "None of the basket ids in y occurs in X.",
                "Check that ids have the same format in both.",
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
            "Pass the column itself, or add a second one with the basket ids.",
        )
    by_key = key.upper() in {name.strip().upper() for name in table.columns}
    ids = column_named(table, key if by_key else BASKET_ID, "y")
    others = [name for name in table.columns if name != ids]
    label = others[0] if len(others) == 1 else column_named(table, LABEL, "y")
    return pl.DataFrame([read_keys(table, ids, "y"), _text(table[label])])


def _text(values: Any) -> pl.Series:
    """Read labels or ids as text, whatever they come in; missing ones are null."""
    if isinstance(values, pl.Series):
        given = values.fill_nan(None) if values.dtype.is_float() else values
        return given.cast(pl.String).alias(LABEL)
    if not isinstance(values, list):
        # A list of the values themselves: NumPy makes floats of whole numbers with gaps.
        values = values.tolist() if hasattr(values, "tolist") else np.asarray(values).tolist()
    texts = [None if is_absent(value) else str(value) for value in values]
    return pl.Series(LABEL, texts, dtype=pl.String)

"""One row per basket, in the order of X and in the kind of frame asked for."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2.dependencies as libraries
import polars as pl

from basketwise.features.product_index.lookup import IndexLookup
from basketwise.schema import KEY, PROD_CODE
from basketwise.tables import like


def in_order_of(ids: pl.Series, encoded: pl.DataFrame, lookup: IndexLookup) -> pl.DataFrame:
    """Give each row of X its basket's features.

    Parameters
    ----------
    ids : Series
        The basket of each row of X; null where it has no lines.
    encoded : DataFrame
        One row per basket with lines, with ``basket_id``.
    lookup : IndexLookup
        Scores a basket without lines as the average product; its counts and shares are 0.
    """
    average = lookup.score(pl.DataFrame({PROD_CODE: [None]}, {PROD_CODE: pl.String}))
    return (
        ids.alias(KEY)
        .to_frame()
        .join(encoded, on=KEY, how="left", maintain_order="left")
        .select(
            pl.col(name).fill_null(
                average[name.removeprefix("product_")][0] if "_score_" in name else 0
            )
            for name in encoded.columns
            if name != KEY
        )
    )


def as_configured(frame: pl.DataFrame, X: Any, config: str, *, keep_index: bool) -> Any:
    """Return a frame as ``set_output`` asks for it, by default in the kind of X.

    ``config`` is ``default``, ``pandas`` or ``polars``; with ``keep_index`` the rows are those of
    X, so they have its index if it is pandas.
    """
    if config == "polars":
        return frame
    of_pandas = libraries.is_pandas_dataframe(X)
    if config == "pandas" and not of_pandas:
        import pandas as pd

        return like(frame, pd.DataFrame())
    converted = like(frame, X)
    return converted.set_axis(X.index) if of_pandas and keep_index else converted

"""The training and the test baskets of a data set, as matrices for the peers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from basketwise.arrays import Counts, Floats, Labels
from basketwise.config import SplitConfig
from basketwise.schema import (
    BASKET_ID,
    CLASSES,
    DEFAULT_LABELS,
    LABEL,
    PROD_CODE,
    QUANTITY,
    SHOP_WEEK,
    SPEND,
    UNCLASSIFIED,
)
from benchmarks.rules.lines import Made

FACTS = ("SHOP_WEEKDAY", "SHOP_HOUR", "STORE_FORMAT")
"""What else is known of a basket; text is replaced by its rank."""


@dataclass(frozen=True)
class Baskets:
    """Classified baskets, sorted by id.

    ``ids``: BASKET_ID. ``y``: their classes. ``counts``: number of lines by product, for the
    products of the training set, shape (baskets, products). ``size``: number of all lines.
    ``facts``: lines, spend, quantity, weekday, hour and store format, shape (baskets, facts); NaN
    where unknown.
    """

    ids: pl.Series
    y: Labels
    counts: csr_array
    size: Floats
    facts: Floats

    @property
    def shares(self) -> csr_array:
        """Share of each product in the lines."""
        return csr_array(self.counts.multiply(1 / self.size[:, None]))

    def take(self, rows: Counts) -> Baskets:
        """Return some of the baskets."""
        return Baskets(
            self.ids[rows], self.y[rows], self.counts[rows], self.size[rows], self.facts[rows]
        )


def first_test_week(made: Made) -> int:
    """Return the week that the test set starts with.

    By default, the test set is the latest weeks that contain at least a fifth of the classified
    baskets, as in Basketwise.
    """
    if made.first_test_week is not None:
        return made.first_test_week
    weeks, share = _shares_from_the_end(made.lines)
    return int(weeks[int((share < SplitConfig().test_size).sum())])


def required_test_size(made: Made) -> float | None:
    """Return the setting ``split.test_size`` that makes this test set; None for the default."""
    if made.first_test_week is None:
        return None
    weeks, share = _shares_from_the_end(made.lines)
    last = int((weeks >= made.first_test_week).sum()) - 1
    before = share[last - 1] if last else 0.0
    return round(float(share[last] + before) / 2, 6)


def split(made: Made) -> tuple[Baskets, Baskets]:
    """Return the training and the test baskets."""
    classes = made.lines[LABEL].replace_strict(dict(DEFAULT_LABELS), return_dtype=pl.String)
    lines = made.lines.with_columns(classes.alias(LABEL)).filter(pl.col(LABEL) != UNCLASSIFIED)
    is_test = pl.col(SHOP_WEEK) >= first_test_week(made)
    training, test = lines.filter(~is_test), lines.filter(is_test)
    products = training[PROD_CODE].unique().sort()
    formats = lines["STORE_FORMAT"].unique().sort() if "STORE_FORMAT" in lines.columns else None
    return _baskets(training, products, formats), _baskets(test, products, formats)


def _baskets(lines: pl.DataFrame, products: pl.Series, formats: pl.Series | None) -> Baskets:
    known = [name for name in FACTS if name in lines.columns]
    table = (
        lines.group_by(BASKET_ID)
        .agg(
            pl.col(LABEL).first(),
            pl.len().alias("lines"),
            pl.col(SPEND, QUANTITY).sum(),
            pl.col(known).first(),
        )
        .sort(BASKET_ID)
    )
    if formats is not None:
        table = table.with_columns(
            pl.col("STORE_FORMAT").replace_strict(
                formats.drop_nulls(),
                range(len(formats.drop_nulls())),
                default=None,
                return_dtype=pl.Float64,
            )
        )
    numbers = pl.DataFrame({PROD_CODE: products}).with_row_index("product")
    pairs = (
        lines.join(numbers, on=PROD_CODE)
        .join(table.select(BASKET_ID).with_row_index("basket"), on=BASKET_ID)
        .group_by("basket", "product")
        .len()
        .sort("basket", "product")
    )
    counts = csr_array(
        (
            pairs["len"].cast(pl.Float64).to_numpy(),
            (pairs["basket"].to_numpy(), pairs["product"].to_numpy()),
        ),
        shape=(table.height, products.len()),
    )
    facts = table.select("lines", SPEND, QUANTITY, *known).cast(pl.Float64).fill_null(float("nan"))
    label = table[LABEL].replace_strict(CLASSES, range(len(CLASSES)), return_dtype=pl.Int8)
    return Baskets(
        table[BASKET_ID],
        label.to_numpy(),
        counts,
        table["lines"].cast(pl.Float64).to_numpy(),
        facts.to_numpy(),
    )


def _shares_from_the_end(lines: pl.DataFrame) -> tuple[Counts, Floats]:
    """Return the weeks, latest first, and the running share of the classified baskets."""
    unclassified = [name for name, meaning in DEFAULT_LABELS.items() if meaning == UNCLASSIFIED]
    per_week = (
        lines.filter(~pl.col(LABEL).is_in(unclassified))
        .group_by(SHOP_WEEK)
        .agg(pl.col(BASKET_ID).n_unique().alias("baskets"))
        .sort(SHOP_WEEK, descending=True)
    )
    return (
        per_week[SHOP_WEEK].cast(pl.Int64).to_numpy(),
        np.cumsum(per_week["baskets"].to_numpy()) / per_week["baskets"].sum(),
    )

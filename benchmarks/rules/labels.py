"""The rules that make labels: a vote of a basket's lines, thresholds, terciles."""

from __future__ import annotations

import polars as pl

from basketwise.schema import BASKET_ID, LABEL
from benchmarks.rules.lines import SCORE

LOW, HIGH = -0.18, 0.23
"""A basket is Low up to the first balance, and High above the second one."""

BALANCE = "balance"


def vote(lines: pl.DataFrame, weight: pl.Expr | None = None, *, keep: str = "") -> pl.DataFrame:
    """Return the balance of each basket: High minus Low, divided by all that have a class.

    Parameters
    ----------
    lines
        Lines with the score of their product.
    weight
        How much each line counts; by default 1.
    keep
        A column that has one value per basket, to be kept.

    Returns
    -------
    DataFrame
        One row per basket, sorted: BASKET_ID, ``balance`` (null where no line has a class).
    """
    weight = pl.lit(1.0) if weight is None else weight
    counted = pl.when(pl.col(SCORE).is_not_null()).then(weight).otherwise(0.0)
    total = counted.sum()
    leaning = (counted * pl.col(SCORE).fill_null(0)).sum()
    kept = [pl.col(keep).first()] if keep else []
    return (
        lines.group_by(BASKET_ID)
        .agg(pl.when(total > 0).then(leaning / total).alias(BALANCE), *kept)
        .sort(BASKET_ID)
    )


def by_thresholds(
    baskets: pl.DataFrame, low: pl.Expr | float = LOW, high: pl.Expr | float = HIGH
) -> pl.DataFrame:
    """Label baskets by their balance: BASKET_ID and the label, XX where there is no balance."""
    balance = pl.col(BALANCE)
    label = (
        pl.when(balance.is_null())
        .then(pl.lit("XX"))
        .when(balance <= low)
        .then(pl.lit("UM"))
        .when(balance <= high)
        .then(pl.lit("MM"))
        .otherwise(pl.lit("LA"))
    )
    return baskets.select(BASKET_ID, label.alias(LABEL))


def by_terciles(baskets: pl.DataFrame, column: str) -> pl.DataFrame:
    """Label the third with the lowest values Low, that with the highest ones High."""
    low, high = (baskets[column].quantile(share) for share in (1 / 3, 2 / 3))
    value = pl.col(column)
    label = (
        pl.when(value <= low)
        .then(pl.lit("UM"))
        .when(value <= high)
        .then(pl.lit("MM"))
        .otherwise(pl.lit("LA"))
    )
    return baskets.select(BASKET_ID, label.alias(LABEL))


def labelled(lines: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Replace the labels of the lines; baskets without a new one are left out."""
    return lines.drop(LABEL).join(labels, on=BASKET_ID, maintain_order="left")


def labels_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return BASKET_ID and the label of each basket, sorted."""
    return lines.group_by(BASKET_ID).agg(pl.col(LABEL).first()).sort(BASKET_ID)

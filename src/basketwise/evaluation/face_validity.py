"""Face validity: whether the products that were learned as High are the cheap ones of their group.

It is what somebody who knows the range would expect. Only products with enough baskets of their own
count: where there are few, the index leans on the price itself.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import stdtrit

from basketwise.features.product_index.table import BASKETS, CLASS, UNIT_PRICE, finest_groups
from basketwise.report.in_words import face_validity_text
from basketwise.report.types.drivers import FaceValidity
from basketwise.report.types.scores import Interval
from basketwise.schema import CLASSES

FEWEST_BASKETS = 20
"""Training baskets without which a product is not counted: its class may rest on its price."""
FEWEST_PRICES = 3
"""Products with a price that a group needs."""
FEWEST_GROUPS = 5
LEAST = 0.1
"""Difference of mean ranks from which products are the cheap ones."""

LOW, HIGH = CLASSES[0], CLASSES[-1]


def face_validity(index: pl.DataFrame, confidence: float) -> FaceValidity:
    """Compare the price ranks of products of class High and Low, each within its finest group.

    Parameters
    ----------
    index : DataFrame
        The product index.
    confidence : float
        Of the interval of the difference, whose standard error allows for what products of one
        group share (Liang and Zeger, Biometrika 73, 1986).
    """
    counted = _ranked(index).filter(
        pl.col(CLASS).is_in([LOW, HIGH]) & (pl.col(BASKETS) >= FEWEST_BASKETS)
    )
    ranks = {label: counted.filter(pl.col(CLASS) == label)["rank"] for label in (HIGH, LOW)}
    groups = counted["group"].n_unique()
    result = FaceValidity(
        text="",
        answer="unknown",
        high_rank=_mean(ranks[HIGH]),
        low_rank=_mean(ranks[LOW]),
        difference=None,
        high_products=ranks[HIGH].len(),
        low_products=ranks[LOW].len(),
        groups=groups,
    )
    if groups >= FEWEST_GROUPS and min(ranks[HIGH].len(), ranks[LOW].len()) > 1:
        result["difference"] = difference = _difference(counted, confidence)
        if difference["high"] < 0 and difference["estimate"] <= -LEAST:
            result["answer"] = "yes"
        elif difference["low"] > -LEAST:
            result["answer"] = "no"
    result["text"] = face_validity_text(result, confidence)
    return result


def _ranked(index: pl.DataFrame) -> pl.DataFrame:
    """Return products with a price: class, baskets, group and rank in it, from 0 to 1."""
    group = pl.col("group")
    return (
        index.select(pl.Series("group", finest_groups(index)), pl.col(CLASS, BASKETS, UNIT_PRICE))
        .filter((group > 0) & pl.col(UNIT_PRICE).is_not_null())
        .filter(pl.len().over(group) >= FEWEST_PRICES)
        .with_columns(
            ((pl.col(UNIT_PRICE).rank().over(group) - 0.5) / pl.len().over(group)).alias("rank")
        )
    )


def _difference(counted: pl.DataFrame, confidence: float) -> Interval:
    high = (counted[CLASS] == HIGH).to_numpy()
    rank = counted["rank"].to_numpy()
    means = rank[high].mean(), rank[~high].mean()
    share = np.where(high, (rank - means[0]) / high.sum(), (means[1] - rank) / (~high).sum())
    _, number = np.unique(counted["group"].to_numpy(), return_inverse=True)
    of_groups = np.bincount(number, share)
    error = np.sqrt((of_groups**2).sum() * of_groups.size / (of_groups.size - 1))
    reach = error * stdtrit(of_groups.size - 1, (1 + confidence) / 2)
    estimate = means[0] - means[1]
    return Interval(
        estimate=float(estimate), low=float(estimate - reach), high=float(estimate + reach)
    )


def _mean(ranks: pl.Series) -> float | None:
    return float(ranks.to_numpy().mean()) if ranks.len() else None

"""Data sets of real lines: their own labels, or labels made by another rule that never changes.

The test set is the weeks from 200733; training weeks are those right before.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from basketwise.schema import BASKET_ID, CUST_CODE, LABEL, QUANTITY, SHOP_WEEK, SPEND
from benchmarks.rules.labels import (
    BALANCE,
    HIGH,
    LOW,
    by_terciles,
    by_thresholds,
    labelled,
    labels_of,
    vote,
)
from benchmarks.rules.lines import Made, Source

FIRST, LAST = 200733, 200736
LAST_OF_WEEKS = 200740
TRAINING = 8

STORE_FORMAT = "STORE_FORMAT"
THRESHOLDS = {
    "LS": (LOW, HIGH),
    "XLS": (0.10, 0.50),
    "MS": (-0.50, -0.10),
    "SS": (-0.05, 0.05),
}
"""Of rule d: the thresholds of each store format."""

_LABELS = np.array(["UM", "MM", "LA"])
_BASKETS_OF_CUSTOMER = 5
_NOISE_OF_CUSTOMER = 0.5


def block(source: Source, training: int = TRAINING) -> pl.DataFrame:
    """Take the lines of so many training weeks and of the test weeks."""
    return source.block(training, FIRST, LAST)


def default_split(source: Source) -> Made:
    """All weeks, their own labels, the latest fifth of the baskets as the test set."""
    return Made(source.lines)


def few_weeks(source: Source, weeks: int) -> Made:
    """Their own labels, so many training weeks."""
    return Made(source.block(weeks, FIRST, LAST_OF_WEEKS), FIRST)


def noise(source: Source, share: float) -> Made:
    """Twelve weeks; some labels are replaced by one of the other two, in training and in test.

    Unclassified baskets are left out. Predictions are compared with the labels before.
    """
    lines = block(source, 12)
    clean = labels_of(lines).filter(pl.col(LABEL) != "XX")
    codes = clean[LABEL].replace_strict(_LABELS, range(3), return_dtype=pl.Int64).to_numpy()
    rng = np.random.default_rng(7)
    flipped = rng.random(codes.size) < share
    step = rng.integers(1, 3, codes.size)
    noisy = _LABELS[np.where(flipped, (codes + step) % 3, codes)]
    return Made(labelled(lines, clean.with_columns(pl.Series(LABEL, noisy))), FIRST, clean)


def weighted(source: Source, column: str) -> Made:
    """Rules a and b: the lines' votes are weighted by a column."""
    lines = block(source)
    labels = by_thresholds(vote(source.scored(lines), pl.col(column)))
    return Made(labelled(lines, labels), FIRST)


def by_price(source: Source) -> Made:
    """Rule c1: how dear the lines are for their group; the third with the lowest prices is Low.

    A line's price per unit is divided by the median of its PROD_CODE_10 in the training weeks, and
    averaged over the basket. A group without training lines counts as 1.
    """
    lines = block(source)
    price = pl.col(SPEND) / pl.col(QUANTITY)
    usual = (
        lines.filter(pl.col(SHOP_WEEK) < FIRST).group_by("PROD_CODE_10").agg(usual=price.median())
    )
    relative = (price / pl.col("usual")).fill_null(1.0)
    baskets = (
        lines.join(usual, on="PROD_CODE_10", how="left", maintain_order="left")
        .group_by(BASKET_ID)
        .agg(relative=relative.mean())
    )
    return Made(labelled(lines, by_terciles(baskets, "relative")), FIRST)


def by_store(source: Source) -> Made:
    """Rule d: a vote of lines, with thresholds that depend on the store's format."""
    lines = block(source)
    low, high = (
        pl.col(STORE_FORMAT).replace_strict(
            {name: ends[end] for name, ends in THRESHOLDS.items()},
            default=default,
            return_dtype=pl.Float64,
        )
        for end, default in ((0, LOW), (1, HIGH))
    )
    balances = vote(source.scored(lines), keep=STORE_FORMAT)
    return Made(labelled(lines, by_thresholds(balances, low, high)), FIRST)


def by_customer(source: Source) -> Made:
    """Rule e: the customer's average balance over all weeks, plus noise; in terciles.

    Baskets without a card, and of customers with fewer than five baskets, are left out. The noise
    has half the standard deviation of the customers' averages, so that no method can be perfect.
    """
    lines = block(source)
    owners = (
        source.lines.filter(pl.col(CUST_CODE).fill_null("") != "")
        .group_by(BASKET_ID)
        .agg(pl.col(CUST_CODE).first())
    )
    averages = (
        vote(source.scored(source.lines))
        .drop_nulls()
        .join(owners, on=BASKET_ID)
        .group_by(CUST_CODE)
        .agg(average=pl.col(BALANCE).mean(), baskets=pl.len())
        .filter(pl.col("baskets") >= _BASKETS_OF_CUSTOMER)
        .sort(CUST_CODE)
    )
    baskets = (
        lines.select(BASKET_ID)
        .unique()
        .join(owners, on=BASKET_ID)
        .join(averages, on=CUST_CODE)
        .sort(BASKET_ID)
    )
    spread = _NOISE_OF_CUSTOMER * float(np.std(averages["average"].to_numpy(), ddof=1))
    drawn = np.random.default_rng(11).normal(0.0, spread, baskets.height)
    noisy = baskets.with_columns(latent=pl.col("average") + pl.Series(drawn))
    return Made(labelled(lines, by_terciles(noisy, "latent")), FIRST)

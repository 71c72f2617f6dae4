"""A sample of the training baskets, from some weeks, with all their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from basketwise.etl.chunks import weeks
from basketwise.schema import BASKET_ID, FOLD, LABEL, SHOP_WEEK, TARGET, TEST, UNCLASSIFIED

WEEKS = 16
"""Weeks that a sample is from, evenly spaced, the latest among them."""


def sample_training(baskets: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Draw classified training baskets.

    Parameters
    ----------
    baskets : DataFrame
        One row per basket, with label and ``fold``.
    most : int
        Baskets in the sample.
    seed : int
        Draws the sample.

    Returns
    -------
    DataFrame
        One row per basket: BASKET_ID, SHOP_WEEK, ``fold``, and its label as ``price_sensitivity``.
    """
    training = baskets.filter((pl.col(FOLD) != TEST) & (pl.col(LABEL) != UNCLASSIFIED))
    present = training[SHOP_WEEK].unique().sort()
    spaced = np.linspace(0, max(present.len() - 1, 0), min(WEEKS, present.len()))
    chosen = present[np.unique(spaced.round().astype(np.int64)).tolist()]
    own = training.filter(pl.col(SHOP_WEEK).is_in(chosen.implode())).select(
        BASKET_ID, SHOP_WEEK, FOLD, pl.col(LABEL).cast(pl.String).alias(TARGET)
    )
    return own.sample(min(most, own.height), seed=seed, shuffle=False)


def lines_of(silver: Path, sample: pl.DataFrame, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Give the lines of the sample's baskets, a week at a time, with the sample's other columns."""
    joined = sample.drop(SHOP_WEEK)
    for week, path in weeks(silver):
        own = joined.filter(sample[SHOP_WEEK] == week)
        if own.height:
            lines = pl.read_parquet(path, columns=list(columns), glob=False)
            yield lines.join(own, on=BASKET_ID)

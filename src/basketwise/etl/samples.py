"""A sample of the training baskets, from some weeks, and its features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from basketwise.concurrency import side_by_side
from basketwise.etl.chunks import weeks
from basketwise.features.recipe import AddHistory, Recipe, ScoreLines, features
from basketwise.schema import BASKET_ID, FOLD, KEY, LABEL, SHOP_WEEK, TARGET, TEST, UNCLASSIFIED

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


def sample_features(
    silver: Path,
    sample: pl.DataFrame,
    recipe: Recipe,
    index: ScoreLines | None,
    history: AddHistory | None,
) -> pl.DataFrame:
    """Compute the features of a sample's baskets, a week at a time.

    Parameters
    ----------
    silver : Path
        The silver folder.
    sample : DataFrame
        From :func:`sample_training`; lines have its columns too.
    recipe, index, history
        As for :func:`basketwise.features.recipe.features`.

    Returns
    -------
    DataFrame
        One row per basket: ``basket_id``, the features, ``fold`` and ``price_sensitivity``.
    """
    joined, drawn = sample.drop(SHOP_WEEK), set(sample[SHOP_WEEK])

    def of_week(file: tuple[int, Path]) -> pl.DataFrame:
        own = joined.filter(sample[SHOP_WEEK] == file[0])
        lines = pl.read_parquet(file[1], columns=recipe.reads, glob=False)
        return features(lines.join(own, on=BASKET_ID), recipe, index, history)

    tables = side_by_side(of_week, (file for file in weeks(silver) if file[0] in drawn))
    target = sample.select(pl.col(BASKET_ID).alias(KEY), FOLD, TARGET)
    return pl.concat(tables).join(target, on=KEY, maintain_order="left")

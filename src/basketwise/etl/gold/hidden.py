"""Training baskets as they would be if some of their products were new.

Every shop launches products, but training baskets contain hardly any that the index has not seen: a
model that is trained on them alone is as certain of a basket whose products are new as of any
other. So some training baskets are made once more, with a part of all products hidden from the
index: it answers for them as it does for new ones, by their groups. What follows for baskets with
new products is learned in :mod:`basketwise.training.novelty`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from basketwise.concurrency import side_by_side
from basketwise.etl.gold.samples import sample_features, sample_training
from basketwise.features.product import SHARE_NEW
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.table import ANSWERS, NEW
from basketwise.features.recipe import AddHistory, Recipe
from basketwise.pieces import Map
from basketwise.schema import (
    FOLD,
    HIERARCHY,
    PROD_CODE,
    TEST,
)

MOST = 10_000
"""Baskets at most ..."""
SHARE = 0.25
"""... and their share of the training baskets at most."""
HIDDEN = (0.1, 0.35)
"""Shares of the products that are hidden from a basket; each from half of the baskets."""
_LEVEL = "_level"


def hidden_features(
    silver: Path,
    baskets: pl.DataFrame,
    recipe: Recipe,
    by_fold: pl.DataFrame,
    seed: int,
    history: AddHistory | None,
    each: Map,
) -> pl.DataFrame:
    """Make the features of some training baskets whose products are partly hidden.

    Parameters
    ----------
    silver : Path
        The silver folder.
    baskets : DataFrame
        One row per basket, with label and ``fold``.
    recipe : Recipe
        Its groups are computed.
    by_fold : DataFrame
        Per fold, the index learned from the other folds; see
        :class:`basketwise.features.product_index.learning.LearnedIndex`.
    seed : int
        Draws the baskets and the products.
    history : callable or None
        Adds what was known of the customers.
    each : Map
        Reads the lines.

    Returns
    -------
    DataFrame
        One row per basket that has a hidden product: ``basket_id``, the features, ``fold`` and
        ``price_sensitivity``. Each meets the index of its own fold, without the hidden products.
    """
    training = int((baskets[FOLD] != TEST).sum())
    sample = sample_training(baskets, min(MOST, int(SHARE * training)), seed)
    rng = np.random.default_rng(seed)
    level = rng.integers(0, len(HIDDEN), sample.height)
    sample = sample.with_columns(pl.Series(_LEVEL, level, pl.Int8))
    answers = pl.concat(side_by_side(_answers, list(_hiding(by_fold, rng))))
    score = partial(_score, answers)
    table = sample_features(silver, sample, recipe, score, history, each)
    return table.filter(pl.col(SHARE_NEW) > 0)


def _score(answers: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    return lines.join(answers, on=[PROD_CODE, FOLD, _LEVEL], how="left", maintain_order="left")


class _Hiding(NamedTuple):
    """Products of a fold, and which of them its index shows at a level."""

    products: pl.DataFrame
    visible: pl.Series
    fold: int
    level: int


def _hiding(by_fold: pl.DataFrame, rng: np.random.Generator) -> Iterator[_Hiding]:
    """Draw, per fold and share, the products that are hidden."""
    for (fold,), own in by_fold.partition_by(FOLD, as_dict=True).items():
        drawn = rng.random(own.height)
        for level, share in enumerate(HIDDEN):
            yield _Hiding(own.drop(FOLD), pl.Series(drawn >= share) & ~own[NEW], fold, level)


def _answers(hiding: _Hiding) -> pl.DataFrame:
    """Give what the index says of each product if others are hidden."""
    visible = hiding.products.drop(NEW).filter(hiding.visible)
    scored = IndexLookup(visible).score(hiding.products.select(PROD_CODE, *HIERARCHY))
    return scored.select(
        PROD_CODE,
        pl.lit(hiding.fold, pl.Int8).alias(FOLD),
        pl.lit(hiding.level, pl.Int8).alias(_LEVEL),
        *ANSWERS,
    )

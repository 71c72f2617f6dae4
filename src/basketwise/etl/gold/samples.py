"""A sample of the training baskets, from some weeks, and its features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from basketwise.etl.silver.chunks import weeks
from basketwise.features.joining import with_baskets
from basketwise.features.recipe import AddHistory, Recipe, ScoreLines, features
from basketwise.pieces import Map, Result
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
    each: Map,
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
    each : Map
        Reads the lines.

    Returns
    -------
    DataFrame
        One row per basket: ``basket_id``, the features, ``fold`` and ``price_sensitivity``.
    """
    results = each(Sampling(recipe, index, history), _pieces(silver, sample))
    tables: list[pl.DataFrame] = [result["rows"] for result in results]
    target = sample.select(pl.col(BASKET_ID).alias(KEY), FOLD, TARGET)
    return pl.concat(tables).join(target, on=KEY, maintain_order="left")


class Week(NamedTuple):
    """A file of a week, and the week's baskets in the sample: BASKET_ID and what lines get."""

    path: Path
    baskets: pl.DataFrame


def _pieces(silver: Path, sample: pl.DataFrame) -> Iterator[Week]:
    own = {week: part for (week,), part in sample.partition_by(SHOP_WEEK, as_dict=True).items()}
    for week, path in weeks(silver):
        if week in own:
            yield Week(path, own[week].drop(SHOP_WEEK))


@dataclass(frozen=True)
class Sampling:
    """Makes the features of a week's baskets, as :func:`basketwise.features.recipe.features`."""

    recipe: Recipe
    index: ScoreLines | None
    history: AddHistory | None

    def __call__(self, week: Week) -> Result:
        """Return the features as ``rows``."""
        lines = pl.read_parquet(week.path, columns=self.recipe.reads, glob=False)
        labelled = with_baskets(lines, week.baskets)
        return {"rows": features(labelled, self.recipe, self.index, self.history)}

"""An index for the whole training set and for each fold, of what was gathered of the lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from basketwise.arrays import Counts, Floats, Matrix
from basketwise.concurrency import abandoning_pool
from basketwise.config import IndexConfig
from basketwise.features.product_index.evidence import Evidence
from basketwise.features.product_index.hierarchy import fallback, smooth
from basketwise.features.product_index.pairs import Pairs, Weighting
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.refinement import most_read, refine
from basketwise.features.product_index.ridge import ridge_coefficients
from basketwise.features.product_index.shortest import Shortest, shortest
from basketwise.features.product_index.table import (
    BASKETS,
    NEW,
    UNIT_PRICE,
    build_table,
    levels_of,
)
from basketwise.features.product_index.weighting import choose_weighting
from basketwise.pieces import Map, Result, here
from basketwise.schema import FOLD, INDEX_LABELS

TABLE = "table"


@dataclass(frozen=True)
class LearnedIndex:
    """The index of the whole training set, and those for out-of-fold scores.

    ``whole`` has the columns :data:`basketwise.features.product_index.table.COLUMNS`, products with
    training baskets only, sorted by PROD_CODE; ``by_fold`` has ``fold`` and ``new`` besides: per
    fold, learned from the *other* folds. ``weighting``: what weighs a product within its basket.
    """

    whole: pl.DataFrame
    by_fold: pl.DataFrame
    weighting: Weighting


def learn_whole(
    evidence: Evidence, config: IndexConfig, weighting: Weighting | None = None
) -> pl.DataFrame:
    """Learn the index of the whole training set, as :attr:`LearnedIndex.whole`.

    ``weighting``: what weighs a product within its basket, where that is known already.
    """
    return _learn(evidence, config, [None], weighting or weigh(evidence, config), here)[0]


def learn_index(
    evidence: Evidence,
    config: IndexConfig,
    weighting: Weighting | None = None,
    *,
    refine_each: Map = here,
) -> LearnedIndex:
    """Learn the index of the whole training set, and each fold's from the other folds.

    ``weighting``: what weighs a product within its basket, where that is known already.
    ``refine_each`` works on the folds, which is most of the work.
    """
    without = [None, *range(evidence.folds)]
    weighting = weighting or weigh(evidence, config)
    whole, *others = _learn(evidence, config, without, weighting, refine_each)
    by_fold = pl.concat(
        table.with_columns(pl.lit(fold, pl.Int8).alias(FOLD), (pl.col(BASKETS) == 0).alias(NEW))
        for fold, table in enumerate(others)
    )
    return LearnedIndex(whole, by_fold, weighting)


def weigh(evidence: Evidence, config: IndexConfig) -> Weighting:
    """Choose what weighs a product within its basket."""
    with threadpool_limits(1):
        return choose_weighting(
            evidence.pairs,
            _prices(evidence.products),
            levels_of(evidence.products),
            evidence.seed,
            config.ridge,
            config.size_power,
        )


def _prices(products: pl.DataFrame) -> Floats:
    prices = products[UNIT_PRICE].cast(pl.Float64).fill_null(float("nan"))
    return prices.to_numpy()


def _learn(
    evidence: Evidence,
    config: IndexConfig,
    without: Sequence[int | None],
    weighting: Weighting,
    refine_each: Map,
) -> list[pl.DataFrame]:
    """Learn an index without each of some folds; None: from all of them."""
    pairs, products = evidence.pairs, evidence.products.height
    # More BLAS threads would add up in another order: the last bits, and with them the classes of
    # borderline products, would depend on the machine. The limit is the whole process's.
    with threadpool_limits(1), abandoning_pool(1) as aside:
        # Much of what the coefficients are solved from is made by one core.
        nearest = aside.submit(shortest, pairs, without, most_read(config))
        scores = ridge_coefficients(
            pairs,
            pairs.shares(weighting),
            products,
            len(INDEX_LABELS),
            without,
            penalty=config.ridge,
            size_power=config.size_power,
        )
        refining = Refining(evidence.products, pairs, weighting, nearest.result(), config)
        seen = _baskets_without(pairs, products, without)
        solved = map(Solved, without, scores, seen)
        return [result[TABLE] for result in refine_each(refining, solved)]


@dataclass(frozen=True)
class Solved:
    """The ridge coefficients, and the baskets of each product, without a fold; None: with all."""

    without: int | None
    ridge: Matrix
    seen: Counts


@dataclass(frozen=True)
class Refining:
    """Makes the index of solved coefficients; the same evidence for each fold.

    ``products``, ``pairs``: those of the evidence; ``nearest``: the shortest baskets of each
    product.
    """

    products: pl.DataFrame
    pairs: Pairs
    weighting: Weighting
    nearest: Shortest
    config: IndexConfig

    def __call__(self, solved: Solved) -> Result:
        """Give products without baskets the scores of their groups, refine the classes.

        Returns
        -------
        dict
            ``table``: see :attr:`LearnedIndex.whole`.
        """
        levels = levels_of(self.products)
        others = self.pairs.fold != (-1 if solved.without is None else solved.without)
        known = solved.seen > 0
        scores = solved.ridge.astype(np.float64)
        inherited = fallback(smooth(scores, known.astype(np.float64), levels), levels)
        scores[~known] = inherited[~known]
        beliefs = refine(
            self.pairs,
            others,
            self.weighting,
            self.nearest,
            solved.ridge,
            ClassPrior(solved.seen, _prices(self.products), levels),
            self.config,
        )
        table = build_table(
            self.products,
            scores.astype(np.float32),
            np.exp(beliefs.posterior),
            np.exp(beliefs.unseen),
            solved.seen,
        )
        return {TABLE: table}


def _baskets_without(
    pairs: Pairs, products: int, without: Sequence[int | None]
) -> Iterator[Counts]:
    """Count the baskets of each product that are not in a fold, for each one left out."""
    by_fold = pairs.baskets_by_fold(products)
    every = by_fold.sum(axis=0)
    for left_out in without:
        own = left_out is not None and left_out < by_fold.shape[0]
        yield every - by_fold[left_out] if own else every

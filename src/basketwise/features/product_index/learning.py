"""One pass over the training lines, then an index for the whole training set and for each fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from basketwise.arrays import Counts, Flags, Floats, Matrix, Positions
from basketwise.concurrency import side_by_side, worker_pool
from basketwise.config import IndexConfig
from basketwise.features.product_index.hierarchy import Groups, fallback, smooth
from basketwise.features.product_index.pairs import (
    FEW,
    Pairs,
    Singles,
    Weighting,
    concatenate,
    pair,
    unit_prices,
)
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.refinement import most_read, refine
from basketwise.features.product_index.ridge import ridge_coefficients
from basketwise.features.product_index.shortest import Shortest, shortest, shortest_first
from basketwise.features.product_index.table import (
    BASKETS,
    GROUP_PRICE,
    NEW,
    UNIT_PRICE,
    build_table,
    finest_groups,
    levels_of,
)
from basketwise.features.product_index.weighting import choose_weighting
from basketwise.schema import BASKET_ID, FOLD, INDEX_LABELS, LABEL, PROD_CODE, QUANTITY, SPEND


class LabelledLines(NamedTuple):
    """Some training baskets and all their lines, both sorted by basket.

    ``lines``: one row per line: BASKET_ID, PROD_CODE, SPEND, QUANTITY; those of other baskets are
    passed over. ``baskets``: one row per training basket: BASKET_ID, the label and ``fold``.
    """

    lines: pl.DataFrame
    baskets: pl.DataFrame


@dataclass(frozen=True)
class Evidence:
    """What one pass over the training lines gathers; all that learning needs.

    It depends on the training lines and their order alone, not on the pieces they came in nor on
    what other products there are. ``products``: one row per product of the training lines, sorted
    by PROD_CODE: its hierarchy and prices, numbered so in ``pairs``. ``shortest``: the order of its
    entries by product and by the size of the basket. ``folds``: their number. ``seed``: see
    :func:`gather`.
    """

    products: pl.DataFrame
    pairs: Pairs
    shortest: Positions
    folds: int
    seed: int

    def take(self, baskets: Flags) -> Evidence:
        """Return the evidence of the baskets that the mask marks; products stay the same."""
        pairs = self.pairs
        if FEW * np.count_nonzero(baskets) < baskets.size:
            few = pairs.take(baskets)
            return replace(self, pairs=few, shortest=shortest_first(few))
        kept = np.repeat(baskets, pairs.entries)
        # The order stays that of all entries, so it needs no sorting; the numbers move up.
        number = np.cumsum(kept, dtype=self.shortest.dtype) - 1
        shortest = number[self.shortest[kept[self.shortest]]]
        return replace(self, pairs=pairs.take(baskets), shortest=shortest)


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


def gather(
    pieces: Iterable[LabelledLines],
    products: pl.DataFrame,
    *,
    folds: int,
    seed: int,
) -> Evidence:
    """Gather in one pass what the index is learned from.

    Parameters
    ----------
    pieces : iterable of LabelledLines
        The training baskets, none in two pieces.
    products : DataFrame
        One row per product that the lines may name: PROD_CODE, hierarchy.
    folds : int
        Number of folds.
    seed : int
        Draws the baskets on which is seen what weighs a product, where there are more than needed.
    """
    ordered = products.sort(PROD_CODE)
    numbers = ordered.select(PROD_CODE, pl.int_range(pl.len(), dtype=pl.Int32).alias("number"))
    numbered = side_by_side(lambda piece: _number(piece, numbers), pieces)
    pairs = concatenate(list(numbered))
    trained = pairs.baskets_with(products.height) > 0
    number = (np.cumsum(trained) - 1).astype(np.int32)
    pairs = replace(pairs, product=number[pairs.product])
    own = ordered.filter(pl.Series(trained))
    groups = finest_groups(own)
    own = own.with_columns(
        pl.Series(UNIT_PRICE, unit_prices(pairs, np.arange(own.height))).fill_nan(None),
        pl.Series(GROUP_PRICE, unit_prices(pairs, groups)[groups]).fill_nan(None),
    )
    return Evidence(own, pairs, shortest_first(pairs), folds, seed)


def learn_whole(
    evidence: Evidence, config: IndexConfig, weighting: Weighting | None = None
) -> pl.DataFrame:
    """Learn the index of the whole training set, as :attr:`LearnedIndex.whole`.

    ``weighting``: what weighs a product within its basket, where that is known already.
    """
    return _learn(evidence, config, [None], weighting)[1][0]


def learn_index(
    evidence: Evidence, config: IndexConfig, weighting: Weighting | None = None
) -> LearnedIndex:
    """Learn the index of the whole training set, and each fold's from the other folds.

    ``weighting``: what weighs a product within its basket, where that is known already.
    """
    without = [None, *range(evidence.folds)]
    weighting, (whole, *others) = _learn(evidence, config, without, weighting)
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
            _prices(evidence),
            levels_of(evidence.products),
            evidence.seed,
            config.ridge,
            config.size_power,
        )


def _prices(evidence: Evidence) -> Floats:
    prices = evidence.products[UNIT_PRICE].cast(pl.Float64).fill_null(float("nan"))
    return prices.to_numpy()


def _learn(
    evidence: Evidence,
    config: IndexConfig,
    without: Sequence[int | None],
    weighting: Weighting | None = None,
) -> tuple[Weighting, list[pl.DataFrame]]:
    """Learn an index without each of some folds; None: from all of them."""
    pairs, products = evidence.pairs, evidence.products.height
    levels, prices = levels_of(evidence.products), _prices(evidence)
    weighting = weighting or weigh(evidence, config)
    # More BLAS threads would add up in another order: the last bits, and with them the classes of
    # borderline products, would depend on the machine. The limit is the whole process's.
    with threadpool_limits(1), worker_pool() as pool:
        shares = pairs.shares(weighting)
        scores = ridge_coefficients(
            pairs,
            shares,
            products,
            len(INDEX_LABELS),
            without,
            penalty=config.ridge,
            size_power=config.size_power,
        )

        nearest = shortest(evidence.shortest, pairs, without, most_read(config))
        seen = _baskets_without(pairs, products, without)

        def finish(fold: int | None, ridge: Matrix) -> pl.DataFrame:
            return _finish(
                evidence, ridge, fold, shares, nearest, seen[fold], prices, levels, config
            )

        return weighting, list(pool.map(finish, without, scores))


def _finish(
    evidence: Evidence,
    ridge: Matrix,
    without: int | None,
    shares: Singles,
    nearest: Shortest,
    seen: Counts,
    prices: Floats,
    levels: tuple[Groups, ...],
    config: IndexConfig,
) -> pl.DataFrame:
    """Give products without baskets the scores of their groups, refine the classes."""
    pairs, products = evidence.pairs, evidence.products
    others = pairs.fold != (-1 if without is None else without)
    solved = seen > 0
    scores = ridge.astype(np.float64)
    inherited = fallback(smooth(scores, solved.astype(np.float64), levels), levels)
    scores[~solved] = inherited[~solved]
    beliefs = refine(
        pairs,
        others,
        shares,
        nearest,
        ridge,
        ClassPrior(seen, prices, levels),
        config,
    )
    return build_table(
        products,
        scores.astype(np.float32),
        np.exp(beliefs.posterior),
        np.exp(beliefs.unseen),
        seen,
    )


def _baskets_without(
    pairs: Pairs, products: int, without: Sequence[int | None]
) -> dict[int | None, Counts]:
    """Count the baskets of each product that are not in a fold, for each one left out."""
    every = pairs.baskets_with(products)
    fold = np.repeat(pairs.fold, pairs.entries)
    return {
        left_out: every
        if left_out is None
        else every - np.bincount(pairs.product[fold == left_out], minlength=products)
        for left_out in without
    }


def _number(piece: LabelledLines, numbers: pl.DataFrame) -> Pairs:
    """Turn a piece's lines into numbers, training baskets only."""
    own = piece.baskets
    coded = (
        piece.lines.select(BASKET_ID, PROD_CODE, SPEND, QUANTITY)
        .join(
            own.select(BASKET_ID, pl.int_range(pl.len(), dtype=pl.Int32).alias("basket")),
            on=BASKET_ID,
            maintain_order="left",
        )
        .join(numbers, on=PROD_CODE, maintain_order="left")
    )
    labels = (
        own[LABEL]
        .cast(pl.String)
        .replace_strict(INDEX_LABELS, range(len(INDEX_LABELS)), return_dtype=pl.Int8)
    )
    return pair(
        coded["basket"].to_numpy(),
        coded["number"].to_numpy(),
        coded[SPEND].fill_null(0).to_numpy(),
        coded[QUANTITY].fill_null(0).to_numpy(),
        labels.to_numpy(),
        own[FOLD].to_numpy(),
    )

"""One pass over the training lines, then an index for the whole training set and for each fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from basketwise.arrays import Counts, Matrix
from basketwise.concurrency import worker_pool
from basketwise.config import IndexConfig
from basketwise.features.product_index.hierarchy import fallback, smooth
from basketwise.features.product_index.refinement import ShortBaskets, refine
from basketwise.features.product_index.ridge import ridge_coefficients
from basketwise.features.product_index.statistics import BasketLines, FoldStatistics, concatenate
from basketwise.features.product_index.table import build_table, levels_of
from basketwise.schema import BASKET_ID, FOLD, INDEX_LABELS, LABEL, PROD_CODE


class LabelledLines(NamedTuple):
    """Some training baskets and all their lines, both sorted by basket.

    ``lines``: one row per line: BASKET_ID, PROD_CODE; those of other baskets are passed over.
    ``baskets``: one row per training basket: BASKET_ID, the label and ``fold``.
    """

    lines: pl.DataFrame
    baskets: pl.DataFrame


@dataclass(frozen=True)
class Evidence:
    """What one pass over the training lines gathers; all that learning needs.

    It depends on the training lines and their order alone, not on the pieces they came in nor on
    what other products there are. ``products``: one row per product of the training lines,
    PROD_CODE and its hierarchy, numbered so in ``statistics``. ``short``: the lines of short
    baskets; ``short_fold``: the fold of each.
    """

    products: pl.DataFrame
    statistics: FoldStatistics
    short: ShortBaskets
    short_fold: NDArray[np.int8]


@dataclass(frozen=True)
class LearnedIndex:
    """The index of the whole training set, and those for out-of-fold scores.

    ``whole`` has the columns :data:`basketwise.features.product_index.table.COLUMNS`, products with
    training baskets only, sorted by PROD_CODE; ``by_fold`` has ``fold`` besides: per fold, learned
    from the *other* folds.
    """

    whole: pl.DataFrame
    by_fold: pl.DataFrame


def gather(
    pieces: Iterable[LabelledLines],
    products: pl.DataFrame,
    config: IndexConfig,
    *,
    folds: int,
    short_lines: int,
    seed: int,
) -> Evidence:
    """Gather in one pass what the index is learned from.

    Parameters
    ----------
    pieces : iterable of LabelledLines
        The training baskets, none in two pieces.
    products : DataFrame
        One row per product that the lines may name: PROD_CODE, hierarchy, ``lines`` (how common it
        is: the most common ``max_products`` get a coefficient).
    config : IndexConfig
        Strengths and limits.
    folds : int
        Number of folds.
    short_lines : int
        Lines of all baskets that are short enough for the refinement, see :func:`count_short`.
    seed : int
        Decides which short baskets are read where there are more than the limit.
    """
    with_coefficient = min(products.height, config.max_products)
    by_lines = products.sort("lines", PROD_CODE, descending=[True, False])
    # Numbered by code, so that sums over products do not depend on how common each one is.
    ordered = pl.concat(
        [by_lines[:with_coefficient].sort(PROD_CODE), by_lines[with_coefficient:].sort(PROD_CODE)]
    )
    numbers = ordered.select(PROD_CODE, pl.int_range(pl.len(), dtype=pl.Int32).alias("number"))
    statistics = FoldStatistics(
        products.height, with_coefficient, len(INDEX_LABELS), folds, config.size_power
    )
    share = config.refine_max_lines / max(short_lines, 1)
    rng = np.random.default_rng(seed)
    short: list[BasketLines] = []
    for piece in pieces:
        numbered = _number(piece, numbers)
        statistics.add(numbered)
        short.append(_short(numbered, config.refine_basket_lines, share, rng))
    statistics.flush()
    trained = statistics.baskets_with.sum(axis=0) > 0
    statistics.keep(trained)
    gathered = concatenate(short)
    product = (np.cumsum(trained) - 1)[gathered.product]
    order = np.argsort(product, kind="stable")
    return Evidence(
        ordered.filter(pl.Series(trained)),
        statistics,
        ShortBaskets(
            product[order],
            gathered.basket[order].astype(np.int64),
            gathered.label.astype(np.int64),
            int(trained.sum()),
            len(INDEX_LABELS),
            config.refine_basket_lines,
        ),
        gathered.fold,
    )


def count_short(baskets: pl.DataFrame, config: IndexConfig) -> int:
    """Count the lines of the training baskets (with ``lines``) short enough for the refinement."""
    return int(baskets.filter(pl.col("lines") <= config.refine_basket_lines)["lines"].sum())


def learn_whole(evidence: Evidence, config: IndexConfig) -> pl.DataFrame:
    """Learn the index of the whole training set, as :attr:`LearnedIndex.whole`."""
    own = evidence.statistics
    scores = ridge_coefficients(own.total_products(), own.total_targets(), config.ridge)
    return _finish(evidence, scores, evidence.short, own.baskets_with.sum(axis=0), config).sort(
        PROD_CODE
    )


def learn_index(evidence: Evidence, config: IndexConfig) -> LearnedIndex:
    """Learn the index of the whole training set, and each fold's from the other folds."""
    own = evidence.statistics
    xtx, seen = own.total_products(), own.baskets_with.sum(axis=0)

    def learn(fold: int) -> pl.DataFrame:
        # XᵀY of the others is summed anew: the total less the fold would keep, in its last bits, a
        # trace of the fold's own labels.
        scores = ridge_coefficients(
            xtx - own.xtx[fold], own.total_targets(without=fold), config.ridge
        )
        others = evidence.short.without(evidence.short_fold == fold)
        return _finish(
            evidence, scores, others, seen - own.baskets_with[fold], config
        ).with_columns(pl.lit(fold, pl.Int8).alias(FOLD))

    # The limit is the whole process's: set by each thread it would end when the first is done.
    with threadpool_limits(1), worker_pool() as pool:
        whole = pool.submit(learn_whole, evidence, config)
        by_fold = pl.concat(pool.map(learn, range(len(own.xtx))))
        return LearnedIndex(whole.result(), by_fold)


def _number(piece: LabelledLines, numbers: pl.DataFrame) -> BasketLines:
    """Turn a piece's lines into numbers, training baskets only."""
    own = piece.baskets
    coded = piece.lines.join(
        own.select(BASKET_ID, pl.int_range(pl.len(), dtype=pl.Int32).alias("basket")),
        on=BASKET_ID,
        maintain_order="left",
    ).join(numbers, on=PROD_CODE, maintain_order="left")
    labels = (
        own[LABEL]
        .cast(pl.String)
        .replace_strict(INDEX_LABELS, range(len(INDEX_LABELS)), return_dtype=pl.Int8)
    )
    return BasketLines(
        coded["basket"].to_numpy(),
        coded["number"].to_numpy(),
        labels.to_numpy(),
        own[FOLD].to_numpy(),
    )


def _short(lines: BasketLines, longest: int, share: float, rng: np.random.Generator) -> BasketLines:
    """Keep the baskets of at most ``longest`` lines, or a share of them."""
    size = np.bincount(lines.basket, minlength=lines.label.size)
    kept = (size <= longest) & (size > 0)
    if share < 1:
        kept &= rng.random(size.size) < share
    number = (np.cumsum(kept) - 1).astype(np.int32)
    of_kept = kept[lines.basket]
    return BasketLines(
        number[lines.basket[of_kept]], lines.product[of_kept], lines.label[kept], lines.fold[kept]
    )


def _finish(
    evidence: Evidence, ridge: Matrix, short: ShortBaskets, seen: Counts, config: IndexConfig
) -> pl.DataFrame:
    """Fill in the products without a coefficient, refine the classes, build the table."""
    products = evidence.products
    levels = levels_of(products)
    scores = np.zeros((products.height, ridge.shape[1]))
    scores[: ridge.shape[0]] = ridge
    solved = seen > 0
    solved[ridge.shape[0] :] = False
    inherited = fallback(smooth(scores, solved.astype(np.float64), levels), levels)
    scores[~solved] = inherited[~solved]
    classes, probabilities = refine(short, scores.argmax(axis=1), levels, config.refine_rounds)
    return build_table(products, scores.astype(np.float32), classes, probabilities, seen)

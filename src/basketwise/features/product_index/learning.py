"""One pass over the training lines, then an index for the whole training part and for each fold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from basketwise.config import IndexConfig
from basketwise.etl.chunks import read_chunks, weeks
from basketwise.features.product_index.hierarchy import Groups, fallback, smooth
from basketwise.features.product_index.refinement import ShortBaskets, refine
from basketwise.features.product_index.ridge import ridge_coefficients
from basketwise.features.product_index.statistics import BasketLines, FoldStatistics, concatenate
from basketwise.features.product_index.table import build_table, levels_of
from basketwise.progress import Tick
from basketwise.schema import (
    BASKET_ID,
    FOLD,
    INDEX_LABELS,
    LABEL,
    PROD_CODE,
    SHOP_WEEK,
    SPEND,
    TEST,
)


@dataclass(frozen=True)
class LearnedIndex:
    """The index of the whole training part, and those for out-of-fold scores.

    Attributes
    ----------
    whole
        Columns of :data:`basketwise.features.product_index.table.COLUMNS`; products with training
        baskets only.
    by_fold
        The same columns and ``fold``: per fold, learned from the *other* folds.
    """

    whole: pl.DataFrame
    by_fold: pl.DataFrame


@dataclass(frozen=True)
class _Evidence:
    """What one pass over the training lines gathers."""

    statistics: FoldStatistics
    short: ShortBaskets
    short_fold: np.ndarray[tuple[int], np.dtype[np.int8]]


def learn_index(
    silver: Path,
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    config: IndexConfig,
    *,
    folds: int,
    spend_limit: float | None,
    seed: int,
    tick: Tick,
) -> LearnedIndex:
    """Learn the product sensitivity index.

    Parameters
    ----------
    silver : Path
        Partitions of clean lines.
    baskets : DataFrame
        One row per basket, sorted by BASKET_ID, with its label and ``fold``; those in test (fold
        -1) are not looked at.
    products : DataFrame
        One row per product: PROD_CODE, hierarchy, ``lines``.
    config : IndexConfig
        Strengths and limits.
    folds : int
        Number of folds.
    spend_limit : float or None
        Lines with SPEND (GBP) above it are left out; None: none are.
    seed : int
        Decides which short baskets are read where there are more than the limit.
    tick : callable
        Told of progress, in weeks.
    """
    ordered = products.sort("lines", PROD_CODE, descending=[True, False]).with_columns(
        pl.int_range(pl.len(), dtype=pl.Int32).alias("number")
    )
    evidence = _gather(
        silver, baskets, ordered, config, folds, spend_limit, np.random.default_rng(seed), tick
    )
    levels = levels_of(ordered)
    xtx, xty = evidence.statistics.total()
    seen_by = evidence.statistics.baskets_with.sum(axis=0)

    def learn(fold: int) -> pl.DataFrame:
        if fold == TEST:
            scores = ridge_coefficients(xtx.copy(), xty, config.ridge)
            short, seen = evidence.short, seen_by
        else:
            own = evidence.statistics
            # XᵀY of the others is summed anew: the total less the fold would keep, in its last
            # bits, a trace of the fold's own labels.
            scores = ridge_coefficients(
                xtx - own.xtx[fold], own.total_targets(without=fold), config.ridge
            )
            short = evidence.short.without(evidence.short_fold == fold)
            seen = seen_by - own.baskets_with[fold]
        return _finish(ordered, levels, scores, short, seen, config)

    # The limit holds for the whole process: set by each thread it would end when the first is done.
    with threadpool_limits(1), ThreadPoolExecutor(2) as pool:
        whole, *by_fold = pool.map(learn, [TEST, *range(folds)])
    trained = seen_by > 0
    return LearnedIndex(
        whole.filter(pl.Series(trained)).sort(PROD_CODE),
        pl.concat(
            table.filter(pl.Series(trained)).with_columns(pl.lit(fold, pl.Int8).alias(FOLD))
            for fold, table in enumerate(by_fold)
        ),
    )


def _gather(
    silver: Path,
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    config: IndexConfig,
    folds: int,
    spend_limit: float | None,
    rng: np.random.Generator,
    tick: Tick,
) -> _Evidence:
    statistics = FoldStatistics(
        products.height,
        min(products.height, config.max_products),
        len(INDEX_LABELS),
        folds,
        config.size_power,
    )
    short_lines = baskets.filter(
        (pl.col(FOLD) != TEST) & (pl.col("lines") <= config.refine_basket_lines)
    )["lines"].sum()
    share = config.refine_max_lines / max(int(short_lines), 1)
    numbers = products.select(PROD_CODE, "number")
    training = baskets.filter(pl.col(FOLD) != TEST)
    short: list[BasketLines] = []
    total, done = len(weeks(silver)), 0
    for chunk in read_chunks(silver, [BASKET_ID, PROD_CODE, SPEND]):
        own = training.filter(pl.col(SHOP_WEEK).is_in(chunk.weeks))
        if own.height:
            kept = pl.lit(True) if spend_limit is None else pl.col(SPEND) <= spend_limit
            numbered = _number(chunk.lines.filter(kept), own, numbers)
            statistics.add(numbered)
            short.append(_short(numbered, config.refine_basket_lines, share, rng))
        done += len(chunk.weeks)
        tick("product index", done, total)
    statistics.flush()
    gathered = concatenate(short)
    order = np.argsort(gathered.product, kind="stable")
    return _Evidence(
        statistics,
        ShortBaskets(
            gathered.product[order].astype(np.int64),
            gathered.basket[order].astype(np.int64),
            gathered.label.astype(np.int64),
            products.height,
            len(INDEX_LABELS),
            config.refine_basket_lines,
        ),
        gathered.fold,
    )


def _number(lines: pl.DataFrame, training: pl.DataFrame, numbers: pl.DataFrame) -> BasketLines:
    """Turn one week's lines into numbers, training baskets only."""
    coded = lines.join(
        training.select(BASKET_ID, pl.int_range(pl.len(), dtype=pl.Int32).alias("basket")),
        on=BASKET_ID,
    ).join(numbers, on=PROD_CODE, maintain_order="left")
    labels = (
        training[LABEL]
        .cast(pl.String)
        .replace_strict(INDEX_LABELS, range(len(INDEX_LABELS)), return_dtype=pl.Int8)
    )
    return BasketLines(
        coded["basket"].to_numpy(),
        coded["number"].to_numpy(),
        labels.to_numpy(),
        training[FOLD].to_numpy(),
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
    products: pl.DataFrame,
    levels: tuple[Groups, ...],
    ridge: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    short: ShortBaskets,
    seen: np.ndarray[tuple[int], np.dtype[np.int64]],
    config: IndexConfig,
) -> pl.DataFrame:
    """Fill in the products without a coefficient, refine the classes, build the table."""
    scores = np.zeros((products.height, ridge.shape[1]))
    scores[: ridge.shape[0]] = ridge
    solved = seen > 0
    solved[ridge.shape[0] :] = False
    inherited = fallback(smooth(scores, solved.astype(np.float64), levels), levels)
    scores[~solved] = inherited[~solved]
    classes, probabilities = refine(short, scores.argmax(axis=1), levels, config.refine_rounds)
    return build_table(products, scores.astype(np.float32), classes, probabilities, seen)

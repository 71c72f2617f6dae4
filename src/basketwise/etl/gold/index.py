"""The product index of the training baskets, whose lines are read from silver in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from basketwise.config import Config
from basketwise.etl.gold.learning_curve import learning_curve
from basketwise.etl.gold.metadata import LearningCurve
from basketwise.etl.gold.split import assign_folds, forward_weeks
from basketwise.etl.gold.tables import UnreadChunk, unread_chunks
from basketwise.etl.silver.chunks import chunk_files, read_files
from basketwise.features.groups import of_index
from basketwise.features.product_index.evidence import (
    Evidence,
    LabelledLines,
    number_lines,
    numbered,
    put_together,
)
from basketwise.features.product_index.learning import LearnedIndex, learn_index, weigh
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.table import ANSWERS
from basketwise.pieces import Map, Result
from basketwise.progress import Tick
from basketwise.schema import (
    BASKET_ID,
    FOLD,
    LABEL,
    PROD_CODE,
    QUANTITY,
    SHOP_WEEK,
    SPEND,
    TEST,
)


@dataclass(frozen=True)
class Learned:
    """The baskets with their folds, and what was learned of their products, if that is wanted."""

    baskets: pl.DataFrame
    index: LearnedIndex | None
    curve: LearningCurve


def learned_of(
    silver: Path,
    kept: pl.DataFrame,
    products: pl.DataFrame,
    spend_limit: float | None,
    config: Config,
    tick: Tick,
    each: Map,
) -> Learned:
    """Split the baskets and learn the index, from fewer weeks where that is clearly better.

    Parameters
    ----------
    silver : Path
        The silver folder.
    kept, products : DataFrame
        The baskets that are split, and all products, of a survey.
    spend_limit : float or None
        Lines with SPEND above it (GBP) are left out; None: none are.
    config : Config
        All settings.
    tick : callable
        Called with the progress.
    each : Map
        Reads the lines, and learns.

    Raises
    ------
    InputError, ConfigError
        If the data does not allow the split.
    """
    folds, wanted = config.training.folds, config.split.train_weeks

    def gathered(baskets: pl.DataFrame) -> Evidence:
        work = Numbering(numbered(products), spend_limit)
        chunks = list(chunk_files(silver))
        results = each(work, unread_chunks(chunks, _training(baskets)))
        pieces = _ticking(results, [len(files) for files, _ in chunks], tick)
        return put_together(pieces, products, folds=folds, seed=config.split.random_state)

    def assigned(train_weeks: int | None) -> pl.DataFrame:
        most = config.training.max_baskets
        return assign_folds(kept, config.split, folds, train_weeks, most)

    baskets = assigned(None if isinstance(wanted, str) else wanted)
    if not of_index(config.features.groups):
        return Learned(baskets, None, LearningCurve(reason="there is no product index"))
    evidence = gathered(baskets)
    weighting = weigh(evidence, config.index)
    index = learn_index(evidence, config.index, weighting, refine_each=each)
    curve = _curve(evidence, baskets, index, config, each)
    if wanted == "auto" and curve.best is not None:
        baskets = assigned(curve.best)
        index = learn_index(gathered(baskets), config.index, weighting, refine_each=each)
    return Learned(baskets, index, curve)


def _curve(
    evidence: Evidence, baskets: pl.DataFrame, index: LearnedIndex, config: Config, each: Map
) -> LearningCurve:
    if config.split.strategy != "time":
        return LearningCurve(reason="the test set is not later than the training set")
    forward = forward_weeks(baskets, config.split, config.training.folds)
    week = _training(baskets)[SHOP_WEEK].to_numpy()
    return learning_curve(evidence, week, forward, index, config.index, each)


def _training(baskets: pl.DataFrame) -> pl.DataFrame:
    """Select the training baskets, in the order in which evidence is gathered."""
    own = baskets.lazy().filter(pl.col(FOLD) != TEST).select(BASKET_ID, SHOP_WEEK, LABEL, FOLD)
    return own.sort(SHOP_WEEK, BASKET_ID).collect(engine="in-memory")


def _ticking(results: Iterator[Result], files: list[int], tick: Tick) -> Iterator[Result]:
    """Tell of the progress; ``files``: how many each result is of."""
    done = 0
    for number, result in zip(files, results, strict=True):
        yield result
        done += number
        tick("product index", done, sum(files))


@dataclass(frozen=True)
class Numbering:
    """Turns the training baskets' lines of a chunk into numbers.

    ``numbers``: see :func:`basketwise.features.product_index.evidence.numbered`. Lines with SPEND
    above the limit (GBP) are left out; None: none are.
    """

    numbers: pl.DataFrame
    spend_limit: float | None

    def __call__(self, chunk: UnreadChunk) -> Result:
        """Read a chunk; see :func:`basketwise.features.product_index.evidence.number_lines`."""
        columns = [BASKET_ID, PROD_CODE, SPEND, QUANTITY]
        own = chunk.baskets
        # Of weeks that are tested, no line is needed.
        files = chunk.files if own.height else chunk.files[:1]
        lines = read_files(files, columns, rows=None if own.height else 0)
        if chunk.partial and own.height:
            ids = lines[BASKET_ID]
            own = own.filter(pl.col(BASKET_ID).is_between(pl.lit(ids[0]), pl.lit(ids[-1])))
        if self.spend_limit is not None:
            lines = lines.filter(pl.col(SPEND) <= self.spend_limit)
        return number_lines(self.numbers, LabelledLines(lines, own))


def stacked(learned: LearnedIndex, products: pl.DataFrame) -> pl.DataFrame:
    """Stack the folds' indexes and the whole one: a basket meets the rows of its own fold."""
    whole = IndexLookup(learned.whole).score(products)
    whole = whole.with_columns(pl.lit(TEST, pl.Int8).alias(FOLD))
    columns = [PROD_CODE, FOLD, *ANSWERS]
    return pl.concat([learned.by_fold.select(columns), whole.select(columns)])

"""Would more data help? The accuracy of indexes that were learned from fewer and fewer weeks.

The latest training weeks, where they are a fold, are judged, and no index learns from them. All
weeks before, the latest half of them, a quarter and an eighth show what each doubling of the data
has brought; the last one says most about the next. It is the index that grows with the data, and to
learn it costs little beside a whole training. So it alone is learned anew, with two thresholds on
the balance of its votes that decide. These take few baskets to see: they are fitted to half of the
judged ones, and judged on the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from basketwise.arrays import Flags, Floats, Matrix
from basketwise.config import IndexConfig
from basketwise.etl.gold.metadata import LearningCurve, LearningPoint
from basketwise.features.product_index.evidence import Evidence
from basketwise.features.product_index.learning import TABLE, LearnedIndex, learn_whole
from basketwise.features.product_index.pairs import Pairs, Singles, Weighting, sums
from basketwise.features.product_index.table import POSTERIORS
from basketwise.features.product_index.votes import SILENT, ballot
from basketwise.features.thresholds import apply_thresholds, fit_thresholds
from basketwise.pieces import Map, Result, here
from basketwise.schema import FOLD, INDEX_LABELS, UNCLASSIFIED

FEWEST_WEEKS = 3
"""Weeks to learn from without which there is no curve."""
HALVINGS = 3
FEWEST_JUDGED = 100
MOST_JUDGED = 20_000
"""Baskets that are judged, at most; drawn where there are more."""
MOST_ENTRIES = 4_000_000
"""Products of baskets that are learned from, at most; every point is thinned out alike."""

WORTH = 0.005
"""Accuracy that fewer weeks must gain to be preferred to all, ..."""
CLEAR = 3.0
"""... and how many of its standard errors."""


def learning_curve(
    evidence: Evidence,
    week: NDArray[np.integer],
    forward: Sequence[int],
    learned: LearnedIndex,
    config: IndexConfig,
    each: Map = here,
) -> LearningCurve:
    """Learn from nested sets of weeks, and judge on the same later baskets.

    Parameters
    ----------
    evidence : Evidence
        What the whole index is learned from.
    week : array
        The week of each of its baskets.
    forward : sequence of int
        The weeks that are judged: the latest, which are the last fold.
    learned : LearnedIndex
        The indexes of the folds; that of the last fold has learned from all weeks before.
    config : IndexConfig
        The settings of these indexes.
    each : Map
        Learns them.
    """
    known = np.setdiff1d(week, forward)
    if not forward or known.size < FEWEST_WEEKS:
        return LearningCurve(reason="there are too few training weeks")
    rng = np.random.default_rng(evidence.seed)
    late = week >= forward[0]
    classified = evidence.pairs.label != INDEX_LABELS.index(UNCLASSIFIED)
    judged = evidence.pairs.take(_drawn(late & classified, MOST_JUDGED, rng))
    if judged.label.size < FEWEST_JUDGED:
        return LearningCurve(reason="the latest weeks have too few baskets")
    entries = int(evidence.pairs.entries[~late].sum())
    kept = ~late & (rng.random(week.size) < MOST_ENTRIES / max(entries, 1))
    sizes = sorted({max(1, round(known.size / 2**halving)) for halving in range(HALVINGS + 1)})
    # Each point is taken from what all of them have, which is little of what there is.
    week = week[kept]
    firsts = [int(known[-size]) for size in sizes]
    learning = Learning(evidence.take(kept), week, learned.weighting, config)
    # The whole set's index is known already, if it was not thinned out.
    indexes = [] if entries > MOST_ENTRIES else [_of_fold(learned, evidence.folds - 1)]
    # Each limits BLAS too, and would lift the limit of the others when it is done.
    with threadpool_limits(1):
        # The largest first, beside which all the others are learned.
        anew = firsts[::-1][len(indexes) :]
        indexes += [result[TABLE] for result in each(learning, anew)]
    right = [
        _right(index.select(POSTERIORS).to_numpy().T, judged, learned.weighting)
        for index in indexes[::-1]
    ]
    points = [
        LearningPoint(
            weeks=size,
            baskets=int(((week >= first) & classified[kept]).sum()),
            accuracy=float(of_size.mean()),
            error=_error(of_size),
        )
        for size, first, of_size in zip(sizes, firsts, right, strict=True)
    ]
    gains = right[-1] - right[-2]
    return LearningCurve(
        judged_weeks=list(forward),
        judged_baskets=judged.label.size,
        points=points,
        gain=float(gains.mean()),
        error=_error(gains),
        best=_best(sizes, right, len(forward)),
    )


@dataclass(frozen=True)
class Learning:
    """Learns from the weeks of some evidence since a first one.

    ``week``: that of each of its baskets.
    """

    evidence: Evidence
    week: NDArray[np.integer]
    weighting: Weighting
    config: IndexConfig

    def __call__(self, first: int) -> Result:
        """Return the index as ``table``."""
        own = self.evidence.take(self.week >= first)
        return {TABLE: learn_whole(own, self.config, self.weighting)}


def _of_fold(learned: LearnedIndex, fold: int) -> pl.DataFrame:
    return learned.by_fold.filter(pl.col(FOLD) == fold)


def _best(sizes: list[int], right: list[Floats], judged: int) -> int | None:
    """Return the weeks of the best point, with the judged ones, if it is clearly the best."""
    best = max(range(len(sizes)), key=lambda k: right[k].mean())
    gains = right[best] - right[-1]
    clear = gains.mean() >= max(CLEAR * _error(gains), WORTH)
    return sizes[best] + judged if clear else None


def _drawn(wanted: Flags, most: int, rng: np.random.Generator) -> Flags:
    chosen = np.zeros(wanted.size, dtype=np.bool_)
    chosen[rng.permutation(np.flatnonzero(wanted))[:most]] = True
    return chosen


def _right(posterior: Matrix, judged: Pairs, weighting: Weighting) -> Floats:
    """Return for each judged basket whether an index tells its label: 1 or 0."""
    balances = _balances(posterior, judged, judged.shares(weighting))
    half, y = np.arange(judged.label.size) % 2 == 0, judged.label
    right = np.zeros(y.size)
    for own in (half, ~half):
        told = []
        for balance in balances:
            pieces = fit_thresholds(balance[own], y[own])
            told.append(apply_thresholds(pieces, balance) == y)
        right[~own] = max(told, key=lambda answers: answers[own].sum())[~own]
    return right


def _balances(posterior: Matrix, judged: Pairs, shares: Singles) -> list[Floats]:
    """Return each basket's balance: by expectation, and by the likeliest class of each product."""
    likeliest = np.eye(len(INDEX_LABELS), dtype=np.float32)[posterior.argmax(axis=0)].T
    balances = []
    for beliefs in (posterior, likeliest):
        votes = ballot(beliefs[:, judged.product], shares, judged.start, judged.basket())
        net, telling = sums(np.stack([votes.net, votes.telling]), judged.start)
        balances.append((net / np.maximum(telling, SILENT)).astype(np.float64))
    return balances


def _error(values: Floats) -> float:
    """Return the standard error of a mean of 0 and 1, or of their differences.

    One basket more is taken to differ: that none does among those that were judged is not certain.
    """
    return float(np.sqrt(values.var() * values.size + 1) / values.size)

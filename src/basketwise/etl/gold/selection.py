"""Which optional feature groups the models see: those that help with baskets that were left out.

A column that tells nothing costs time in every training and every request, and takes a reader's
attention. So a small booster is trained on a sample of the training baskets, once with the groups
that are always seen and then with one optional group more at a time. A group is added if it tells
the labels of the last fold clearly better: the latest weeks, if the test set is later than the
training set, for what helps within known weeks may not help in the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from basketwise.arrays import Flags, Floats
from basketwise.concurrency import worker_pool
from basketwise.etl.gold.metadata import Trial
from basketwise.etl.gold.samples import sample_features, sample_training
from basketwise.etl.gold.tables import class_numbers
from basketwise.features.groups import GROUPS, columns_of
from basketwise.features.product_index.lookup import score_by_fold
from basketwise.features.recipe import AddHistory, Recipe
from basketwise.importing import LOADING
from basketwise.pieces import Map, here
from basketwise.schema import (
    CLASSES,
    FOLD,
    KEY,
    TARGET,
)

MOST = 15_000
"""Baskets in the sample."""
FIRST = 4_000
"""Baskets with which is seen, in half of the rounds, whether anything is left to tell."""
FEWEST = 1_000
"""Baskets without which nothing can be said."""
KNOWN = 0.01
"""Mean log loss (nats) up to which nothing is left to tell."""
MISTAKES = 0.001
"""Share of errors of the index alone up to which nothing is left to tell either."""
GAIN = 0.02
"""Share of the log loss that a group must take away ..."""
ERRORS = 3.0
"""... and how many of its standard errors the gain must be."""
ROUNDS = 30
SETTINGS = {
    "objective": "multi:softprob",
    "num_class": len(CLASSES),
    "max_depth": 6,
    "eta": 0.3,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "tree_method": "hist",
    # More threads would add up in another order: what is chosen would depend on the machine.
    "nthread": 1,
}


def choose_groups(
    silver: Path,
    baskets: pl.DataFrame,
    recipe: Recipe,
    index: pl.DataFrame | None,
    tried: Sequence[str],
    *,
    seed: int,
    history: AddHistory | None = None,
    hidden: Callable[[], pl.DataFrame] | None = None,
    alone: float | None = None,
    each: Map = here,
) -> list[Trial]:
    """Try optional groups, the most helpful one first, until none helps.

    Parameters
    ----------
    silver : Path
        The silver folder.
    baskets : DataFrame
        One row per basket, with label and ``fold``.
    recipe : Recipe
        Its groups are seen in any case.
    index : DataFrame or None
        The stacked index of :class:`basketwise.etl.gold.tables.RowMaker`.
    tried : sequence of str
        Optional groups; without an index, those that need it are passed over.
    seed : int
        Draws the sample.
    history : callable or None
        Adds what was known of the customers; without it, groups that need it are passed over.
    hidden : callable or None
        Returns the features of baskets with hidden products, of all groups; see
        :func:`basketwise.etl.gold.hidden.hidden_features`. They count as any other basket, once it
        is seen that without them something is left to tell; only then is it called.
    alone : float or None
        The accuracy of the index alone, where it is known; see
        :func:`basketwise.etl.gold.learning_curve.learning_curve`.
    each : Map
        Reads the lines.

    Returns
    -------
    list of Trial
        One per group that was tried; empty if there is nothing left to tell, or too little to see.
    """
    if alone is not None and 1 - alone <= MISTAKES:
        return []
    optional = [
        name
        for name in tried
        if name not in recipe.groups
        and (index is not None or not GROUPS[name].needs_index)
        and (history is not None or not GROUPS[name].needs_history)
    ]
    sample = sample_training(baskets, MOST, seed)
    if not optional or sample.height < FEWEST:
        return []
    every = replace(recipe, groups=[*recipe.groups, *optional])
    score = None if index is None else partial(score_by_fold, index)
    table = sample_features(silver, sample, every, score, history, each).sort(KEY)
    judged = (table[FOLD] == table[FOLD].max()).to_numpy()
    if not judged.any() or judged.all():
        return []
    few = np.zeros(table.height, dtype=np.bool_)
    few[np.random.default_rng(seed).permutation(table.height)[:FIRST]] = True
    if _losses(table.filter(few), recipe.groups, judged[few], ROUNDS // 2).mean() <= KNOWN:
        return []
    if hidden is not None:
        table = pl.concat([table, hidden().select(table.columns)])
        judged = (table[FOLD] == table[FOLD].max()).to_numpy()
    return _forward(table, recipe.groups, optional, judged)


def _forward(
    table: pl.DataFrame, groups: Sequence[str], optional: list[str], judged: Flags
) -> list[Trial]:
    chosen, gains = list(groups), dict[str, Floats]()
    with worker_pool() as pool:

        def losses_with(each: Sequence[Sequence[str]]) -> list[Floats]:
            return list(pool.map(lambda more: _losses(table, [*chosen, *more], judged), each))

        best, *losses = losses_with([[], *([name] for name in optional)])
        waiting = list(optional)
        while waiting:
            gains |= {name: best - own for name, own in zip(waiting, losses, strict=True)}
            helpful = [name for name in waiting if _helps(gains[name], best)]
            if not helpful:
                break
            chosen.append(max(helpful, key=lambda name: gains[name].mean()))
            best = best - gains[chosen[-1]]
            waiting.remove(chosen[-1])
            losses = losses_with([[name] for name in waiting])
    return [
        Trial(
            group=name,
            gain=float(gains[name].mean()),
            error=_error(gains[name]),
            chosen=name in chosen,
        )
        for name in optional
    ]


def _helps(gain: Floats, before: Floats) -> bool:
    return bool(gain.mean() > max(GAIN * before.mean(), ERRORS * _error(gain)))


def _error(gain: Floats) -> float:
    return float(gain.std() / np.sqrt(gain.size))


def _losses(
    table: pl.DataFrame, groups: Sequence[str], judged: Flags, rounds: int = ROUNDS
) -> Floats:
    """Return the log loss (nats) of each left-out basket, by a booster of the others."""
    with LOADING:
        import xgboost

    X = table.select(columns_of(groups)).to_numpy().astype(np.float32)
    y = class_numbers(table[TARGET])
    rows = {True: np.flatnonzero(judged), False: np.flatnonzero(~judged)}
    learned = xgboost.QuantileDMatrix(X[rows[False]], label=y[rows[False]], nthread=1)
    booster = xgboost.train({**SETTINGS, "seed": 1}, learned, rounds)
    probabilities = booster.inplace_predict(X[rows[True]])
    own = probabilities[np.arange(rows[True].size), y[rows[True]]]
    return np.asarray(-np.log(np.maximum(own, 1e-6)), dtype=np.float64)

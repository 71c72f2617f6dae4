"""A random forest grows as long as more trees pay.

What a forest's trees disagree on averages out with their number: soon, more of them change next to
nothing, and cost as much as the first ones. How far that has come is seen without any other data.
Each tree is asked about baskets that it was not grown on, and the mean of the answers is judged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from basketwise.arrays import Counts, Floats, Labels, Matrix, spaced

STEP = 10
"""Trees between two looks."""
JUDGED = 5_000
"""Baskets that the forest is judged on, at most."""
GAIN = 0.01
"""Share of the Brier score that a step must take away for another one to be taken, ..."""
LEAST = 1e-4
"""... and the least that counts at all."""


def grow(forest: Any, X: Matrix, y: Labels) -> None:
    """Fit a random forest in place with as many trees as pay, at most its ``n_estimators``.

    Its trees are the first ones of the forest with all of them, to the bit; ``n_estimators`` is how
    many there are in the end.

    Parameters
    ----------
    forest : RandomForestClassifier
        Untrained. One that does not draw baskets for each tree is fitted whole: every tree has seen
        every basket.
    X : array
        Rows of features.
    y : array
        Class numbers.
    """
    most, bootstrap = forest.n_estimators, forest.bootstrap
    if not bootstrap or not isinstance(most, int) or most <= 2 * STEP:
        forest.fit(X, y)
        return
    own = np.arange(y.size)[spaced(y.size, JUDGED)]
    given = forest.warm_start
    forest.warm_start = True
    total, asked = np.zeros((0, 0)), np.zeros(0)
    former, trees = np.inf, 0
    while trees < most:
        forest.n_estimators = min(trees + STEP, most)
        forest.fit(X, y)
        if not trees:
            total, asked = np.zeros((own.size, forest.classes_.size)), np.zeros(own.size)
        _ask(forest, trees, X, own, total, asked)
        score = _brier(total, asked, np.searchsorted(forest.classes_, y[own]).astype(np.int8))
        trees = forest.n_estimators
        if former - score < max(GAIN * score, LEAST):
            break
        former = score
    forest.warm_start = given


def _ask(forest: Any, first: int, X: Matrix, rows: Counts, total: Floats, asked: Floats) -> None:
    """Add up what the trees from the first new one on answer about rows that they have not seen."""
    drawn = forest.estimators_samples_
    for tree, seen in zip(forest.estimators_[first:], drawn[first:], strict=True):
        mark = np.zeros(X.shape[0], dtype=np.bool_)
        mark[seen] = True
        new = ~mark[rows]
        total[new] += tree.tree_.predict(X[rows[new]])[:, : total.shape[1]]
        asked += new


def _brier(total: Floats, asked: Floats, y: Labels) -> float:
    """Return the mean Brier score of the rows about which some tree was asked."""
    some = asked > 0
    wrong = total[some] / asked[some, None]
    wrong[np.arange(wrong.shape[0]), y[some]] -= 1
    return float((wrong**2).sum(axis=1).mean()) if some.any() else 0.0

"""Out-of-fold predictions, on the folds that the product index was learned with.

The folds must be the same: a basket's product features come from an index that has not seen its
fold, so a model that has not seen it either knows nothing of its label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Labels, Probabilities
from basketwise.config import ModelName, TrainingConfig
from basketwise.training.boosting import learn
from basketwise.training.candidates import build
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.examples import Examples


def fit_fold(
    name: ModelName,
    fold: int,
    train: Examples,
    config: TrainingConfig,
    checkpoints: Checkpoints = NOWHERE,
    piece: str = "",
) -> Probabilities:
    """Fit a candidate on the other folds and score one.

    Parameters
    ----------
    name : str
        The candidate.
    fold : int
        The fold to score.
    train : Examples
        The whole training part.
    config : TrainingConfig
        Settings; at most ``cv_max_baskets`` baskets are fitted (0: all), every basket of the fold
        is scored.
    checkpoints : Checkpoints
        Where the way to the fitted model is kept; the probabilities are not kept here.
    piece : str
        What it is kept for.

    Returns
    -------
    array of float64, shape (baskets in the fold, classes)
    """
    rows = _fitted_rows(train.fold, fold, config.cv_max_baskets, config.random_state)
    model = build(name, config, rows.size)
    learn(name, model, train.X[rows], train.y[rows], config, checkpoints, piece)
    return model.predict_proba(train.X[train.fold == fold])


def _fitted_rows(folds: NDArray[np.int8], fold: int, most: int, seed: int) -> NDArray[np.intp]:
    rows = np.flatnonzero(folds != fold)
    if not most or rows.size <= most:
        return rows
    chosen = np.random.default_rng([seed, fold]).choice(rows, most, replace=False)
    return np.sort(chosen)


def fold_accuracies(train: Examples, predicted: Labels) -> NDArray[np.float64]:
    """Return the accuracy within each fold."""
    right = (predicted == train.y).astype(np.float64)
    return np.bincount(train.fold, right) / np.bincount(train.fold)

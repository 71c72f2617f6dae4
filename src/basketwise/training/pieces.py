"""All fits of a training, side by side: each candidate on every fold, and on the whole part.

A piece depends on the data and the settings alone, never on another piece or on the order in which
they finish, so any number of workers gives the same models.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np

from basketwise.concurrency import abandoning_pool
from basketwise.config import ModelName, TrainingConfig
from basketwise.schema import CLASSES
from basketwise.training.candidates import Classifier, Matrix, Probabilities, build
from basketwise.training.crossval import fit_fold
from basketwise.training.examples import Examples

WORKERS = 2
"""Fits at a time; the estimators release Python's lock while they work."""

SLOWEST_FIRST: tuple[ModelName, ...] = ("random_forest", "xgboost", "logistic", "decision_tree")
"""Long pieces start first, so that no worker is left alone with one at the end."""

PREDICT_ROWS = 50_000
"""Rows scored at a time: an ensemble's working memory stays bounded."""

Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Fitted:
    """A model fitted on the whole training part."""

    model: Classifier
    seconds: float

    def predict(self, X: Matrix) -> Probabilities:
        """Return the probabilities of many rows, in pieces."""
        starts = range(0, len(X), PREDICT_ROWS)
        return np.concatenate(
            [self.model.predict_proba(X[start : start + PREDICT_ROWS]) for start in starts]
        )


def fit(name: ModelName, train: Examples, config: TrainingConfig) -> Fitted:
    """Fit a candidate on the whole training part."""
    started = time.perf_counter()
    model = build(name, config, train.y.size).fit(train.X, train.y)
    return Fitted(model, time.perf_counter() - started)


def train_all(
    train: Examples, config: TrainingConfig, tick: Tick
) -> tuple[dict[ModelName, Probabilities], dict[ModelName, Fitted]]:
    """Cross-validate and fit every candidate.

    Returns
    -------
    out_of_fold : dict
        Per candidate, one row of class probabilities per training basket, from a model that has
        not seen the basket's fold.
    fitted : dict
        Per candidate, the model of the whole training part.
    """
    order = [name for name in SLOWEST_FIRST if name in config.models]
    folds = range(config.folds)
    for name in order:
        # Also imports its library: two threads that do so at once meet half-loaded modules.
        build(name, config, train.y.size)
    with abandoning_pool(WORKERS) as pool:
        whole = {name: pool.submit(fit, name, train, config) for name in order}
        scored = {
            (name, fold): pool.submit(fit_fold, name, fold, train, config)
            for name in order
            for fold in folds
        }
        work: list[Future[Any]] = [*whole.values(), *scored.values()]
        for done, future in enumerate(as_completed(work), start=1):
            future.result()
            tick("models fitted", done, len(work))
    out_of_fold = {
        name: np.zeros((train.y.size, len(CLASSES)), dtype=np.float64) for name in config.models
    }
    for (name, fold), future in scored.items():
        out_of_fold[name][train.fold == fold] = future.result()
    return out_of_fold, {name: whole[name].result() for name in config.models}

"""All fits of a training, side by side: each candidate on every fold, and on the whole part.

A piece depends on the data and the settings alone, never on another piece or on the order in which
they finish, so any number of workers gives the same models, and so does a training that was
interrupted between two of them.
"""

from __future__ import annotations

from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np

from basketwise.arrays import Matrix, Probabilities
from basketwise.concurrency import abandoning_pool
from basketwise.config import ModelName, TrainingConfig
from basketwise.progress import Tick
from basketwise.schema import CLASSES
from basketwise.training.boosting import learn
from basketwise.training.candidates import Classifier, build
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.crossval import fit_fold
from basketwise.training.examples import Examples
from basketwise.training.payloads import (
    drop_progress,
    keep_model,
    keep_probabilities,
    recall_model,
    recall_probabilities,
)

WORKERS = 2
"""Fits at a time; the estimators release Python's lock while they work."""

SLOWEST_FIRST: tuple[ModelName, ...] = ("random_forest", "xgboost", "logistic", "decision_tree")
"""Long pieces start first, so that no worker is left alone with one at the end."""

PREDICT_ROWS = 50_000
"""Rows scored at a time: an ensemble's working memory stays bounded."""


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


def fit(
    name: ModelName,
    train: Examples,
    config: TrainingConfig,
    checkpoints: Checkpoints = NOWHERE,
    piece: str = "",
) -> Fitted:
    """Fit a candidate on the whole training part, or recall the fit.

    Parameters
    ----------
    name : str
        The candidate.
    train : Examples
        The training part.
    config : TrainingConfig
        Settings.
    checkpoints : Checkpoints
        Where the fit, and the way to it, is kept.
    piece : str
        What it is kept as; the candidate's name by default.
    """
    piece = piece or name
    recalled = _recall_fit(checkpoints, piece)
    if recalled:
        return recalled
    model = build(name, config, train.y.size)
    seconds = learn(name, model, train.X, train.y, config, checkpoints, piece)
    keep_model(checkpoints, piece, model, seconds)
    drop_progress(checkpoints, piece)
    return Fitted(model, seconds)


def train_all(
    train: Examples, config: TrainingConfig, tick: Tick, checkpoints: Checkpoints = NOWHERE
) -> tuple[dict[ModelName, Probabilities], dict[ModelName, Fitted]]:
    """Cross-validate and fit every candidate, but for the pieces that are kept already.

    Parameters
    ----------
    train : Examples
        The training part.
    config : TrainingConfig
        Settings.
    tick : callable
        Told of progress; pieces that are kept already count as done at once.
    checkpoints : Checkpoints
        Where finished pieces are kept; those of other trainings are removed.

    Returns
    -------
    out_of_fold : dict
        Per candidate, one row of class probabilities per training basket, from a model that has
        not seen the basket's fold.
    fitted : dict
        Per candidate, the model of the whole training part.
    """
    order = [name for name in SLOWEST_FIRST if name in config.models]
    for name in order:
        # Also imports its library: two threads that do so at once meet half-loaded modules.
        build(name, config, train.y.size)
    checkpoints.prepare()
    sizes = np.bincount(train.fold, minlength=config.folds)
    fitted = {name: _recall_fit(checkpoints, name) for name in order}
    scored = {
        (name, fold): recall_probabilities(checkpoints, _of_fold(name, fold), int(sizes[fold]))
        for name in order
        for fold in range(config.folds)
    }
    with abandoning_pool(WORKERS) as pool:
        fits = {
            name: pool.submit(fit, name, train, config, checkpoints)
            for name, kept in fitted.items()
            if kept is None
        }
        scores = {
            (name, fold): pool.submit(_score_fold, name, fold, train, config, checkpoints)
            for (name, fold), kept in scored.items()
            if kept is None
        }
        work: list[Future[Any]] = [*fits.values(), *scores.values()]
        total = len(fitted) + len(scored)
        recalled = total - len(work)
        if recalled:
            tick("models fitted", recalled, total)
        for done, future in enumerate(as_completed(work), start=recalled + 1):
            future.result()
            tick("models fitted", done, total)
    out_of_fold = {
        name: np.zeros((train.y.size, len(CLASSES)), dtype=np.float64) for name in config.models
    }
    for (name, fold), kept in scored.items():
        rows = scores[name, fold].result() if kept is None else kept
        out_of_fold[name][train.fold == fold] = rows
    return out_of_fold, {name: fitted[name] or fits[name].result() for name in config.models}


def _recall_fit(checkpoints: Checkpoints, piece: str) -> Fitted | None:
    recalled = recall_model(checkpoints, piece)
    return Fitted(*recalled) if recalled else None


def _score_fold(
    name: ModelName, fold: int, train: Examples, config: TrainingConfig, checkpoints: Checkpoints
) -> Probabilities:
    piece = _of_fold(name, fold)
    probabilities = fit_fold(name, fold, train, config, checkpoints, piece)
    keep_probabilities(checkpoints, piece, probabilities)
    drop_progress(checkpoints, piece)
    return probabilities


def _of_fold(name: ModelName, fold: int) -> str:
    return f"{name}-fold-{fold}"

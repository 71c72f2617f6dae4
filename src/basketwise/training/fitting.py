"""Fits a candidate on a fold's rest, or on the whole training set.

The folds are those that the product index was learned with: a basket's product features come from
an index that has not seen its fold, so a model that has not seen it either knows nothing of its
label. Each fit is a piece: it depends on nothing that another piece makes, so whatever is finished
is stored, and a training that was interrupted fits what is missing and ends with the same result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from basketwise.arrays import Counts, Matrix, Probabilities
from basketwise.candidates import CANDIDATES
from basketwise.config import ModelName, TrainingConfig
from basketwise.training.boosting import remove_progress
from basketwise.training.candidates import Classifier, build, fit_candidate
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.examples import Examples, learned_from
from basketwise.training.persistence import store_model, store_probabilities, stored_model
from basketwise.training.record import DistributedFit

PREDICT_ROWS = 50_000
"""Rows scored at a time: an ensemble's working memory stays bounded."""


@dataclass(frozen=True)
class Fitted:
    """A model fitted on the whole training set."""

    model: Classifier
    seconds: float
    distributed: DistributedFit | None = None
    """Who made the fit, if that was not this process."""

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
    most: int = 0,
) -> Fitted:
    """Fit a candidate on the whole training set, or take the fit that is stored.

    Of the rows it learns from those that :func:`learned_from` marks, or as many of them as suit it,
    and at most so many (0: all). It is stored under the name of the ``piece``; by default, the
    candidate's.
    """
    piece = piece or name
    recalled = stored_fit(checkpoints, piece)
    if recalled:
        return recalled
    rows = np.flatnonzero(learned_from(train))
    rows = _drawn(rows, _limit(name, rows.size, most), [config.random_state])
    learned = train if rows.size == train.y.size else train.take(rows)
    model = build(name, config, learned.y.size)
    seconds = fit_candidate(name, model, learned.X, learned.y, config, checkpoints, piece)
    store_model(checkpoints, piece, model, seconds)
    remove_progress(checkpoints, piece)
    return Fitted(model, seconds)


class FoldFit(NamedTuple):
    """A model that has not seen a fold, and its probabilities of the fold's baskets."""

    fitted: Fitted
    probabilities: Probabilities


def fit_fold(
    name: ModelName,
    fold: int,
    train: Examples,
    config: TrainingConfig,
    checkpoints: Checkpoints = NOWHERE,
    judged: Examples | None = None,
) -> FoldFit:
    """Fit a candidate on the other folds and score one, which is stored.

    At most ``cv_max_baskets`` baskets are fitted (0: all). Every basket of the fold is scored, or
    those among ``judged``.
    """
    piece, asked = of_fold(name, fold), train if judged is None else judged
    fitted = _fit_others(name, fold, train, config, checkpoints)
    probabilities = fitted.model.predict_proba(asked.X[asked.fold == fold])
    store_probabilities(checkpoints, piece, probabilities)
    remove_progress(checkpoints, piece)
    return FoldFit(fitted, probabilities)


def fit_compared(
    name: ModelName,
    fold: int,
    train: Examples,
    config: TrainingConfig,
    checkpoints: Checkpoints = NOWHERE,
    known: Fitted | None = None,
) -> Fitted:
    """Return a model of a candidate that lost, to be compared with the winner's.

    It learns from at most ``compared_max_baskets``. Where that is no more than the model of a fold
    has learned from, it is that model: ``known``, or fitted once more, to the same end.
    """
    own = learned_from(train)
    limit = _limit(name, int(own.sum()), config.compared_max_baskets)
    others = int((own & (train.fold != fold)).sum())
    if min(others, config.cv_max_baskets or others) < limit:
        return fit(name, train, config, checkpoints, most=config.compared_max_baskets)
    fitted = known or _fit_others(name, fold, train, config, checkpoints)
    store_model(checkpoints, name, fitted.model, fitted.seconds)
    remove_progress(checkpoints, of_fold(name, fold))
    return fitted


def _fit_others(
    name: ModelName, fold: int, train: Examples, config: TrainingConfig, checkpoints: Checkpoints
) -> Fitted:
    rows = np.flatnonzero((train.fold != fold) & learned_from(train))
    if config.cv_max_baskets:
        rows = _drawn(rows, config.cv_max_baskets, [config.random_state, fold])
    model = build(name, config, rows.size)
    X, y, piece = train.X[rows], train.y[rows], of_fold(name, fold)
    return Fitted(model, fit_candidate(name, model, X, y, config, checkpoints, piece))


def _limit(name: ModelName, rows: int, most: int) -> int:
    return min(rows, CANDIDATES[name].most or rows, most or rows)


def _drawn(rows: Counts, most: int, seed: list[int]) -> Counts:
    """Draw rows, if there are more than so many; their order stays."""
    if rows.size <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def stored_fit(checkpoints: Checkpoints, piece: str) -> Fitted | None:
    """Return a model that is stored under the name of a piece."""
    recalled = stored_model(checkpoints, piece)
    return Fitted(*recalled) if recalled else None


def of_fold(name: ModelName, fold: int) -> str:
    """Name the piece of a candidate and a fold."""
    return f"{name}-fold-{fold}"

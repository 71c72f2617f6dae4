"""Fits every candidate on each fold's rest and then on the whole training set, side by side.

The folds are those that the product index was learned with: a basket's product features come from
an index that has not seen its fold, so a model that has not seen it either knows nothing of its
label. Each fit is a piece: it depends on nothing that another piece makes, so whatever is finished
is stored, and a training that was interrupted fits what is missing and ends with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import numpy as np

from basketwise.arrays import Counts, Matrix, Probabilities
from basketwise.candidates import CANDIDATES
from basketwise.concurrency import abandoning_pool
from basketwise.config import ModelName, TrainingConfig
from basketwise.progress import Tick
from basketwise.schema import CLASSES
from basketwise.training.boosting import remove_progress
from basketwise.training.candidates import Classifier, build, fit_candidate
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.examples import Examples, learned_from
from basketwise.training.persistence import (
    store_model,
    store_probabilities,
    stored_model,
    stored_probabilities,
)
from basketwise.training.record import DistributedFit

Key = TypeVar("Key")
Made = TypeVar("Made")

Choose: TypeAlias = Callable[[Mapping[ModelName, Probabilities]], ModelName]
"""Names the winner by the out-of-fold predictions of all candidates."""

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
    recalled = _stored_fit(checkpoints, piece)
    if recalled:
        return recalled
    rows = np.flatnonzero(learned_from(train))
    limit = min(CANDIDATES[name].most or rows.size, most or rows.size)
    rows = _drawn(rows, limit, [config.random_state])
    learned = train if rows.size == train.y.size else train.take(rows)
    model = build(name, config, learned.y.size)
    seconds = fit_candidate(name, model, learned.X, learned.y, config, checkpoints, piece)
    store_model(checkpoints, piece, model, seconds)
    remove_progress(checkpoints, piece)
    return Fitted(model, seconds)


def fit_fold(
    name: ModelName,
    fold: int,
    train: Examples,
    config: TrainingConfig,
    checkpoints: Checkpoints = NOWHERE,
) -> Probabilities:
    """Fit a candidate on the other folds and score one, which is stored.

    At most ``cv_max_baskets`` baskets are fitted (0: all), every basket of the fold is scored.
    """
    piece, most = _of_fold(name, fold), config.cv_max_baskets
    rows = np.flatnonzero((train.fold != fold) & learned_from(train))
    if most:
        rows = _drawn(rows, most, [config.random_state, fold])
    model = build(name, config, rows.size)
    fit_candidate(name, model, train.X[rows], train.y[rows], config, checkpoints, piece)
    probabilities = model.predict_proba(train.X[train.fold == fold])
    store_probabilities(checkpoints, piece, probabilities)
    remove_progress(checkpoints, piece)
    return probabilities


def train_all(
    train: Examples,
    config: TrainingConfig,
    tick: Tick,
    checkpoints: Checkpoints = NOWHERE,
    choose: Choose | None = None,
    elsewhere: Mapping[ModelName, Callable[[], Fitted]] = MappingProxyType({}),
) -> tuple[dict[ModelName, Probabilities], dict[ModelName, Fitted]]:
    """Cross-validate and fit every candidate, but for the pieces that are stored already.

    Per candidate, the first result has one row of class probabilities per training basket, from a
    model that has not seen the basket's fold; the second, the model of the whole training set.
    ``choose`` names the winner by the first: the others then learn from no more baskets than it
    takes to compare them with it (``compared_max_baskets``). If the winner is one of ``elsewhere``,
    its final fit is made by that. Checkpoints of other trainings are removed.
    """
    order = sorted(config.models, key=lambda name: -CANDIDATES[name].weight)
    for name in order:
        # Also imports its library: two threads that do so at once meet half-loaded modules.
        build(name, config, train.y.size - train.hidden)
    checkpoints.prepare()
    sizes = np.bincount(train.fold, minlength=config.folds)
    fitted = {name: _stored_fit(checkpoints, name) for name in order}
    scored = {
        (name, fold): stored_probabilities(checkpoints, _of_fold(name, fold), int(sizes[fold]))
        for name in order
        for fold in range(config.folds)
    }
    total = len(fitted) + len(scored)
    made = total - sum(piece is None for piece in (*fitted.values(), *scored.values()))
    if made:
        tick("models fitted", made, total)

    def finish(work: Mapping[Key, Future[Made]]) -> dict[Key, Made]:
        nonlocal made
        for future in as_completed(work.values()):
            future.result()
            made += 1
            tick("models fitted", made, total)
        return {key: future.result() for key, future in work.items()}

    with abandoning_pool() as pool:
        scores = finish(
            {
                (name, fold): pool.submit(fit_fold, name, fold, train, config, checkpoints)
                for (name, fold), stored in scored.items()
                if stored is None
            }
        )
        out_of_fold = {
            name: np.zeros((train.y.size, len(CLASSES)), dtype=np.float64) for name in config.models
        }
        for (name, fold), stored in scored.items():
            rows = scores[name, fold] if stored is None else stored
            out_of_fold[name][train.fold == fold] = rows
        winner = choose(out_of_fold) if choose else None
        compared = {
            name: 0 if winner in (None, name) else config.compared_max_baskets for name in order
        }
        # The winner first, which may take as long as all others.
        order.sort(key=lambda name: compared[name] > 0)
        fits = finish(
            {
                name: pool.submit(elsewhere[name])
                if name == winner and name in elsewhere
                else pool.submit(fit, name, train, config, checkpoints, most=compared[name])
                for name in order
                if fitted[name] is None
            }
        )
    return out_of_fold, {name: fitted[name] or fits[name] for name in config.models}


def _drawn(rows: Counts, most: int, seed: list[int]) -> Counts:
    """Draw rows, if there are more than so many; their order stays."""
    if rows.size <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _stored_fit(checkpoints: Checkpoints, piece: str) -> Fitted | None:
    recalled = stored_model(checkpoints, piece)
    return Fitted(*recalled) if recalled else None


def _of_fold(name: ModelName, fold: int) -> str:
    return f"{name}-fold-{fold}"

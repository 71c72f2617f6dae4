"""A second model, for baskets with new products.

Most products of most baskets are known, and what decides those baskets is sharp: a model that also
learned from baskets whose products are partly unknown would doubt it. So the winner is trained on
baskets without new products; and a small booster, for the others alone, on baskets with new
products, really new ones and hidden ones (:mod:`basketwise.etl.gold.hidden`). From which share of
new products on the second model answers is decided by baskets that neither of the two has seen;
what really new products mean there counts more than what hidden ones do. Where it would never be
better, there is none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Flags, Floats, Labels, Probabilities
from basketwise.candidates import CANDIDATES
from basketwise.concurrency import worker_pool
from basketwise.config import TrainingConfig
from basketwise.features.product import NEW_BANDS
from basketwise.schema import CLASSES
from basketwise.training.calibrating import fit_calibration
from basketwise.training.calibration import (
    Calibration,
    calibrate,
    log_losses,
    shipped,
)
from basketwise.training.examples import Examples
from basketwise.training.fitting import Fitted
from basketwise.training.predictions import decide
from basketwise.training.weights import real_or_hidden

MOST = 20_000
"""Baskets that the second model learns from; those without new products fill up."""
FEWEST = 200
"""Baskets with new products, really new or hidden, without which there is no second model."""
ALGORITHM = "xgboost"
PARAMETERS = {
    "n_estimators": 80,
    "max_depth": 4,
    "learning_rate": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
}
"""Of the second model, whatever the winner is: a small booster, whose probabilities can be trusted
with few baskets to learn from."""
ERRORS = 2.0
"""Standard errors by which it must be worse in two folds for the others not to be asked."""
LEAST = 1e-6
"""Probabilities below it are taken as it, so that a single basket does not decide."""


@dataclass(frozen=True)
class Novelty:
    """The second model: it answers for baskets with more than ``share`` of new products."""

    share: float
    fitted: Fitted
    calibration: Calibration


def fit_novelty(
    rows: Examples,
    out_of_fold: Probabilities,
    winner: Calibration,
    config: TrainingConfig,
) -> Novelty | None:
    """Fit the second model, if it is of use.

    Parameters
    ----------
    rows : Examples
        The training baskets, then those with hidden products.
    out_of_fold : array
        The winner's predictions of all of them.
    winner : Calibration
        The winner's calibration, fitted on all training baskets.
    config : TrainingConfig
        The seed.
    """
    share = rows.new_shares
    new = share > 0
    if rows.hidden == 0 or new.sum() < FEWEST:
        return None
    seed = config.random_state
    learned = _sample(rows, new, seed)
    folds = [int(fold) for fold in np.unique(rows.fold)]
    without = {fold: learned & (rows.fold != fold) for fold in folds}
    if any(np.unique(rows.y[others]).size < len(CLASSES) for others in without.values()):
        return None

    def fitted(learned: Flags) -> Fitted:
        return _fitted(rows.take(np.flatnonzero(learned)), seed)

    answers = np.zeros((rows.y.size, len(CLASSES)))
    weight = real_or_hidden(rows)
    first, last = folds[0], folds[-1]
    with worker_pool() as pool:

        def ask(folds: Sequence[int]) -> None:
            for fold, model in zip(
                folds, pool.map(fitted, [without[fold] for fold in folds]), strict=True
            ):
                own = new & (rows.fold == fold)
                answers[own] = model.predict(rows.X[own])

        ask([last, first])
        wrong = [weight * (decide(given) != rows.y) for given in (out_of_fold, answers)]
        if _is_hopeless(wrong[1] - wrong[0], share, rows.fold, (first, last)):
            return None
        whole = pool.submit(fitted, learned)
        ask(folds[1:-1])
    fitted_on = new & ~rows.is_real
    calibration = fit_calibration("auto", answers[fitted_on], rows.y[fitted_on])
    limit = _limit(
        share[new],
        weight[new],
        rows.y[new],
        calibrate(out_of_fold[new], winner),
        calibrate(answers[new], calibration),
    )
    if limit is None:
        return None
    return Novelty(limit, whole.result(), calibration)


def _is_hopeless(
    more_errors: Floats, share: Floats, fold: NDArray[np.int8], known: tuple[int, int]
) -> bool:
    """Whether two folds show that the second model makes more errors, wherever it answers.

    The last one stands for itself, the first one for all others.
    """
    new = share > 0
    first, last = (new & (fold == number) for number in known)
    times = (new & ~last).sum() / max(first.sum(), 1)
    expected = np.where(last, more_errors, np.where(first, times * more_errors, 0.0))
    return all(
        expected[share > limit].sum() > ERRORS * np.sqrt((expected[share > limit] ** 2).sum())
        for limit in NEW_BANDS
    )


def _limit(
    share: Floats, weight: Floats, y: Labels, first: Probabilities, second: Probabilities
) -> float | None:
    """Return the share above which the second model is better, in log loss and in errors."""
    losses = [log_losses(probabilities, y, LEAST) for probabilities in (first, second)]
    errors = [(decide(probabilities) != y).astype(np.float64) for probabilities in (first, second)]

    def total(limit: float, costs: list[Floats]) -> float:
        return float((weight * np.where(share > limit, costs[1], costs[0])).sum())

    # At 1, the second model never answers.
    possible = [limit for limit in NEW_BANDS if total(limit, errors) <= total(1, errors)]
    best = min([1.0, *reversed(possible)], key=lambda limit: total(limit, losses))
    return best if best < 1 else None


def _sample(rows: Examples, new: Flags, seed: int) -> Flags:
    """Mark the rows that the second model learns from."""
    rng = np.random.default_rng(seed)
    learned = np.zeros(new.size, dtype=np.bool_)
    for group in (np.flatnonzero(new), np.flatnonzero(~new)):
        room = min(MOST - int(learned.sum()), group.size)
        learned[rng.choice(group, room, replace=False)] = True
    return learned


def _fitted(rows: Examples, seed: int) -> Fitted:
    started = time.perf_counter()
    model = CANDIDATES[ALGORITHM].build(PARAMETERS | {"random_state": seed}, None)
    model.fit(rows.X, rows.y)
    return Fitted(model, time.perf_counter() - started)


def calibrated(
    rows: Examples, winner: Probabilities, calibration: Calibration, novelty: Novelty | None
) -> Probabilities:
    """Return what is shipped: the winner's probabilities and the second model's, calibrated."""
    if novelty is None:
        return calibrate(winner, calibration)
    second = novelty.fitted
    return shipped(
        winner, rows.new_shares, calibration, lambda answered: second.predict(rows.X[answered])
    )

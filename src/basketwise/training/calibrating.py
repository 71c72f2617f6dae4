"""Chooses what is done to the winner's probabilities, and fits it to out-of-fold predictions."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Flags, Floats, Labels, Probabilities, spaced
from basketwise.concurrency import worker_pool
from basketwise.schema import CLASSES
from basketwise.training.calibration import (
    HIGHEST,
    LOWEST,
    MAX_FLOOR,
    SMALLEST,
    Calibration,
    Curve,
    Method,
    above_floor,
    calibrate,
    in_single_precision,
    log_losses,
    shifted_logs,
    through_curves,
    uncalibrated,
)
from basketwise.training.predictions import decide

METHODS: tuple[Method, ...] = ("none", "temperature", "isotonic")
"""The simplest first."""
GAIN = 0.002
"""Share of the log loss that a method must take away to be preferred to a simpler one."""
COMPARED = 100_000
"""Rows that the methods are compared on, at most: what is chosen is then fitted on all."""


def fit_calibration(
    method: Method | Literal["auto"],
    probabilities: Probabilities,
    y: Labels,
    fold: NDArray[np.int8] | None = None,
    weights: Floats | None = None,
) -> Calibration:
    """Learn from out-of-fold predictions how reliable the probabilities are.

    ``temperature`` is temperature scaling: the softmax of the logarithms, divided by the one
    number that minimises the log loss (Guo, Pleiss, Sun and Weinberger, On Calibration of Modern
    Neural Networks, 2017). ``isotonic`` is isotonic regression of each class against the others,
    then normalised (Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass
    Probability Estimates, 2002). ``auto`` is whatever has the smallest log loss on folds that it
    was not fitted on; of nearly equal ones, the simplest.

    Where no row is wrong there is nothing to learn from, and every method would only claim
    certainty: then only the floor is applied. It is 1 / (rows + 3), the probability of an event
    that none of the rows has shown, by Laplace's rule of succession for three classes.

    Parameters
    ----------
    method : str
        What may be learned.
    probabilities : array
        Out-of-fold predictions.
    y : array
        The classes' numbers.
    fold : array or None
        The fold of each row, for ``auto``; None: every fifth row is of one.
    weights : array or None
        Weight of each row; None: all are equal.
    """
    rows = Predictions(
        in_single_precision(probabilities),
        y,
        np.arange(y.size) % 5 if fold is None else fold,
        np.ones(y.size) if weights is None else weights,
    )
    # In single precision, a smaller one would leave a 1 as it is.
    floor = min(max(1 / (y.size + len(CLASSES)), SMALLEST), MAX_FLOOR)
    seen = f"{y.size:,} out-of-fold predictions of the training set"
    if method == "none":
        why = "Not calibrated: the probabilities are those of the algorithm"
        return uncalibrated(f"{why}, at least {floor:.2g}.", floor)
    if (decide(rows.judged) == y).all():
        why = f"Not calibrated: none of the {seen} is wrong, so there is nothing to learn from"
        return uncalibrated(f"{why}; no probability is below {floor:.2g}.", floor)
    if method != "auto":
        return _fit(method, rows, floor)
    if np.unique(rows.fold).size < 2:
        return uncalibrated(
            f"Not calibrated: the {seen} are of one fold, so nothing compares.", floor
        )
    some = rows.only(spaced(y.size, COMPARED))
    with worker_pool() as pool:
        crossed = pool.map(lambda name: _cross_fitted(name, some, floor), METHODS)
        losses = dict(zip(METHODS, crossed, strict=True))
    best = METHODS[0]
    for name in METHODS[1:]:
        if losses[name] < (1 - GAIN) * losses[best]:
            best = name
    compared = ", ".join(f"{name} {loss:.4g}" for name, loss in losses.items())
    fitted = _fit(best, rows, floor)
    description = f"{fitted.description} Log loss on folds that it was not fitted on: {compared}."
    return fitted.model_copy(update={"description": description})


class Predictions(NamedTuple):
    """Out-of-fold predictions: probabilities in single precision, classes, folds and weights."""

    judged: Probabilities
    y: Labels
    fold: NDArray[np.integer]
    weights: Floats

    def only(self, rows: Flags | slice) -> Predictions:
        """Select some of the rows."""
        return Predictions(self.judged[rows], self.y[rows], self.fold[rows], self.weights[rows])


def _fit(method: Method, rows: Predictions, floor: float) -> Calibration:
    seen = f"{rows.y.size:,} out-of-fold predictions of the training set"
    if method == "none":
        return uncalibrated(f"Not calibrated, as is best for {seen}.", floor)
    if method == "temperature":
        temperature = _fit_temperature(rows, floor)
        description = f"Temperature {temperature:g}, fitted on {seen}: {_effect(temperature)}."
        return Calibration(
            method=method, temperature=temperature, floor=floor, description=description
        )
    low, medium, high = (_fit_curve(rows, label) for label in range(len(CLASSES)))
    curves = (low, medium, high)
    changed = int((decide(through_curves(rows.judged, curves)) != decide(rows.judged)).sum())
    description = (
        f"A step function for each class (isotonic regression), fitted on {seen}: "
        f"{sum(len(x) for x, _ in curves):,} thresholds; it changes {changed:,} predictions."
    )
    return Calibration(method=method, thresholds=curves, floor=floor, description=description)


def _cross_fitted(method: Method, rows: Predictions, floor: float) -> float:
    """Return the mean log loss (nats) of rows in folds that the calibration was not fitted on."""
    total = 0.0
    for fold in np.unique(rows.fold):
        own = rows.fold == fold
        others, judged = rows.only(~own), rows.only(own)
        given = calibrate(judged.judged, _fit(method, others, floor))
        total += float((judged.weights * log_losses(given, judged.y)).sum())
    return total / float(rows.weights.sum())


def _fit_temperature(rows: Predictions, floor: float) -> float:
    from scipy.optimize import minimize_scalar

    shifted, own = shifted_logs(rows.judged), (np.arange(rows.y.size), rows.y)
    shifted_own, total = shifted[own], rows.weights.sum()
    # Class by class: a sum over three numbers of each row would take longer than their powers.
    by_class = np.ascontiguousarray(shifted.T)

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        # Of the probabilities, only that of each row's class is needed.
        low, medium, high = np.exp(by_class / temperature)
        others = low + medium + high
        shipped = above_floor(np.exp(shifted_own / temperature) / others, floor)
        return float((rows.weights * -np.log(np.maximum(shipped, SMALLEST))).sum() / total)

    # Usually one minimum only: but for the floor, the loss is convex in 1 / temperature.
    minimum = minimize_scalar(loss, bounds=(math.log(LOWEST), math.log(HIGHEST)), method="bounded")
    # Four digits: near its minimum the loss is flat, and further ones differ by the processor.
    temperature = float(f"{math.exp(minimum.x):.4g}")
    return temperature if loss(math.log(temperature)) < loss(0.0) else 1.0


def _effect(temperature: float) -> str:
    if temperature == 1:
        return "it leaves the probabilities unchanged"
    effect = "less confident" if temperature > 1 else "more confident"
    limit = ", at the limit of the search," if temperature in (LOWEST, HIGHEST) else ""
    return f"it makes the probabilities {effect}{limit} and changes no prediction"


def _fit_curve(rows: Predictions, label: int) -> Curve:
    from sklearn.isotonic import IsotonicRegression

    right = (rows.y == label).astype(np.float64)
    regression = IsotonicRegression(y_min=0.0, y_max=1.0)
    fitted = regression.fit(rows.judged[:, label], right, sample_weight=rows.weights)
    return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())

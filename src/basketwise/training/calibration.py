"""Corrects the winner's probabilities by what its out-of-fold predictions show.

The model stays as it is; the correction is a JSON document beside it, which scoring applies. First
the probabilities are rounded to single precision: as such they are stored and judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from basketwise.arrays import Flags, Floats, Labels, Probabilities, spaced
from basketwise.artifact.documents import complaint, read_bounded
from basketwise.concurrency import worker_pool
from basketwise.errors import InputError
from basketwise.files import CALIBRATION_FILE
from basketwise.schema import CLASSES
from basketwise.training.predictions import decide

SMALLEST = float(np.finfo(np.float32).eps)
"""No logarithm is taken of a smaller probability (2^-23, as scikit-learn does in float32): else one
basket whose class was given 0 would decide everything."""

LOWEST, HIGHEST = 0.1, 10.0
"""The temperatures that are tried."""

MAX_THRESHOLDS = 100_000
"""Per class: more than ten million baskets can lead to."""
MAX_BYTES = 32 * 2**20

Method: TypeAlias = Literal["temperature", "isotonic", "none"]
METHODS: tuple[Method, ...] = ("none", "temperature", "isotonic")
"""The simplest first."""
GAIN = 0.002
"""Share of the log loss that a method must take away to be preferred to a simpler one."""
COMPARED = 100_000
"""Rows that the methods are compared on, at most: what is chosen is then fitted on all."""
MAX_FLOOR = 0.01
Points: TypeAlias = Annotated[tuple[float, ...], Field(min_length=1, max_length=MAX_THRESHOLDS)]
Curve: TypeAlias = tuple[Points, Points]
"""Probabilities as given, and as they should be; straight lines between."""


class Calibration(BaseModel):
    """What is done to the probabilities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method
    temperature: Annotated[float, Field(ge=LOWEST, le=HIGHEST, allow_inf_nan=False)] | None = None
    """Above 1 it makes probabilities less confident, 1 changes nothing."""
    thresholds: tuple[Curve, Curve, Curve] | None = None
    """Of isotonic regression: one curve per class, in the order Low, Medium, High."""
    floor: Annotated[float, Field(ge=0, le=MAX_FLOOR, allow_inf_nan=False)] = 0.0
    """Probability of every class, at least: what is left is divided as the method says."""
    new_products: NewProducts | None = None
    """What is done to baskets with new products, if a second model answers for them."""
    description: Annotated[str, Field(max_length=1000)]
    """For people: what was fitted on how many predictions, and what it came to."""

    @model_validator(mode="after")
    def _check(self) -> Calibration:
        given = (self.temperature is not None, self.thresholds is not None)
        if given != (self.method == "temperature", self.method == "isotonic"):
            raise ValueError(f"the parameters do not match the method {self.method!r}")
        for label, curve in zip(CLASSES, self.thresholds or (), strict=False):
            x, y = map(np.asarray, curve)
            # All comparisons are false for NaN, so it is refused too.
            inside = ((x >= 0) & (x <= 1)).all() and ((y >= 0) & (y <= 1)).all()
            if x.size != y.size or not inside or (np.diff(x) <= 0).any() or (np.diff(y) < 0).any():
                raise ValueError(
                    f"the thresholds of {label} do not define an increasing function on 0..1"
                )
        return self


class NewProducts(BaseModel):
    """When the second model answers, and what is done to its probabilities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
    """It answers where more than this share of the lines has a product that is new."""
    calibration: Calibration

    @model_validator(mode="after")
    def _check(self) -> NewProducts:
        if self.calibration.new_products is not None:
            raise ValueError("the second model has no second model")
        return self


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
        _judged(probabilities),
        y,
        np.arange(y.size) % 5 if fold is None else fold,
        np.ones(y.size) if weights is None else weights,
    )
    # In single precision, a smaller one would leave a 1 as it is.
    floor = min(max(1 / (y.size + len(CLASSES)), SMALLEST), MAX_FLOOR)
    seen = f"{y.size:,} out-of-fold predictions of the training set"
    if method == "none":
        why = "Not calibrated: the probabilities are those of the algorithm"
        return _none(f"{why}, at least {floor:.2g}.", floor)
    if (decide(rows.judged) == y).all():
        why = f"Not calibrated: none of the {seen} is wrong, so there is nothing to learn from"
        return _none(f"{why}; no probability is below {floor:.2g}.", floor)
    if method != "auto":
        return _fit(method, rows, floor)
    if np.unique(rows.fold).size < 2:
        return _none(f"Not calibrated: the {seen} are of one fold, so nothing compares.", floor)
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
        return _none(f"Not calibrated, as is best for {seen}.", floor)
    if method == "temperature":
        temperature = _fit_temperature(rows, floor)
        description = f"Temperature {temperature:g}, fitted on {seen}: {_effect(temperature)}."
        return Calibration(
            method=method, temperature=temperature, floor=floor, description=description
        )
    low, medium, high = (_fit_curve(rows, label) for label in range(len(CLASSES)))
    curves = (low, medium, high)
    changed = int((decide(_stepped(rows.judged, curves)) != decide(rows.judged)).sum())
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


def log_losses(probabilities: Probabilities, y: Labels, least: float = SMALLEST) -> Floats:
    """Return each row's log loss (nats); no probability counts as smaller than ``least``."""
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(y.size), y], least)))


def calibrate(probabilities: Probabilities, calibration: Calibration) -> Probabilities:
    """Correct probabilities; without a method and a floor they stay as they were given.

    A temperature never changes the decided class, that is the likeliest in float32, of equals the
    first. Isotonic regression may: it corrects each class by itself.

    Examples
    --------
    >>> softer = Calibration(method="temperature", temperature=2.0, description="")
    >>> calibrate(np.array([[0.8, 0.1, 0.1]]), softer).round(3).tolist()
    [[0.586, 0.207, 0.207]]
    """
    judged = _judged(probabilities)
    if calibration.thresholds is not None:
        return _raised(_stepped(judged, calibration.thresholds), calibration.floor)
    if calibration.temperature is not None and calibration.temperature != 1:
        scaled = _raised(_scaled(judged, calibration.temperature), calibration.floor)
        return _with_decisions(scaled, decide(judged))
    if calibration.floor:
        return _with_decisions(_raised(judged, calibration.floor), decide(judged))
    return probabilities.astype(np.float64)


def shipped(
    probabilities: Probabilities,
    new_shares: Floats,
    calibration: Calibration,
    second: Callable[[Flags], Probabilities],
) -> Probabilities:
    """Correct the winner's probabilities, and put the second model's where it answers.

    Parameters
    ----------
    probabilities : array
        Of the winner, of all rows.
    new_shares : array
        Each row's share of lines with new products.
    calibration : Calibration
        Says where the second model answers, if there is one.
    second : callable
        Returns the second model's probabilities of the rows that a mask marks.
    """
    corrected, rule = calibrate(probabilities, calibration), calibration.new_products
    if rule is not None:
        answered = new_shares > rule.share
        if answered.any():
            corrected[answered] = calibrate(second(answered), rule.calibration)
    return corrected


def read_calibration(folder: Path) -> Calibration:
    """Read ``calibration.json`` beside a model; without one, nothing is corrected.

    Raises
    ------
    InputError
        If the file is not what :func:`fit_calibration` writes. It may come from anywhere.
    """
    try:
        data = read_bounded(folder / CALIBRATION_FILE, MAX_BYTES, 10 * MAX_THRESHOLDS)
        return Calibration.model_validate_json(data)
    except FileNotFoundError:
        return _none("Not calibrated: the model has no calibration file.")
    except (OSError, ValueError) as error:
        raise InputError(
            f"The model's {CALIBRATION_FILE} cannot be used: {complaint(error)}.",
            "It may be from another version of Basketwise; retrain it with this one.",
        ) from error


def _none(description: str, floor: float = 0.0) -> Calibration:
    return Calibration(method="none", floor=floor, description=description)


def _raised(probabilities: Floats, floor: float) -> Floats:
    """Raise every probability to the floor; the rest is divided as before."""
    return np.asarray(floor + (1 - len(CLASSES) * floor) * probabilities)


def _judged(probabilities: Probabilities) -> Probabilities:
    return probabilities.astype(np.float32).clip(0, 1).astype(np.float64)


def _fit_temperature(rows: Predictions, floor: float) -> float:
    from scipy.optimize import minimize_scalar

    shifted, own = _logs(rows.judged), (np.arange(rows.y.size), rows.y)
    shifted_own, total = shifted[own], rows.weights.sum()
    # Class by class: a sum over three numbers of each row would take longer than their powers.
    by_class = np.ascontiguousarray(shifted.T)

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        # Of the probabilities, only that of each row's class is needed.
        low, medium, high = np.exp(by_class / temperature)
        others = low + medium + high
        shipped = _raised(np.exp(shifted_own / temperature) / others, floor)
        return float((rows.weights * -np.log(np.maximum(shipped, SMALLEST))).sum() / total)

    # Usually one minimum only: but for the floor, the loss is convex in 1 / temperature.
    minimum = minimize_scalar(loss, bounds=(math.log(LOWEST), math.log(HIGHEST)), method="bounded")
    # Four digits: near its minimum the loss is flat, and further ones differ by the processor.
    temperature = float(f"{math.exp(minimum.x):.4g}")
    return temperature if loss(math.log(temperature)) < loss(0.0) else 1.0


def _scaled(judged: Probabilities, temperature: float) -> Probabilities:
    powers = np.exp(_logs(judged) / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def _logs(judged: Probabilities) -> Floats:
    """Return the logarithms, shifted so that the largest of each row is 0."""
    logs = np.log(np.maximum(judged, SMALLEST))
    low, medium, high = logs.T
    return np.asarray(logs - np.maximum(np.maximum(low, medium), high)[:, None])


def _with_decisions(scaled: Probabilities, intended: Labels) -> Probabilities:
    """Undo ties that scaling made, where float32 cannot tell two probabilities apart any longer."""
    decided = decide(scaled.astype(np.float32))
    rows = np.flatnonzero(decided != intended)
    up, down = (rows, intended[rows]), (rows, decided[rows])
    # The class that was meant gets the next larger float32, and the other pays for it.
    raised = np.nextafter(scaled[up].astype(np.float32), np.float32(1)).astype(np.float64)
    scaled[down] -= raised - scaled[up]
    scaled[up] = raised
    return scaled


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


def _stepped(judged: Probabilities, curves: tuple[Curve, Curve, Curve]) -> Probabilities:
    stepped = np.stack([np.interp(judged[:, k], *curve) for k, curve in enumerate(curves)], axis=1)
    # Where every class is denied there is nothing to normalise.
    denied = (stepped == 0).all(axis=1, keepdims=True)
    weights = np.where(denied, judged, stepped)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)

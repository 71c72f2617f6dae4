"""Corrects the winner's probabilities by what its out-of-fold predictions show.

The model stays as it is; the correction is a JSON document beside it, which scoring applies. First
the probabilities are rounded to single precision: as such they are stored and judged.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from basketwise.arrays import Labels, Probabilities
from basketwise.artifact.documents import complaint, read_bounded
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


def fit_calibration(method: Method, probabilities: Probabilities, y: Labels) -> Calibration:
    """Learn from out-of-fold predictions how reliable the probabilities are.

    ``temperature`` is temperature scaling: the softmax of the logarithms, divided by the one
    number that minimises the log loss (Guo, Pleiss, Sun and Weinberger, On Calibration of Modern
    Neural Networks, 2017). ``isotonic`` is isotonic regression of each class against the others,
    then normalised (Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass
    Probability Estimates, 2002).

    Where no row is wrong there is nothing to learn from, and every method would only claim
    certainty: then nothing is changed.
    """
    judged = _judged(probabilities)
    seen = f"{y.size:,} out-of-fold predictions of the training set"
    if method == "none":
        return _none("Not calibrated: the probabilities are those of the algorithm.")
    if (decide(judged) == y).all():
        why = f"Not calibrated: none of the {seen} is wrong, so there is nothing to learn from."
        if method == "isotonic":
            return _none(why)
        return Calibration(method=method, temperature=1.0, description=why)
    if method == "temperature":
        temperature = _fit_temperature(judged, y)
        description = f"Temperature {temperature:g}, fitted on {seen}: {_effect(temperature)}."
        return Calibration(method=method, temperature=temperature, description=description)
    low, medium, high = (_fit_curve(judged, y, label) for label in range(len(CLASSES)))
    curves = (low, medium, high)
    changed = int((decide(_stepped(judged, curves)) != decide(judged)).sum())
    description = (
        f"A step function for each class (isotonic regression), fitted on {seen}: "
        f"{sum(len(x) for x, _ in curves):,} thresholds; it changes {changed:,} predictions."
    )
    return Calibration(method=method, thresholds=curves, description=description)


def calibrate(probabilities: Probabilities, calibration: Calibration) -> Probabilities:
    """Correct probabilities; where nothing is corrected, they stay as they were given.

    A temperature never changes the decided class, that is the likeliest in float32, of equals the
    first. Isotonic regression may: it corrects each class by itself.

    Examples
    --------
    >>> softer = Calibration(method="temperature", temperature=2.0, description="")
    >>> calibrate(np.array([[0.8, 0.1, 0.1]]), softer).round(3).tolist()
    [[0.586, 0.207, 0.207]]
    """
    if calibration.thresholds is not None:
        return _stepped(_judged(probabilities), calibration.thresholds)
    if calibration.temperature is not None and calibration.temperature != 1:
        judged = _judged(probabilities)
        return _with_decisions(_scaled(judged, calibration.temperature), decide(judged))
    return probabilities.astype(np.float64)


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


def _none(description: str) -> Calibration:
    return Calibration(method="none", description=description)


def _judged(probabilities: Probabilities) -> Probabilities:
    return probabilities.astype(np.float32).clip(0, 1).astype(np.float64)


def _fit_temperature(judged: Probabilities, y: Labels) -> float:
    from scipy.optimize import minimize_scalar

    rows = np.arange(y.size)

    def loss(log_temperature: float) -> float:
        scaled = _scaled(judged, math.exp(log_temperature))
        return float(-np.log(scaled[rows, y]).mean())

    # One minimum only: in 1 / temperature the loss is convex.
    minimum = minimize_scalar(loss, bounds=(math.log(LOWEST), math.log(HIGHEST)), method="bounded")
    # Four digits: near its minimum the loss is flat, and further ones differ by the processor.
    temperature = float(f"{math.exp(minimum.x):.4g}")
    # A tree's exact 0 and 1 weigh so much in the log loss alone that a temperature which lowers it
    # can make the probabilities worse by any other measure; both must agree.
    better = loss(math.log(temperature)) < loss(0.0) and _brier(
        _scaled(judged, temperature), y
    ) < _brier(judged, y)
    return temperature if better else 1.0


def _brier(probabilities: Probabilities, y: Labels) -> float:
    return float(np.square(probabilities - np.eye(len(CLASSES))[y]).sum(axis=1).mean())


def _scaled(judged: Probabilities, temperature: float) -> Probabilities:
    logs = np.log(np.maximum(judged, SMALLEST))
    powers = np.exp((logs - logs.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


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


def _fit_curve(judged: Probabilities, y: Labels, label: int) -> Curve:
    from sklearn.isotonic import IsotonicRegression

    right = (y == label).astype(np.float64)
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(judged[:, label], right)
    return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())


def _stepped(judged: Probabilities, curves: tuple[Curve, Curve, Curve]) -> Probabilities:
    stepped = np.stack([np.interp(judged[:, k], *curve) for k, curve in enumerate(curves)], axis=1)
    # Where every class is denied there is nothing to normalise.
    denied = (stepped == 0).all(axis=1, keepdims=True)
    weights = np.where(denied, judged, stepped)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)

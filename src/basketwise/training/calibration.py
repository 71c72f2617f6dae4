"""Corrects the winner's probabilities by what its out-of-fold predictions show.

The model stays as it is; the correction is a JSON document beside it, which scoring applies. First
the probabilities are rounded to single precision: as such they are stored and judged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from basketwise.arrays import Flags, Floats, Labels, Probabilities
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
    judged = in_single_precision(probabilities)
    if calibration.thresholds is not None:
        return above_floor(through_curves(judged, calibration.thresholds), calibration.floor)
    if calibration.temperature is not None and calibration.temperature != 1:
        scaled = above_floor(at_temperature(judged, calibration.temperature), calibration.floor)
        return _with_decisions(scaled, decide(judged))
    if calibration.floor:
        return _with_decisions(above_floor(judged, calibration.floor), decide(judged))
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
        return uncalibrated("Not calibrated: the model has no calibration file.")
    except (OSError, ValueError) as error:
        raise InputError(
            f"The model's {CALIBRATION_FILE} cannot be used: {complaint(error)}.",
            "It may be from another version of Basketwise; retrain it with this one.",
        ) from error


def uncalibrated(description: str, floor: float = 0.0) -> Calibration:
    """Return a calibration that changes nothing below its floor."""
    return Calibration(method="none", floor=floor, description=description)


def above_floor(probabilities: Floats, floor: float) -> Floats:
    """Raise every probability to the floor; the rest is divided as before."""
    return np.asarray(floor + (1 - len(CLASSES) * floor) * probabilities)


def in_single_precision(probabilities: Probabilities) -> Probabilities:
    """Round probabilities to what is stored and judged."""
    return probabilities.astype(np.float32).clip(0, 1).astype(np.float64)


def at_temperature(judged: Probabilities, temperature: float) -> Probabilities:
    """Divide the logarithms of each row by a temperature."""
    powers = np.exp(shifted_logs(judged) / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def shifted_logs(judged: Probabilities) -> Floats:
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


def through_curves(judged: Probabilities, curves: tuple[Curve, Curve, Curve]) -> Probabilities:
    """Map each class by its curve, and divide by the sums."""
    stepped = np.stack([np.interp(judged[:, k], *curve) for k, curve in enumerate(curves)], axis=1)
    # Where every class is denied there is nothing to normalise.
    denied = (stepped == 0).all(axis=1, keepdims=True)
    weights = np.where(denied, judged, stepped)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)

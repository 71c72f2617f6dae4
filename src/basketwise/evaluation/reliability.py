"""How reliable probabilities are: log loss, Brier score, calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Floats, Labels
from basketwise.report.types.calibration import Bin, Reliability
from basketwise.schema import CLASSES
from basketwise.training.calibration import SMALLEST
from basketwise.training.predictions import decide


def reliability(y: Labels, probabilities: Floats, bins: int = 15) -> Reliability:
    """Compare predicted probabilities with outcomes.

    The Brier score is the squared distance to the truth, summed over the classes (Brier,
    Verification of Forecasts Expressed in Terms of Probability, 1950). The expected calibration
    error is the distance between confidence and accuracy, averaged over the baskets, bin by bin
    (Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning,
    2015), of the likeliest class (Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural
    Networks, 2017).

    Probabilities are scored in float32, as they are stored; for the log loss none counts as less
    than 2^-23, as in scikit-learn for float32. Bins are equally wide, from 0 to 1, each with its
    upper end; those below 1/3 stay empty: the likeliest of three classes is never less likely.
    """
    given = probabilities[np.arange(y.size), y]
    truth = np.eye(len(CLASSES))[y]
    right = decide(probabilities.astype(np.float32)) == y
    filled = _bins(probabilities.max(axis=1), right, bins)
    return Reliability(
        log_loss=float(np.abs(np.log(given.clip(SMALLEST, 1.0))).mean()),
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        ece=_expected_error(filled, y.size),
        bins=filled,
    )


def _bins(confidence: Floats, right: NDArray[np.bool_], number: int) -> list[Bin]:
    edges = np.arange(number + 1) / number
    bin_of = np.searchsorted(edges, confidence).clip(1, number) - 1
    counts = np.bincount(bin_of, minlength=number)
    confidences, hits = (
        np.bincount(bin_of, weights, minlength=number) for weights in (confidence, right)
    )
    return [
        Bin(
            low=float(edges[k]),
            high=float(edges[k + 1]),
            baskets=int(counts[k]),
            confidence=float(confidences[k] / counts[k]) if counts[k] else None,
            accuracy=float(hits[k] / counts[k]) if counts[k] else None,
        )
        for k in range(number)
    ]


def _expected_error(bins: list[Bin], baskets: int) -> float:
    return sum(
        bin_["baskets"] / baskets * abs(bin_["accuracy"] - bin_["confidence"])
        for bin_ in bins
        if bin_["accuracy"] is not None and bin_["confidence"] is not None
    )

"""Bootstrap intervals, by resampling the cells of a table instead of the baskets behind it.

Drawing n baskets with replacement and counting true against predicted class is one draw from a
multinomial over the confusion matrix; so thousands of resamples of any number of baskets cost
thousands of draws over nine cells (twenty-seven for two models on the same baskets).
Intervals are percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).

Where no basket is wrong, every resample is right too: the bootstrap would claim certainty. There
the lower end is the exact one of Clopper and Pearson (1934): with n baskets and no error, an error
rate of up to 1 - (tail) ** (1 / n) cannot be ruled out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.evaluation.metrics import Counts, Floats, macro_f1
from basketwise.schema import CLASSES

SIZE = len(CLASSES)


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """How to resample: how often, how sure, from which seed."""

    resamples: int
    confidence: float
    seed: int

    def draw(self, cells: Counts) -> Counts:
        """Resample a table of counts; shape (resamples, *cells.shape)."""
        total = int(cells.sum())
        rng = np.random.default_rng(self.seed)
        drawn = rng.multinomial(total, cells.ravel() / total, size=self.resamples)
        return drawn.reshape(self.resamples, *cells.shape)

    def interval(self, estimate: float, resampled: Floats) -> Interval:
        """Return the percentile interval, widened to hold the estimate itself."""
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(resampled, [tail, 1 - tail])
        return Interval(estimate, min(float(low), estimate), max(float(high), estimate))


def accuracy_interval(confusion: Counts, bootstrap: Bootstrap) -> Interval:
    """Return the accuracy with its interval."""
    drawn = bootstrap.draw(confusion)
    interval = bootstrap.interval(float(_accuracy(confusion)), _accuracy(drawn))
    return _not_certain(interval, confusion, bootstrap)


def macro_f1_interval(confusion: Counts, bootstrap: Bootstrap) -> Interval:
    """Return the macro-F1 with its interval.

    Without any error, its lower end is the accuracy's: errors spread over the classes in proportion
    lower both alike.
    """
    drawn = bootstrap.draw(confusion)
    interval = bootstrap.interval(float(macro_f1(confusion)), macro_f1(drawn))
    return _not_certain(interval, confusion, bootstrap)


def mean_interval(confusion: Counts, values: Floats, bootstrap: Bootstrap) -> Interval:
    """Return the mean over the baskets of a value per cell (true, predicted), with its interval.

    Without any error, its ends are those of the accuracy's interval if every error were the worst,
    or the best, that its class allows.
    """
    total = confusion.sum()

    def mean(table: Counts) -> Floats:
        return np.asarray((table * values).sum(axis=(-2, -1)) / total, dtype=np.float64)

    interval = bootstrap.interval(float(mean(confusion)), mean(bootstrap.draw(confusion)))
    if np.trace(confusion) < total:
        return interval
    right = _lowest_accuracy(int(total), bootstrap)
    share, is_right = confusion.sum(axis=1) / total, np.eye(SIZE, dtype=np.bool_)
    worst = share @ np.where(is_right, np.inf, values).min(axis=1)
    best = share @ np.where(is_right, -np.inf, values).max(axis=1)
    ends = [float(right * interval.estimate + (1 - right) * error) for error in (worst, best)]
    return Interval(interval.estimate, min(interval.low, *ends), max(interval.high, *ends))


def _not_certain(interval: Interval, confusion: Counts, bootstrap: Bootstrap) -> Interval:
    if np.trace(confusion) < confusion.sum():
        return interval
    lowest = _lowest_accuracy(int(confusion.sum()), bootstrap)
    return Interval(interval.estimate, min(interval.low, lowest), interval.high)


def _lowest_accuracy(baskets: int, bootstrap: Bootstrap) -> float:
    """Return the lower end of the accuracy when no basket is wrong."""
    return float(((1 - bootstrap.confidence) / 2) ** (1 / baskets))


def paired_accuracy_difference(
    true: NDArray[np.int8],
    challenger: NDArray[np.int8],
    champion: NDArray[np.int8],
    bootstrap: Bootstrap,
) -> Interval:
    """Return challenger minus champion on the same baskets, with its interval.

    Pairing matters: two models are mostly right and wrong about the same baskets, so their
    difference is known far better than either accuracy.
    """
    cells = np.zeros((2, 2), dtype=np.int64)
    np.add.at(cells, ((challenger == true).astype(int), (champion == true).astype(int)), 1)
    drawn = bootstrap.draw(cells)
    total = cells.sum()

    def difference(table: Counts) -> Floats:
        return np.asarray((table[..., 1, 0] - table[..., 0, 1]) / total, dtype=np.float64)

    return bootstrap.interval(float(difference(cells)), difference(drawn))


def _accuracy(confusion: Counts) -> Floats:
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return np.asarray(right / confusion.sum(axis=(-2, -1)), dtype=np.float64)

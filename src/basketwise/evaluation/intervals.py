"""Bootstrap intervals of the scores on the test set, and of differences between models.

Percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993) over resampled
customers or baskets. All models are scored on the same draws: two models mostly make the same
errors, so their difference is known far better than either score.

What did not happen is in no resample either: where no basket is wrong, the bootstrap would claim
certainty. There the end is the exact one for zero of n (Clopper and Pearson, The use of confidence
or fiducial limits illustrated in the case of the binomial, 1934): a share of up to
1 - tail ** (1 / n) cannot be ruled out. n counts units, not baskets. The baskets of a customer are
alike: whether one of them is wrong says much about the others, and a hundred baskets of one
customer without an error are little more than one piece of evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Counts, Floats, Labels
from basketwise.evaluation.resampling import SIZE, draw, find_patterns, joint_cells
from basketwise.report.types import Interval
from basketwise.training.metrics import class_f1, confusion_matrix, macro_f1


@dataclass(frozen=True)
class Bootstrap:
    """How to resample: number of resamples, confidence level, seed."""

    resamples: int
    confidence: float
    seed: int

    @property
    def tail(self) -> float:
        """Share of the resamples beyond each end."""
        return (1 - self.confidence) / 2

    def interval(self, estimate: float, resampled: Floats) -> Interval:
        """Return the percentile interval, widened to contain the estimate itself."""
        low, high = np.quantile(resampled, [self.tail, 1 - self.tail])
        return Interval(
            estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate)
        )

    def unseen(self, units: int) -> float:
        """Return the largest share that cannot be ruled out for what none of the units shows."""
        return float(1 - self.tail ** (1 / units))


def resample(
    true: Labels,
    predicted: Mapping[str, Labels],
    units: NDArray[np.int64] | None,
    bootstrap: Bootstrap,
) -> Resampled:
    """Resample the test set for all models at once.

    ``units`` is the customer's number of each basket (a basket without a customer has one of its
    own); None: baskets are drawn singly. The same ``bootstrap`` gives the same numbers, on any
    number of threads. Raises ValueError if there is no basket, or the arrays are not all of one
    length.
    """
    each = np.arange(true.size) if units is None else units
    lengths = {true.size, each.size, *(answers.size for answers in predicted.values())}
    if len(lengths) > 1 or not true.size:
        raise ValueError(f"Arrays of one length, not 0, are needed, not of {sorted(lengths)}.")
    joint, cells = joint_cells(true, list(predicted.values()))
    patterns = find_patterns(joint, cells, units)
    drawn = draw(patterns, bootstrap.resamples, bootstrap.seed)
    return Resampled(
        patterns.of_unit.size,
        [np.unique(each[true == k]).size for k in range(SIZE)],
        bootstrap,
        {name: confusion_matrix(true, answers) for name, answers in predicted.items()},
        {name: drawn[:, k] for k, name in enumerate(predicted)},
        {name: cells[:, k] // SIZE == cells[:, k] % SIZE for k, name in enumerate(predicted)},
    )


@dataclass(frozen=True, eq=False)
class Resampled:
    """The models' confusion matrices on the test set, and on the same resamples of it.

    ``units`` is the number of customers, or baskets, in the test set: as many are drawn per
    resample; ``units_of_class`` counts those with a basket of each class. By model: ``observed``,
    the confusion matrix; ``drawn``, the resampled ones, shape (resamples, classes, classes);
    ``right``, which joint cells (of :func:`~basketwise.evaluation.resampling.joint_cells`) contain
    baskets that it is right about.
    """

    units: int
    units_of_class: list[int]
    bootstrap: Bootstrap
    observed: Mapping[str, Counts]
    drawn: Mapping[str, Counts]
    right: Mapping[str, NDArray[np.bool_]]

    def confusion(self, model: str) -> Counts:
        """Return the confusion matrix of the test set: true class (row) by predicted."""
        return self.observed[model]

    def accuracy(self, model: str) -> Interval:
        """Return the accuracy with its interval."""
        return self._score(_accuracy, model)

    def macro_f1(self, model: str) -> Interval:
        """Return the macro-F1 with its interval.

        Without any error, its lower end is the accuracy's: errors spread over the classes in
        proportion lower both alike.
        """
        return self._score(macro_f1, model)

    def class_f1(self, model: str) -> list[Interval]:
        """Return each class's F1 with its interval, in the order Low, Medium, High.

        Where a class's F1 is 1, its lower end is the exact one of its recall. It rests on the units
        with a basket of this class alone: a thousand others say nothing of a class with five.
        """
        estimates, drawn = class_f1(self.observed[model]), class_f1(self.drawn[model])
        intervals = []
        for k, units in enumerate(self.units_of_class):
            interval = self.bootstrap.interval(float(estimates[k]), drawn[:, k])
            if interval["estimate"] == 1:
                interval = _widened(interval, 1 - self.bootstrap.unseen(units))
            intervals.append(interval)
        return intervals

    def accuracy_difference(self, model: str, other: str) -> Interval:
        """Return ``model``'s accuracy minus ``other``'s, paired, with its interval.

        Where ``other`` is right about no basket that ``model`` is wrong about, such baskets may
        still make up a share of 1 - tail ** (1 / units): the lower end is at most the estimate less
        that share. The upper end likewise. So two models that agree on all baskets are not taken
        for equally good, only for as close as so many units can tell; a model and itself are.
        """
        return self._difference(_accuracy_difference, model, other)

    def f1_difference(self, model: str, other: str) -> Interval:
        """Return ``model``'s macro-F1 minus ``other``'s, paired, with its interval.

        Its ends allow for the same share of unseen disagreement as the accuracy's: spread over the
        classes in proportion, it moves both alike.
        """
        return self._difference(_macro_f1_difference, model, other)

    def mean(self, model: str, values: Floats) -> Interval:
        """Return the mean over the baskets of a value per cell, with its interval.

        ``values`` has the confusion matrix's shape. Without any error, the ends are those of the
        accuracy's interval if every error were the worst, or the best, that its class allows.
        """
        confusion = self.observed[model]

        def mean(tables: Counts) -> Floats:
            return _float((tables * values).sum(axis=(-2, -1)) / tables.sum(axis=(-2, -1)))

        interval = self.bootstrap.interval(float(mean(confusion)), mean(self.drawn[model]))
        if not self._without_error(model):
            return interval
        wrong = self.bootstrap.unseen(self.units)
        share, is_right = confusion.sum(axis=1) / confusion.sum(), np.eye(SIZE, dtype=np.bool_)
        worst = share @ np.where(is_right, np.inf, values).min(axis=1)
        best = share @ np.where(is_right, -np.inf, values).max(axis=1)
        ends = [
            float((1 - wrong) * interval["estimate"] + wrong * error) for error in (worst, best)
        ]
        return _widened(interval, *ends)

    def _score(self, score: Callable[[Counts], Floats], model: str) -> Interval:
        estimate = float(score(self.observed[model]))
        interval = self.bootstrap.interval(estimate, score(self.drawn[model]))
        if self._without_error(model):
            return _widened(interval, 1 - self.bootstrap.unseen(self.units))
        return interval

    def _difference(
        self, difference: Callable[[Counts, Counts], Floats], model: str, other: str
    ) -> Interval:
        estimate = float(difference(self.observed[model], self.observed[other]))
        drawn = difference(self.drawn[model], self.drawn[other])
        interval = self.bootstrap.interval(estimate, drawn)
        if model == other:
            return interval
        own, others = self.right[model], self.right[other]
        unseen = self.bootstrap.unseen(self.units)
        if not (others & ~own).any():
            interval = _widened(interval, estimate - unseen)
        if not (own & ~others).any():
            interval = _widened(interval, estimate + unseen)
        return interval

    def _without_error(self, model: str) -> bool:
        return bool(self.right[model].all())


def _widened(interval: Interval, *ends: float) -> Interval:
    low, high = min(interval["low"], *ends), max(interval["high"], *ends)
    return Interval(estimate=interval["estimate"], low=low, high=high)


def _accuracy(tables: Counts) -> Floats:
    return _float(np.trace(tables, axis1=-2, axis2=-1) / tables.sum(axis=(-2, -1)))


def _accuracy_difference(tables: Counts, others: Counts) -> Floats:
    # Whole numbers are subtracted, not shares: a difference of one basket in a hundred is 0.01.
    right = np.trace(tables - others, axis1=-2, axis2=-1)
    return _float(right / tables.sum(axis=(-2, -1)))


def _macro_f1_difference(tables: Counts, others: Counts) -> Floats:
    return _float(macro_f1(tables) - macro_f1(others))


def _float(values: Floats) -> Floats:
    return np.asarray(values, dtype=np.float64)

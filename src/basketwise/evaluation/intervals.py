"""Intervals of the scores on the test set, and of differences between models.

Percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993) over randomly
weighted customers or baskets. All models are scored on the same draws: two models mostly make the
same errors, so their difference is known far better than either score.

By themselves such intervals are too short: what did not happen is in no draw either. Three things
correct that, none of which can raise a lower end because of one more error:

- Each draw has some errors more, of a unit as bad as the worst that was seen. Where units are
  single baskets, a whole one would make the exact lower end (Clopper and Pearson, The use of
  confidence or fiducial limits illustrated in the case of the binomial, 1934), since a sum of
  exponential weights over another is a beta distribution, and half a one Jeffreys'. For customers
  it is the bound of Fay and Feuer (Confidence intervals for directly standardized rates, 1997).
- Without any error, a share of up to 1 - tail ** (1 / n) cannot be ruled out, n the number of
  baskets. With errors, the lower end is never above that.
- Few units: the tails are those of Student's t (Hesterberg, What Teachers Should Know about the
  Bootstrap, 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from basketwise.arrays import Counts, Floats, Labels
from basketwise.evaluation.resampling import (
    SIZE,
    Patterns,
    draw,
    find_patterns,
    joint_cells,
    unseen_weights,
)
from basketwise.report.types.scores import Interval
from basketwise.training.metrics import class_f1, confusion_matrix, macro_f1

OVER, UNDER = 0.75, 0.25
"""Errors of so many units are added for the lower end of a score, and for the upper end.

Between a half and a whole one for the lower end: with few errors the exact end misses too rarely,
that of a half too often, at some number of errors by 5 %. See ``benchmarks/coverage.py``.
"""

LOST, GAINED = 0.5, 0.25
"""So many units that lose, and that gain, are added for the lower end of a difference."""


@dataclass(frozen=True)
class Bootstrap:
    """How to resample: number of resamples, confidence level, seed."""

    resamples: int
    confidence: float
    seed: int

    @property
    def tail(self) -> float:
        """Share beyond each end."""
        return (1 - self.confidence) / 2

    def tail_of(self, units: float) -> float:
        """Return the share of the resamples beyond each end, for so many units of equal size."""
        units = max(units, 2.0)
        # Random weights have a variance of n / (n + 1) of the sample's, and that has n - 1 / n.
        reach = stdtrit(units - 1, 1 - self.tail) * np.sqrt((units + 1) / (units - 1))
        return float(ndtr(-reach))

    def unseen(self, baskets: int) -> float:
        """Return the largest share that cannot be ruled out for what none of the baskets shows."""
        return float(1 - self.tail ** (1 / baskets)) if baskets else 1.0


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
        patterns,
        true.size,
        bootstrap,
        {name: confusion_matrix(true, answers) for name, answers in predicted.items()},
        {name: drawn[:, k] for k, name in enumerate(predicted)},
        {name: cells[:, k] for k, name in enumerate(predicted)},
    )


@dataclass(frozen=True, eq=False)
class Resampled:
    """The models' confusion matrices on the test set, and on the same resamples of it.

    ``patterns`` are the customers, or baskets, of the test set, ``baskets`` the number of these. By
    model: ``observed``, the confusion matrix; ``drawn``, the resampled ones, shape (resamples,
    classes, classes), in units of 1 / UNIT baskets; ``cells``, its cell, classes * true +
    predicted, for each joint cell (of :func:`~basketwise.evaluation.resampling.joint_cells`).
    """

    patterns: Patterns
    baskets: int
    bootstrap: Bootstrap
    observed: Mapping[str, Counts]
    drawn: Mapping[str, Counts]
    cells: Mapping[str, Counts]

    @property
    def units(self) -> int:
        """Number of customers, or baskets, in the test set: as many have a weight per resample."""
        return int(self.patterns.of_unit.size)

    def at(self, confidence: float) -> Resampled:
        """Return the same resamples with intervals of another confidence level."""
        return replace(self, bootstrap=replace(self.bootstrap, confidence=confidence))

    def confusion(self, model: str) -> Counts:
        """Return the confusion matrix of the test set: true class (row) by predicted."""
        return self.observed[model]

    def accuracy(self, model: str) -> Interval:
        """Return the accuracy with its interval.

        One more error never raises an end that is not 1; the lower end, nor that.
        """
        return self.mean(model, np.eye(SIZE))

    def macro_f1(self, model: str) -> Interval:
        """Return the macro-F1 with its interval.

        Errors that were not seen are taken to spread over the classes in proportion: they lower
        macro-F1 and accuracy alike. So without any error both have the same lower end.
        """
        drawn = self.drawn[model]
        lower, upper = self._unseen_errors(~self._right(model), drawn.sum(axis=(-2, -1)))
        score = _float(macro_f1(drawn))
        interval = self._interval(
            float(macro_f1(self.observed[model])), score * (1 - lower), score * (1 - upper)
        )
        return _capped(interval, 1 - self.bootstrap.unseen(self.baskets))

    def class_f1(self, model: str) -> list[Interval]:
        """Return each class's F1 with its interval, in the order Low, Medium, High.

        The lower end is at most the exact one of the class's recall without an error. That rests on
        the baskets of this class alone: a thousand others say nothing of a class with five.
        """
        estimates, drawn, cells = (
            class_f1(self.observed[model]),
            self.drawn[model],
            self.cells[model],
        )
        scores, right = class_f1(drawn), self._right(model)
        intervals = []
        for k, baskets in enumerate(self.observed[model].sum(axis=1).tolist()):
            of_class = (cells // SIZE == k) | (cells % SIZE == k)
            total = drawn[:, k].sum(axis=-1) + drawn[:, :, k].sum(axis=-1)
            lower, upper = self._unseen_errors(of_class & ~right, total)
            interval = self._interval(
                float(estimates[k]), scores[:, k] * (1 - lower), scores[:, k] * (1 - upper)
            )
            intervals.append(_capped(interval, 1 - self.bootstrap.unseen(baskets)))
        return intervals

    def accuracy_difference(self, model: str, other: str) -> Interval:
        """Return ``model``'s accuracy minus ``other``'s, paired, with its interval.

        Baskets that ``model`` loses, and those that it wins, are each treated as errors are. So two
        models that agree on all baskets are not taken for equally good, only for as close as so
        many baskets can tell; a model and itself are.
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

        ``values`` has the confusion matrix's shape. Errors that were not seen are taken to be the
        worst, for the upper end the best, that each class allows.
        """
        confusion, drawn = self.observed[model], self.drawn[model]

        def mean(tables: Counts) -> Floats:
            return _float((tables * values).sum(axis=(-2, -1)) / tables.sum(axis=(-2, -1)))

        share, is_right = confusion.sum(axis=1) / confusion.sum(), np.eye(SIZE, dtype=np.bool_)
        worst = share @ np.where(is_right, np.inf, values).min(axis=1)
        best = share @ np.where(is_right, -np.inf, values).max(axis=1)
        lower, upper = self._unseen_errors(~self._right(model), drawn.sum(axis=(-2, -1)))
        estimate, means = float(mean(confusion)), mean(drawn)
        interval = self._interval(
            estimate, (1 - lower) * means + lower * worst, (1 - upper) * means + upper * best
        )
        unseen = self.bootstrap.unseen(self.baskets)
        without_error = max(estimate, float(share @ values.diagonal()))
        interval = _capped(interval, float((1 - unseen) * without_error + unseen * worst))
        if self._right(model).all():
            high = float((1 - unseen) * estimate + unseen * best)
            interval["high"] = max(interval["high"], high)
        return interval

    def _difference(
        self, difference: Callable[[Counts, Counts], Floats], model: str, other: str
    ) -> Interval:
        estimate = float(difference(self.observed[model], self.observed[other]))
        if model == other:
            return Interval(estimate=estimate, low=estimate, high=estimate)
        drawn = difference(self.drawn[model], self.drawn[other])
        total = self.drawn[model].sum(axis=(-2, -1))
        right, others = self._right(model), self._right(other)
        gained, lost = right & ~others, others & ~right
        low = self._lower_end(estimate, drawn, total, gained, lost)
        return Interval(
            estimate=estimate,
            low=low,
            # The upper end is the lower one of the difference seen from the other model's side.
            high=-self._lower_end(-estimate, -drawn, total, lost, gained),
        )

    def _lower_end(
        self,
        estimate: float,
        drawn: Floats,
        total: Counts,
        gained: NDArray[np.bool_],
        lost: NDArray[np.bool_],
    ) -> float:
        """Return the lower end of a difference, from the joint cells that are gained and lost."""
        more = self._weights(LOST) * self.patterns.most(lost)
        fewer = self._weights(GAINED) * self.patterns.most(gained)
        shifted = (drawn * total - more + fewer) / (total + more + fewer)
        # As if no basket had been lost.
        seen = estimate + self._share(lost) - self.bootstrap.unseen(self.baskets)
        return min(float(np.quantile(shifted, self._tail)), seen, estimate)

    def _interval(self, estimate: float, lower: Floats, upper: Floats) -> Interval:
        """Return the percentile interval of two draws, widened to contain the estimate itself."""
        low, high = np.quantile(lower, self._tail), np.quantile(upper, 1 - self._tail)
        return Interval(
            estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate)
        )

    def _unseen_errors(self, wrong: NDArray[np.bool_], total: Counts) -> tuple[Floats, Floats]:
        """Return the share of errors not seen, per resample, for the lower and the upper end.

        ``wrong`` are the joint cells that are errors, ``total`` the weight of all baskets.
        """
        worst = self.patterns.most(wrong)
        lower, upper = (self._weights(shape) * worst for shape in (OVER, UNDER))
        # A class without a basket has no weight, and no error either.
        weight = np.maximum(total, 1)
        return lower / (weight + lower), upper / (weight + upper)

    def _weights(self, shape: float) -> Floats:
        return unseen_weights(self.bootstrap.resamples, self.bootstrap.seed, shape)

    @property
    def _tail(self) -> float:
        return self.bootstrap.tail_of(self.patterns.alike)

    def _share(self, cells: NDArray[np.bool_]) -> float:
        """Return the share of the baskets in some of the joint cells."""
        return float(self.patterns.baskets[cells].sum() / self.baskets)

    def _right(self, model: str) -> NDArray[np.bool_]:
        cells = self.cells[model]
        right: NDArray[np.bool_] = cells // SIZE == cells % SIZE
        return right


def _capped(interval: Interval, low: float) -> Interval:
    """Return the interval with a lower end of at most ``low``."""
    return Interval(
        estimate=interval["estimate"], low=min(interval["low"], low), high=interval["high"]
    )


def _accuracy_difference(tables: Counts, others: Counts) -> Floats:
    # Whole numbers are subtracted, not shares: a difference of one basket in a hundred is 0.01.
    right = np.trace(tables - others, axis1=-2, axis2=-1)
    return _float(right / tables.sum(axis=(-2, -1)))


def _macro_f1_difference(tables: Counts, others: Counts) -> Floats:
    return _float(macro_f1(tables) - macro_f1(others))


def _float(values: Floats) -> Floats:
    return np.asarray(values, dtype=np.float64)

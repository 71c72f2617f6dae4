"""Which candidates are worth further folds of the cross-validation.

Two candidates are asked about the same baskets, so that their scores differ by far less chance than
each of them has: a few folds show which of them cannot win. A candidate is given up only if it is
behind by more than chance explains and by more than other folds are likely to make up for; or if
the leader leaves nothing to win, and the candidate is not better. The standard error is that of the
infinitesimal jackknife (Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982): how
much the difference moves with the weight of each basket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from basketwise.arrays import Flags, Floats, Labels, Probabilities
from basketwise.training.crossvalidation import (
    CrossValidated,
    cross_validated,
    predicted_rows,
    weighed_f1,
    weights_of_part,
)
from basketwise.training.examples import Examples
from basketwise.training.metrics import class_f1, confusion_matrix
from basketwise.training.predictions import decide

ERRORS = 3.0
"""Standard errors of a difference that are no chance."""
MARGIN = 0.005
"""Macro-F1 that the folds to come are not expected to make up for."""
NOTHING_LEFT = 0.0005
"""Macro-F1 below 1 that no candidate is worth four more fits for."""


class Difference(NamedTuple):
    """How much higher one macro-F1 is than another, and the standard error of that."""

    value: float
    error: float

    @property
    def is_lead(self) -> bool:
        """Whether it is above 0, and not by chance."""
        return self.value > ERRORS * self.error and self.value > 0

    @property
    def is_decisive(self) -> bool:
        """Whether it is a lead that the folds to come are not expected to make up for."""
        return self.is_lead and self.value > MARGIN


@dataclass(frozen=True)
class Judge:
    """What candidates are judged by: the rows, what each counts, whether the last fold is late."""

    rows: Examples
    weights: Floats
    forward: bool

    def scores(self, out_of_fold: Probabilities) -> CrossValidated:
        """Score a candidate by the folds that it has predicted."""
        return cross_validated(self.rows, out_of_fold, self.weights, self.forward)

    def leaves_nothing(self, out_of_fold: Probabilities) -> bool:
        """Whether no candidate can be better than this one by an amount that matters."""
        return self.scores(out_of_fold).f1 >= 1 - NOTHING_LEFT

    def first_of(self, answers: Sequence[Probabilities]) -> int:
        """Return the best candidate on the folds that all have predicted; of equals, the first."""
        part = np.logical_and.reduce([predicted_rows(own) for own in answers])
        weights = self._weights(part)
        scored = [weighed_f1(self.rows.y, decide(own), weights) for own in answers]
        return int(np.argmax(scored))

    def difference(self, first: Probabilities, second: Probabilities) -> Difference:
        """Compare two candidates on the folds that both have predicted."""
        weights = self._weights(predicted_rows(first) & predicted_rows(second))
        return f1_difference(self.rows.y, decide(first), decide(second), weights)

    def _weights(self, part: Flags) -> Floats:
        return weights_of_part(self.rows, self.weights, part, self.forward)


def f1_difference(y: Labels, first: Labels, second: Labels, weights: Floats) -> Difference:
    """Return how much higher the macro-F1 of the first predictions is, on weighed baskets.

    Examples
    --------
    >>> y = np.array([0, 1, 2] * 100, dtype=np.int8)
    >>> wrong = y.copy()
    >>> wrong[:3] = 0
    >>> difference = f1_difference(y, y, wrong, np.ones(300))
    >>> f"{difference.value:.4f} ± {difference.error:.4f}"
    '0.0067 ± 0.0047'
    """
    matrices = [confusion_matrix(y, predicted, weights) for predicted in (first, second)]
    slopes = [_slopes(matrix) for matrix in matrices]
    moved = weights * (slopes[0][y, first] - slopes[1][y, second])
    values = [float(class_f1(matrix).mean()) for matrix in matrices]
    return Difference(values[0] - values[1], float(np.sqrt((moved**2).sum())))


def _slopes(matrix: Floats) -> Floats:
    """Return how much the macro-F1 changes with each cell of a confusion matrix."""
    f1 = class_f1(matrix)
    size = matrix.sum(axis=1) + matrix.sum(axis=0)
    share = np.divide(1.0, size, out=np.zeros(size.size), where=size > 0)
    both = f1 * share
    return np.asarray((2 * np.diag(share) - both[:, None] - both[None, :]) / size.size)

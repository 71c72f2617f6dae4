"""How far the accuracy of a part of the baskets lies from the accuracy of the whole.

A part belongs to the whole, and the baskets of one customer are alike; so the variance of the
difference is that of its linearisation, summed per customer (Binder, On the Variances of
Asymptotically Normal Estimators from Complex Surveys, 1983). That is a normal approximation. It
fails where few baskets are wrong, or few are right: a part without any error would have no variance
at all. There exact counts take over, divided by the design effect, that is by how many alike
baskets say as much as one (Rao and Scott, A Simple Method for the Analysis of Clustered Binary
Data, 1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtr, stdtrit
from scipy.stats import hypergeom

from basketwise.arrays import Counts, Floats

FEW = 20
"""A part with fewer wrong, or fewer right baskets than that, after division by the design effect,
is judged by exact counts too."""


@dataclass(frozen=True)
class Differences:
    """Accuracy of each part minus the whole's; one entry per part.

    Attributes
    ----------
    baskets
        How many baskets the part has.
    accuracy
        Its accuracy.
    estimate, low, high
        The difference, with the ends of its two-sided interval.
    p_worse
        One-sided p-value of "not worse than the rest".
    customers
        How many customers of equal weight would tell as much as these (Kish, Survey Sampling,
        1965); the number of customers if all have equally many baskets.
    """

    baskets: Counts
    accuracy: Floats
    estimate: Floats
    low: Floats
    high: Floats
    p_worse: Floats
    customers: Floats


@dataclass(frozen=True)
class _Counted:
    """Right and wrong baskets of each part and of the rest of the whole, and its design effect."""

    right: Counts
    wrong: Counts
    rest_right: Counts
    rest_wrong: Counts
    design: Floats

    @property
    def few(self) -> NDArray[np.bool_]:
        return np.minimum(self.right, self.wrong) < FEW * self.design


def differences(
    parts: NDArray[np.int64],
    right: NDArray[np.bool_],
    customers: NDArray[np.int64],
    confidence: float,
) -> Differences:
    """Compare each part with the whole.

    Parameters
    ----------
    parts : array of int, shape (baskets,)
        Number of the part of each basket; parts are numbered from 0, none is empty.
    right : array of bool, shape (baskets,)
        Whether the basket is classified correctly.
    customers : array of int, shape (baskets,)
        Number of the customer of each basket, from 0.
    confidence : float
        Confidence level of the intervals.

    Notes
    -----
    The p-value is that of Student's t of the linearised difference. Where few baskets of a part are
    wrong, or few are right, Fisher's exact test of the part against the rest (The Logic of
    Inductive Inference, 1935) must agree, and the larger p-value counts; the interval is widened to
    the ends of Clopper and Pearson (1934). Both take counts divided by the part's design effect;
    Fisher's are rounded in the part's favour.

    Without it, a part of customers who are all wrong would look sure to be worse: its own
    variance is 0. For rare errors t alone is on the safe side, since each error raises the variance
    too: a single one never stands out, however good the whole is.

    Examples
    --------
    >>> parts = np.repeat([0, 1], [100, 900])
    >>> right = np.arange(1000) % 50 > 0
    >>> found = differences(parts, right, np.arange(1000), confidence=0.95)
    >>> found.accuracy.tolist(), found.p_worse.round(2).tolist()
    ([0.98, 0.98], [0.5, 0.5])
    """
    # A cell is what one customer has in one part.
    size = int(customers.max()) + 1
    keys, cell = np.unique(parts * size + customers, return_inverse=True)
    part, customer = keys // size, keys % size
    cell_baskets, cell_right = np.bincount(cell), _sum_by(cell, right)
    baskets, rights = np.bincount(parts), _sum_by(parts, right).astype(np.int64)
    whole, accuracy = float(right.mean()), rights / baskets

    of_whole = _sum_by(customers, right) - whole * np.bincount(customers)
    of_whole /= right.size
    of_part = (cell_right - accuracy[part] * cell_baskets) / baskets[part]
    # Customers outside the part have an influence too, by way of the whole.
    squares = (of_part - of_whole[customer]) ** 2 - of_whole[customer] ** 2
    variance = np.maximum(_sum_by(part, squares) + (of_whole**2).sum(), 0)
    found = np.bincount(part)
    error = np.sqrt(variance * found / np.maximum(found - 1, 1))

    alike = baskets.astype(np.float64) ** 2 / _sum_by(part, cell_baskets**2)
    together = _sum_by(part, (cell_right - whole * cell_baskets) ** 2)
    counted = _counted(baskets, rights, _design(baskets, rights, together, alike, whole))

    freedom = np.maximum(alike - 1, 1)
    estimate = accuracy - whole
    reach = stdtrit(freedom, (1 + confidence) / 2) * error
    low, high = _exact_ends(counted, confidence)
    low = np.where(counted.few, np.minimum(low, estimate - reach), estimate - reach)
    high = np.where(counted.few, np.maximum(high, estimate + reach), estimate + reach)
    p_worse = stdtr(freedom, estimate / np.maximum(error, np.finfo(np.float64).tiny))
    # Fisher's can only raise a p-value, so it is not needed where that is large already.
    for k in np.flatnonzero(counted.few & (p_worse <= 1 - confidence)):
        p_worse[k] = max(p_worse[k], _fisher(counted, k))
    return Differences(
        baskets,
        accuracy,
        estimate,
        np.clip(low, -whole, estimate),
        np.clip(high, estimate, 1 - whole),
        p_worse,
        alike,
    )


def _sum_by(groups: Counts, values: NDArray[Any]) -> Floats:
    return np.asarray(np.bincount(groups, weights=values), dtype=np.float64)


def _design(
    baskets: Counts, right: Counts, together: Floats, alike: Floats, whole: float
) -> Floats:
    """Return the design effect, at the whole's accuracy: the part's own may have no variance."""
    alone = right * (1 - whole) ** 2 + (baskets - right) * whole**2
    # Without an error anywhere nothing is known of it: then a customer's baskets count as one.
    worst = baskets / alike
    return np.maximum(np.divide(together, alone, out=worst, where=alone > 0), 1)


def _counted(baskets: Counts, right: Counts, design: Floats) -> _Counted:
    wrong = baskets - right
    return _Counted(right, wrong, right.sum() - right, wrong.sum() - wrong, design)


def _exact_ends(parts: _Counted, confidence: float) -> tuple[Floats, Floats]:
    """Return Clopper and Pearson's ends of each part's accuracy, as a difference to the whole."""
    right, wrong = parts.right / parts.design, parts.wrong / parts.design
    tail, nearly_none = (1 - confidence) / 2, 1e-9
    ends = (
        betaincinv(np.maximum(right, nearly_none), wrong + 1, tail),
        betaincinv(right + 1, np.maximum(wrong, nearly_none), 1 - tail),
    )
    rest = parts.rest_right + parts.rest_wrong
    of_rest = parts.rest_right / np.maximum(rest, 1)
    # Part minus whole is the rest's share times part minus rest.
    share = rest / (rest + parts.right + parts.wrong)
    low, high = (share * (end - of_rest) for end in ends)
    return low, high


def _fisher(parts: _Counted, k: np.intp) -> float:
    """Return how likely so many of all errors fall on part k by chance."""
    design = parts.design[k]
    wrong, right = np.floor(parts.wrong[k] / design), np.ceil(parts.right[k] / design)
    rest_wrong = np.ceil(parts.rest_wrong[k] / design)
    rest_right = np.floor(parts.rest_right[k] / design)
    total = wrong + right + rest_wrong + rest_right
    tail = hypergeom.sf(wrong - 1, int(total), int(wrong + rest_wrong), int(wrong + right))
    return float(tail)


def holm(p: Floats, level: float) -> NDArray[np.bool_]:
    """Return which hypotheses fall, so that a true one falls in a share ``level`` of cases at most.

    The smallest p-value must not exceed level / m, the next level / (m - 1) and so on; the first
    that does ends it (Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979).

    Examples
    --------
    >>> holm(np.array([0.03, 0.01, 0.02]), 0.05).tolist()
    [True, True, True]
    >>> holm(np.array([0.03, 0.02, 0.03]), 0.05).tolist()
    [False, False, False]
    """
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(p.size, 0, -1)
    fallen = np.zeros(p.size, dtype=np.bool_)
    fallen[order] = np.maximum.accumulate(steps) <= level
    return fallen

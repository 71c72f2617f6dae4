"""How far the accuracy of a slice of the baskets is from the accuracy of the whole.

A slice belongs to the whole, and the baskets of one customer are alike; so the variance of the
difference is that of its linearisation, summed per customer (Binder, On the Variances of
Asymptotically Normal Estimators from Complex Surveys, 1983). That is a normal approximation. It
fails where few baskets are wrong, or few are right: a slice without any error would have no
variance at all. There exact counts take over, divided by the design effect, that is by how many
alike baskets say as much as one (Rao and Scott, A Simple Method for the Analysis of Clustered
Binary Data, 1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtr, stdtrit

from basketwise.arrays import Counts, Floats

FEW = 20
"""A slice with fewer wrong, or fewer right baskets than that, after division by the design effect,
is judged by exact counts too."""


@dataclass(frozen=True)
class Differences:
    """Accuracy of each slice minus the whole's; one entry per slice.

    ``low`` and ``high`` are the ends of the difference's two-sided interval, ``p_worse`` is the
    one-sided p-value of "not worse than the rest". ``customers``: how many customers of equal
    weight would tell as much as these (Kish, Survey Sampling, 1965); the number of customers if all
    have equally many baskets.
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
    """Right and wrong baskets of each slice and of the rest of the whole, and its design effect."""

    right: Counts
    wrong: Counts
    rest_right: Counts
    rest_wrong: Counts
    design: Floats

    @property
    def few(self) -> NDArray[np.bool_]:
        return np.minimum(self.right, self.wrong) < FEW * self.design


def differences(
    groups: NDArray[np.int64],
    right: NDArray[np.bool_],
    customers: NDArray[np.int64],
    confidence: float,
) -> Differences:
    """Compare each slice with the whole.

    ``groups`` numbers the slice of each basket, from 0, none empty; ``customers`` its customer,
    from 0; ``right`` says whether it is classified correctly.

    The p-value is that of Student's t of the linearised difference. Where few baskets of a slice
    are wrong, or few are right, Fisher's exact test of the slice against the rest (The Logic of
    Inductive Inference, 1935) must agree, and the larger p-value counts; the interval is widened to
    the ends of Clopper and Pearson (1934). Both take counts divided by the slice's design effect;
    Fisher's are rounded in the slice's favour.

    Without it, a slice of customers who are all wrong would look sure to be worse: its own variance
    is 0. For rare errors t alone is on the safe side, since each error raises the variance too: a
    single one never stands out, however good the whole is.

    Examples
    --------
    >>> groups = np.repeat([0, 1], [100, 900])
    >>> right = np.arange(1000) % 50 > 0
    >>> measured = differences(groups, right, np.arange(1000), confidence=0.95)
    >>> measured.accuracy.tolist(), measured.p_worse.round(2).tolist()
    ([0.98, 0.98], [0.5, 0.5])
    """
    # A cell is what one customer has in one slice.
    size = int(customers.max()) + 1
    keys, cell = np.unique(groups * size + customers, return_inverse=True)
    group, customer = keys // size, keys % size
    cell_baskets, cell_right = np.bincount(cell), _sum_by(cell, right)
    baskets, rights = np.bincount(groups), _sum_by(groups, right).astype(np.int64)
    overall, accuracy = float(right.mean()), rights / baskets

    of_whole = _sum_by(customers, right) - overall * np.bincount(customers)
    of_whole /= right.size
    of_group = (cell_right - accuracy[group] * cell_baskets) / baskets[group]
    # Customers outside the slice have an influence too, by way of the whole.
    squares = (of_group - of_whole[customer]) ** 2 - of_whole[customer] ** 2
    variance = np.maximum(_sum_by(group, squares) + (of_whole**2).sum(), 0)
    counts = np.bincount(group)
    error = np.sqrt(variance * counts / np.maximum(counts - 1, 1))

    alike = baskets.astype(np.float64) ** 2 / _sum_by(group, cell_baskets**2)
    together = _sum_by(group, (cell_right - overall * cell_baskets) ** 2)
    design, wrongs = _design(baskets, rights, together, alike, overall), baskets - rights
    counted = _Counted(rights, wrongs, rights.sum() - rights, wrongs.sum() - wrongs, design)

    freedom = np.maximum(alike - 1, 1)
    estimate = accuracy - overall
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
        np.clip(low, -overall, estimate),
        np.clip(high, estimate, 1 - overall),
        p_worse,
        alike,
    )


def _sum_by(groups: Counts, values: NDArray[Any]) -> Floats:
    return np.asarray(np.bincount(groups, weights=values), dtype=np.float64)


def _design(
    baskets: Counts, right: Counts, together: Floats, alike: Floats, overall: float
) -> Floats:
    """Return the design effect, at the whole's accuracy: the slice's own may have no variance."""
    alone = right * (1 - overall) ** 2 + (baskets - right) * overall**2
    # Without an error anywhere nothing is known of it: then a customer's baskets count as one.
    worst = baskets / alike
    return np.maximum(np.divide(together, alone, out=worst, where=alone > 0), 1)


def _exact_ends(slices: _Counted, confidence: float) -> tuple[Floats, Floats]:
    """Return Clopper and Pearson's ends of each slice's accuracy, as a difference to the whole."""
    right, wrong = slices.right / slices.design, slices.wrong / slices.design
    tail, nearly_none = (1 - confidence) / 2, 1e-9
    ends = (
        betaincinv(np.maximum(right, nearly_none), wrong + 1, tail),
        betaincinv(right + 1, np.maximum(wrong, nearly_none), 1 - tail),
    )
    rest = slices.rest_right + slices.rest_wrong
    of_rest = slices.rest_right / np.maximum(rest, 1)
    # Slice minus whole is the rest's share times slice minus rest.
    share = rest / (rest + slices.right + slices.wrong)
    low, high = (share * (end - of_rest) for end in ends)
    return low, high


def _fisher(slices: _Counted, k: np.intp) -> float:
    """Return how likely so many of all errors fall on slice k by chance."""
    # All distributions are loaded with it, which takes as long as all else that ETL loads.
    from scipy.stats import hypergeom

    design = slices.design[k]
    wrong, right = np.floor(slices.wrong[k] / design), np.ceil(slices.right[k] / design)
    rest_wrong = np.ceil(slices.rest_wrong[k] / design)
    rest_right = np.floor(slices.rest_right[k] / design)
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

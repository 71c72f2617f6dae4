"""Weighs units at random and counts, in each draw, every model's confusion matrix.

A unit is a basket, or a customer with all its baskets: those are alike, so only whole customers are
independent of each other (the cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their
Application, 1997). In each resample every unit has a weight of its own, exponentially distributed
(Rubin, The Bayesian Bootstrap, 1981). Drawing with replacement gives it a whole number instead; a
few errors then have only a few possible shares, and their distribution is not as skewed as it is.

Which weights the units get depends on their number and the seed alone, so a model's matrices are
the same whichever models are counted beside it.

A unit only matters through the cells of the confusion matrices, so units with the same baskets in
the same cells are one *pattern*, and a resample is the weight of each pattern times what it
counts: one matrix product for all resamples and all models. Weights are multiples of 1 / UNIT, so
all sums are whole numbers, exact in float64 far beyond any test set: the result depends neither on
the patterns nor on the order in which threads add them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Counts, Floats, Labels
from basketwise.schema import CLASSES

SIZE = len(CLASSES)

UNIT = 1024
"""The mean weight of a unit."""

BLOCK_ENTRIES = 4_000_000
"""Resamples times patterns in memory at a time: 32 MB of float64."""

# The exponential distribution in steps of equal probability: a random 16-bit number is a weight.
_WEIGHTS = np.maximum(1, np.rint(-UNIT * np.log1p(-(np.arange(65_536) + 0.5) / 65_536)))


@dataclass(frozen=True, eq=False)
class Patterns:
    """What the units are like, as far as confusion matrices can tell.

    ``counts``: baskets in each cell, classes * true + predicted, of shape (patterns, models,
    cells); whole numbers, as float64 for the matrix product. ``of_unit``: the pattern of each unit;
    units are in the order of their first basket. ``pattern`` and ``joint`` are the pattern and the
    joint cell of each basket of all patterns.
    """

    counts: Floats
    of_unit: Counts
    pattern: Counts
    joint: Counts

    def most(self, cells: NDArray[np.bool_]) -> int:
        """Return how many baskets in some of the joint cells a unit has at most."""
        inside = self.pattern[cells[self.joint]]
        return int(np.bincount(inside).max()) if inside.size else 0

    @cached_property
    def alike(self) -> float:
        """How many units of equal size tell as much as these (Kish, Survey Sampling, 1965)."""
        sizes = np.bincount(self.pattern)[self.of_unit].astype(np.float64)
        return float(sizes.sum() ** 2 / (sizes**2).sum())

    @cached_property
    def baskets(self) -> Floats:
        """Baskets in each joint cell, of all units."""
        units = np.bincount(self.of_unit).astype(np.float64)
        return np.bincount(self.joint, weights=units[self.pattern]).astype(np.float64)


def joint_cells(true: Labels, predicted: Sequence[Labels]) -> tuple[Counts, Counts]:
    """Give baskets of one class that every model answers alike the same number.

    Returns the *joint cell* of each basket, int64, numbered from 0 without a gap; and, of shape
    (joint cells, models), the cell of each model's confusion matrix: classes * true + predicted.
    """
    joint = true.astype(np.int64)
    for answers in predicted:
        # Numbered anew each time: three to the power of the models would outgrow an int64.
        joint = _without_gaps(joint * SIZE + answers)
    first = np.unique(joint, return_index=True)[1]
    cells = [true[first].astype(np.int64) * SIZE + answers[first] for answers in predicted]
    return joint, np.stack(cells, axis=1)


def _without_gaps(numbers: Counts) -> Counts:
    """Replace small whole numbers by their ranks from 0; no sort of all of them is needed."""
    occurs = np.zeros(int(numbers.max(initial=0)) + 1, dtype=np.bool_)
    occurs[numbers] = True
    renumbered: Counts = (np.cumsum(occurs) - 1)[numbers]
    return renumbered


def find_patterns(joint: Counts, cells: Counts, units: Counts | None) -> Patterns:
    """Group units whose baskets are in the same joint cells, as :func:`joint_cells` returns them.

    ``units`` are any numbers that identify each basket's unit; None: each basket is one.
    """
    if units is None:
        of_unit, members = joint, np.arange(cells.shape[0])
        lengths = np.ones(members.size, dtype=np.int64)
    else:
        of_unit, lengths, members = _distinct_baskets(joint, units)
    patterns, models, size = lengths.size, cells.shape[1], SIZE * SIZE
    pattern = np.repeat(np.arange(patterns), lengths)
    counts = np.empty((patterns, models, size))
    for k in range(models):
        flat = np.bincount(pattern * size + cells[members, k], minlength=patterns * size)
        counts[:, k] = flat.reshape(patterns, size)
    return Patterns(counts, of_unit, pattern, members)


def _distinct_baskets(joint: Counts, units: Counts) -> tuple[Counts, Counts, Counts]:
    """Return each unit's list of joint cells by number; the lists' lengths; the lists in a row."""
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[unit]
    order = np.lexsort((joint, rank))
    starts = np.flatnonzero(np.diff(rank[order])) + 1
    ends = (joint.itemsize * np.array([0, *starts, joint.size])).tolist()
    # As bytes, the baskets of a unit are a key as they are: no sort of rows of many columns.
    lists = joint[order].tobytes()
    numbers: dict[bytes, int] = {}
    of_unit = [numbers.setdefault(lists[start:end], len(numbers)) for start, end in pairwise(ends)]
    lengths = np.array([len(key) // joint.itemsize for key in numbers])
    return np.array(of_unit), lengths, np.frombuffer(b"".join(numbers), dtype=joint.dtype)


def draw(patterns: Patterns, resamples: int, seed: int) -> Counts:
    """Weigh the units at random, again and again.

    Returns
    -------
    array of int64, shape (resamples, models, classes, classes)
        The models' confusion matrices, true class (row) by predicted (column), in units of 1 / UNIT
        baskets; all models of a resample are counted with the same weights.
    """
    rng = np.random.default_rng(seed)
    shape, units = patterns.counts.shape, patterns.of_unit.size
    counts = patterns.counts.reshape(shape[0], -1)
    rows = max(1, BLOCK_ENTRIES // shape[0])
    drawn = np.empty((resamples, counts.shape[1]), dtype=np.int64)
    of_units = np.empty(units)
    for start in range(0, resamples, rows):
        weights = np.empty((min(rows, resamples - start), shape[0]))
        for row in weights:
            numbers = rng.integers(0, _WEIGHTS.size, units, dtype=np.uint16)
            # None is out of range, which NumPy checks one by one unless it may clip.
            _WEIGHTS.take(numbers, out=of_units, mode="clip")
            row[:] = np.bincount(patterns.of_unit, of_units, minlength=shape[0])
        drawn[start : start + rows] = weights @ counts
    return drawn.reshape(resamples, shape[1], SIZE, SIZE)


def unseen_weights(resamples: int, seed: int, shape: float) -> Floats:
    """Draw a weight per resample for ``shape`` units that are in no data, in units of 1 / UNIT."""
    # Of a stream of their own: the units' weights must not depend on them.
    return UNIT * np.random.default_rng((seed, round(4 * shape))).gamma(shape, size=resamples)

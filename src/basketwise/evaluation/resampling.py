"""Draws units with replacement and counts, in each draw, what every model made of their baskets.

A unit is a basket, or a customer with all its baskets: those are alike, so only whole customers are
independent of each other (the cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their
Application, 1997). A draw only matters through the cells of the confusion matrices, so units with
the same baskets in the same cells are one *pattern*, and a resample is how often each pattern was
drawn times what it counts: one matrix product for all resamples and all models. Counts are whole
numbers, exact in float64 far beyond any test part: the result does not hang on the order in which
threads add them up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Counts, Floats, Labels
from basketwise.schema import CLASSES

SIZE = len(CLASSES)

BLOCK_ENTRIES = 4_000_000
"""Resamples times patterns held in memory at a time: 32 MB of float64."""

UNITS_PER_PATTERN = 10
"""From here on a multinomial over the patterns is cheaper than drawing unit by unit.

Both draw from the same distribution: where the line lies only matters for the time.
"""


@dataclass(frozen=True, eq=False)
class Patterns:
    """What the units are like, as far as confusion matrices can tell.

    Attributes
    ----------
    counts
        Shape (patterns, models, classes * classes): baskets in each cell, true class by predicted.
        Whole numbers, as float64 for the matrix product.
    sizes
        Shape (patterns,): units of each pattern.
    """

    counts: Floats
    sizes: Counts


def joint_cells(true: Labels, predicted: Sequence[Labels]) -> tuple[Counts, Counts]:
    """Give baskets of one class that every model answers alike the same number.

    Parameters
    ----------
    true : array of int8, shape (baskets,)
        Numbers of the classes.
    predicted : sequence of array of int8, shape (baskets,)
        One per model.

    Returns
    -------
    joint : array of int64, shape (baskets,)
        The basket's joint cell, numbered from 0 without a gap.
    cells : array of int64, shape (joint cells, models)
        The cell of each model's confusion matrix: classes * true + predicted.
    """
    joint = true.astype(np.int64)
    for answers in predicted:
        # Numbered anew each time: three to the power of the models would outgrow an int64.
        joint = np.unique(joint * SIZE + answers, return_inverse=True)[1]
    first = np.unique(joint, return_index=True)[1]
    cells = [true[first].astype(np.int64) * SIZE + answers[first] for answers in predicted]
    return joint, np.stack(cells, axis=1)


def find_patterns(joint: Counts, cells: Counts, units: NDArray[np.int64] | None) -> Patterns:
    """Group units whose baskets lie in the same joint cells.

    Parameters
    ----------
    joint, cells
        As :func:`joint_cells` returns them.
    units : array of int64, shape (baskets,), or None
        Any number that stands for the basket's unit; None: each basket is one.
    """
    if units is None:
        sizes = np.bincount(joint)
        lengths, members = np.ones(sizes.size, dtype=np.int64), np.arange(sizes.size)
    else:
        sizes, lengths, members = _distinct_baskets(joint, units)
    patterns, models, size = sizes.size, cells.shape[1], SIZE * SIZE
    pattern = np.repeat(np.arange(patterns), lengths)
    counts = np.empty((patterns, models, size))
    for k in range(models):
        flat = np.bincount(pattern * size + cells[members, k], minlength=patterns * size)
        counts[:, k] = flat.reshape(patterns, size)
    return Patterns(counts, sizes)


def _distinct_baskets(joint: Counts, units: NDArray[np.int64]) -> tuple[Counts, Counts, Counts]:
    """Return, per distinct list of joint cells, its units, its length and the lists in a row."""
    order = np.lexsort((joint, units))
    starts = np.flatnonzero(np.diff(units[order])) + 1
    ends = (joint.itemsize * np.array([0, *starts, joint.size])).tolist()
    # As bytes, the baskets of a unit are a key at hand: no sort of rows of many columns. Big-endian
    # bytes sort as their numbers do, so that neither rows nor units need any order.
    cells = joint[order].astype(">i8").tobytes()
    found = Counter(cells[start:end] for start, end in pairwise(ends))
    keys = sorted(found)
    sizes = np.array([found[key] for key in keys])
    lengths = np.array([len(key) // joint.itemsize for key in keys])
    return sizes, lengths, np.frombuffer(b"".join(keys), dtype=">i8").astype(np.int64)


def draw(patterns: Patterns, resamples: int, seed: int) -> Counts:
    """Draw as many units as there are, with replacement, again and again.

    Returns
    -------
    array of int64, shape (resamples, models, classes, classes)
        The models' confusion matrices, true class (row) by predicted (column); all models of a
        resample are counted on the same drawn units.
    """
    rng = np.random.default_rng(seed)
    shape = patterns.counts.shape
    counts = patterns.counts.reshape(shape[0], -1)
    rows = max(1, BLOCK_ENTRIES // shape[0])
    drawn = np.empty((resamples, counts.shape[1]), dtype=np.int64)
    for start in range(0, resamples, rows):
        some = slice(start, min(start + rows, resamples))
        drawn[some] = _times_drawn(patterns.sizes, some.stop - some.start, rng) @ counts
    return drawn.reshape(resamples, shape[1], SIZE, SIZE)


def _times_drawn(sizes: Counts, resamples: int, rng: np.random.Generator) -> Floats:
    """Return how often each pattern was drawn, shape (resamples, patterns)."""
    units = int(sizes.sum())
    if units >= UNITS_PER_PATTERN * sizes.size:
        return rng.multinomial(units, sizes / units, size=resamples).astype(np.float64)
    pattern = np.repeat(np.arange(sizes.size), sizes)
    times = np.empty((resamples, sizes.size))
    for row in times:
        row[:] = np.bincount(pattern[rng.integers(0, units, units)], minlength=sizes.size)
    return times

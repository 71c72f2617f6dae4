"""Draws units with replacement and counts, in each draw, every model's confusion matrix.

A unit is a basket, or a customer with all its baskets: those are alike, so only whole customers are
independent of each other (the cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their
Application, 1997). Which units are drawn depends on their number and the seed alone, so a model's
matrices are the same whichever models are counted beside it.

A unit only matters through the cells of the confusion matrices, so units with the same baskets in
the same cells are one *pattern*, and a resample is how often each pattern was drawn times what it
counts: one matrix product for all resamples and all models. Counts are whole numbers, exact in
float64 far beyond any test set: the result depends neither on the patterns nor on the order in
which threads add them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from basketwise.arrays import Counts, Floats, Labels
from basketwise.schema import CLASSES

SIZE = len(CLASSES)

BLOCK_ENTRIES = 4_000_000
"""Resamples times patterns in memory at a time: 32 MB of float64."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """What the units are like, as far as confusion matrices can tell.

    ``counts``: baskets in each cell, classes * true + predicted, of shape (patterns, models,
    cells); whole numbers, as float64 for the matrix product. ``of_unit``: the pattern of each unit;
    units are in the order of their first basket.
    """

    counts: Floats
    of_unit: Counts


def joint_cells(true: Labels, predicted: Sequence[Labels]) -> tuple[Counts, Counts]:
    """Give baskets of one class that every model answers alike the same number.

    Returns the *joint cell* of each basket, int64, numbered from 0 without a gap; and, of shape
    (joint cells, models), the cell of each model's confusion matrix: classes * true + predicted.
    """
    joint = true.astype(np.int64)
    for answers in predicted:
        # Numbered anew each time: three to the power of the models would outgrow an int64.
        joint = np.unique(joint * SIZE + answers, return_inverse=True)[1]
    first = np.unique(joint, return_index=True)[1]
    cells = [true[first].astype(np.int64) * SIZE + answers[first] for answers in predicted]
    return joint, np.stack(cells, axis=1)


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
    return Patterns(counts, of_unit)


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
    """Draw as many units as there are, with replacement, again and again.

    Returns
    -------
    array of int64, shape (resamples, models, classes, classes)
        The models' confusion matrices, true class (row) by predicted (column); all models of a
        resample are counted on the same drawn units.
    """
    rng = np.random.default_rng(seed)
    shape, units = patterns.counts.shape, patterns.of_unit.size
    counts = patterns.counts.reshape(shape[0], -1)
    rows = max(1, BLOCK_ENTRIES // shape[0])
    drawn = np.empty((resamples, counts.shape[1]), dtype=np.int64)
    for start in range(0, resamples, rows):
        times = np.empty((min(rows, resamples - start), shape[0]))
        for row in times:
            of_drawn = patterns.of_unit[rng.integers(0, units, units)]
            row[:] = np.bincount(of_drawn, minlength=shape[0])
        drawn[start : start + rows] = times @ counts
    return drawn.reshape(resamples, shape[1], SIZE, SIZE)

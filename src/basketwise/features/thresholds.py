"""Two thresholds on one number that tell the three classes best, found exactly."""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import numpy as np

from basketwise.arrays import Floats, Labels
from basketwise.schema import CLASSES


class Piece(NamedTuple):
    """A range of values and the class of baskets in it; None: no upper end."""

    number: int
    up_to: float | None


def fit_thresholds(values: Floats, y: Labels) -> list[Piece]:
    """Return the ranges of up to three classes, in any order, that tell most labels.

    Exact: for each order of the classes, the best first threshold below every second one is known
    from a running maximum.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    counts = np.zeros((y.size + 1, len(CLASSES)), dtype=np.int32)
    np.cumsum(y[order, None] == np.arange(len(CLASSES)), axis=0, out=counts[1:])
    cuts = np.flatnonzero(np.diff(ordered, prepend=-np.inf, append=np.inf) > 0)
    below = counts[cuts]
    best, chosen = -1, ((0, 0), (1, 0), (2, 0))
    for a, b, c in permutations(range(len(CLASSES))):
        first = below[:, a] - below[:, b]
        right = np.maximum.accumulate(first) + below[:, b] - below[:, c] + below[-1, c]
        end = int(right.argmax())
        if right[end] > best:
            best = int(right[end])
            chosen = ((a, int(first[: end + 1].argmax())), (b, end), (c, cuts.size - 1))
    pieces: list[Piece] = []
    start = 0
    for number, end in chosen:
        if end > start:
            last = end == cuts.size - 1
            up_to = None if last else float(ordered[cuts[end] - 1 : cuts[end] + 1].mean())
            pieces.append(Piece(number, up_to))
            start = end
    return pieces


def apply_thresholds(pieces: list[Piece], values: Floats) -> Labels:
    """Return the class of each value."""
    ends = [piece.up_to for piece in pieces if piece.up_to is not None]
    numbers = np.asarray([piece.number for piece in pieces], dtype=np.int8)
    return numbers[np.searchsorted(ends, values, side="left")]

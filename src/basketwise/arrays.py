"""Types of arrays, by what they contain, and even spacing.

One row is one basket unless a function says otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int8]
"""Numbers of classes, in the order of ``schema.CLASSES``; shape (baskets,)."""

Probabilities = NDArray[np.float64]
"""One column per class, rows sum to 1; shape (baskets, classes)."""

Matrix = NDArray[np.float32]
"""Features, shape (baskets, features); or what float32 is precise enough for."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Positions = NDArray[np.integer]
"""Where something is among many, in half the memory where that is enough."""

Flags = NDArray[np.bool_]


def spaced(number: int, most: int) -> slice:
    """Select evenly spaced ones of so many, at most.

    Examples
    --------
    >>> list(range(10))[spaced(10, 4)]
    [0, 3, 6, 9]
    """
    return slice(None, None, max(1, -(-number // most)))

"""Draws from a discrete distribution, many at a time."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

_ENTRIES_PER_INDEX = 8


class Discrete:
    """A distribution over the indices from 0.

    Parameters
    ----------
    shares
        One per index, above 0; they add up to 1.

    Attributes
    ----------
    cumulative
        Running sum of the shares; the last value is exactly 1.
    """

    def __init__(self, shares: npt.NDArray[np.float64]) -> None:
        self.cumulative = np.cumsum(shares)
        self.cumulative[-1] = 1.0

    def draw(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
        """Draw ``count`` indices, as if each number of ``rng`` were searched in ``cumulative``."""
        number = rng.random(count)
        index = self._guide[(number * len(self._guide)).astype(np.int64)]
        while (beyond := number >= self.cumulative[index]).any():
            index += beyond
        return index

    @cached_property
    def _guide(self) -> npt.NDArray[np.int64]:
        """Where the search starts for numbers from k/n on, with n entries: almost at its end.

        A binary search takes eight times as long, because nothing can tell its turns beforehand. A
        power of two as n makes the products with it exact.
        """
        entries = 1 << (_ENTRIES_PER_INDEX * len(self.cumulative)).bit_length()
        return np.searchsorted(self.cumulative, np.arange(entries) / entries, side="right")

"""Each product's entries in its shortest baskets, which say most about it.

Of all entries only some hundred per product are ever asked for, whichever fold is left out. They
are found once, for all folds; what is done for each fold then touches these few alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from basketwise.arrays import Counts, Flags, Positions
from basketwise.features.product_index.pairs import Pairs, counts

REACH = 4
"""How many times as many entries are looked at as are asked for; more where that is too few."""


@dataclass(frozen=True)
class Shortest:
    """Entries by product and by the size of their basket, then by position.

    One value per entry: ``product`` and ``basket``, their numbers.
    """

    product: NDArray[np.int32]
    basket: NDArray[np.int32]

    def ranks(self, kept: Flags) -> tuple[Shortest, Positions]:
        """Return the entries of kept baskets, and how many each has before it of its product."""
        own = kept[self.basket]
        entries = Shortest(self.product[own], self.basket[own])
        return entries, _within(entries.product)


def shortest_first(pairs: Pairs) -> Positions:
    """Return the order of entries by product and by the size of the basket, then by position."""
    kind = _positions(pairs.product.size)
    by_size = np.argsort(_narrow(pairs.entries), kind="stable")
    number = pairs.entries[by_size]
    bounds = np.zeros(number.size + 1, dtype=kind)
    np.cumsum(number, out=bounds[1:])
    # The entries of the shortest basket, then those of the next: in columns by product, they stay
    # in this order. That takes less memory and time than a sort by both.
    gaps = pairs.start[:-1][by_size] - bounds[:-1]
    entry = np.repeat(gaps.astype(kind), number)
    entry += np.arange(entry.size, dtype=kind)
    product = pairs.product[entry]
    shape = (number.size, int(product.max(initial=0)) + 1)
    order: Positions = sp.csr_array((entry, product, bounds), shape=shape).tocsc().data
    return order


def shortest(order: Positions, pairs: Pairs, without: Sequence[int | None], most: int) -> Shortest:
    """Select the entries that can be among the first so many of their product.

    Parameters
    ----------
    order : array
        See :func:`shortest_first`.
    pairs : Pairs
        The training baskets.
    without : sequence
        Folds that may be left out; None: none is.
    most : int
        How many entries of a product are asked for, at most.
    """
    number = counts(pairs.product)
    basket_of = pairs.basket()
    reach = np.int64(most)
    while True:
        # Mostly, a few times as many of each product hold those of every fold.
        reach *= REACH
        heads = np.minimum(number, reach)
        ends = np.cumsum(heads)
        starts = ends - heads
        basket = basket_of[order[_firsts(number, heads)]]
        fold = pairs.fold[basket]
        # How many of its product are before each entry.
        before = np.arange(basket.size, dtype=_positions(basket.size))
        before -= np.repeat(starts.astype(before.dtype), heads)
        enough, chosen = True, np.zeros(basket.size, dtype=np.bool_)
        for left_out in without:
            if left_out is None:
                chosen |= before < most
                continue
            # Those of the fold up to an entry, less those of the products before.
            other = np.zeros(basket.size + 1, dtype=before.dtype)
            np.cumsum(fold == left_out, out=other[1:])
            found = heads - (other[ends] - other[starts])
            enough &= bool(((found >= most) | (number <= reach)).all())
            left = before - other[1:]
            left += np.repeat(other[starts], heads)
            chosen |= left < most
        if enough:
            product = np.repeat(np.arange(number.size, dtype=np.int32), heads)
            return Shortest(product[chosen], basket[chosen])


def _firsts(counts: Counts, heads: Counts) -> Counts:
    """Return the positions of the first ``heads`` of each product among all, by product."""
    gaps = np.cumsum(counts) - counts - (np.cumsum(heads) - heads)
    positions: Counts = np.repeat(gaps, heads)
    positions += np.arange(positions.size)
    return positions


def _within(product: NDArray[np.int32]) -> Positions:
    """Return how many entries of the same product are before each, which are sorted by product."""
    starts = np.flatnonzero(np.diff(product, prepend=-1)).astype(_positions(product.size))
    number = np.arange(product.size, dtype=starts.dtype)
    number -= np.repeat(starts, np.diff(starts, append=product.size))
    return number


def _positions(number: int) -> type[np.integer]:
    """Return the type of positions among so many entries: half the memory, where that is enough."""
    return np.int32 if number < 2**31 else np.int64


def _narrow(numbers: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the numbers in as few bits as they need: up to sixteen are sorted much faster."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))

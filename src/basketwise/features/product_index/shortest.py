"""Each product's entries in its shortest baskets, which say most about it.

Of all entries only some hundred per product are ever asked for, whichever fold is left out. They
are found once, for all folds; what is done for each fold then touches these few alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Counts, Flags, Positions
from basketwise.features.product_index.pairs import Pairs, by_column, counts

REACH = 4
"""How many times as many entries are looked at as are asked for; more where that is too few."""
BLOCK = 2**16
"""Baskets whose entries are looked at at a time."""


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


def shortest(pairs: Pairs, without: Sequence[int | None], most: int) -> Shortest:
    """Select the entries that can be among the first so many of their product.

    Parameters
    ----------
    pairs : Pairs
        The training baskets.
    without : sequence
        Folds that may be left out; None: none is.
    most : int
        How many entries of a product are asked for, at most.
    """
    number = counts(pairs.product)
    by_size = np.argsort(_narrow(pairs.entries), kind="stable")
    reach = np.int64(most)
    while True:
        # Mostly, a few times as many of each product hold those of every fold.
        reach *= REACH
        heads = np.minimum(number, reach)
        ends = np.cumsum(heads)
        starts = ends - heads
        basket = _firsts(pairs, by_size, heads)
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


def _firsts(pairs: Pairs, by_size: Counts, heads: Counts) -> NDArray[np.int32]:
    """Return the shortest baskets of each product, ``heads`` of them; product by product.

    ``by_size``: the baskets in ascending order of their size.
    """
    products, baskets = [], []
    seen = np.zeros(heads.size, dtype=np.int64)
    for first in range(0, max(by_size.size, 1), BLOCK):
        own = by_size[first : first + BLOCK]
        number = pairs.entries[own]
        entry = np.repeat(pairs.start[own] - np.cumsum(number) + number, number)
        entry += np.arange(entry.size)
        product = pairs.product[entry]
        # Most entries are of common products, which have enough of them soon.
        wanted = np.flatnonzero((seen < heads)[product])
        product = product[wanted]
        products.append(product)
        baskets.append(np.repeat(own.astype(np.int32), number)[wanted])
        seen += np.bincount(product, minlength=seen.size)
    basket = by_column(np.concatenate(baskets), np.concatenate(products), heads.size)
    # The last block of a product may have had more than were wanted.
    gaps = np.cumsum(seen) - seen - (np.cumsum(heads) - heads)
    positions = np.repeat(gaps, heads)
    positions += np.arange(positions.size)
    firsts: NDArray[np.int32] = basket[positions]
    return firsts


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

"""Which baskets the products' classes are refined with: enough of the short ones, or all.

Short baskets say most about each of their products, and what a common product is has been settled
long before all of its baskets are read. So every product is refined with some of its shortest
baskets first, and those that are still in doubt with many more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Counts, Flags, Floats, Matrix, Positions
from basketwise.config import IndexConfig
from basketwise.features.product_index.pairs import Pairs, Singles
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.propagation import Beliefs, first_guess, propagate

MORE = 10
"""How many times as many baskets are read of a product that is in doubt."""
DOUBT = 0.01
"""Probability that a product is of another class than the likeliest, from which it is in doubt."""
ENOUGH = 1.01
"""How many times as many baskets there have to be for a second reading to tell anything new."""
LONGEST = 100
"""Products of the largest basket that is read: in larger ones, one decides little."""


def shortest_first(pairs: Pairs) -> Positions:
    """Return the order of entries by product and by the size of the basket, then by position."""
    entries = pairs.entries
    order = np.lexsort((np.repeat(_narrow(entries), entries), _narrow(pairs.product)))
    return order.astype(_positions(order.size))


def _positions(number: int) -> type[np.integer]:
    """Return the type of positions among so many entries: half the memory, where that is enough."""
    return np.int32 if number < 2**31 else np.int64


def _narrow(numbers: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the numbers in as few bits as they need: up to sixteen are sorted much faster."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def ranks(order: Positions, product: NDArray[np.int32], kept: Flags) -> Positions:
    """Return, for each entry, how many kept ones of its product are of shorter baskets.

    What is returned for an entry that is not kept has no meaning.

    Parameters
    ----------
    order : array
        See :func:`shortest_first`.
    product : array
        The product of each entry.
    kept : array
        Whether each entry is of a basket that counts.
    """
    order = order[kept[order]]
    starts = np.flatnonzero(np.diff(product[order], prepend=-1))
    ends = np.diff(starts, append=order.size)
    rank = np.zeros(kept.size, dtype=order.dtype)
    first = np.repeat(starts.astype(order.dtype), ends)
    rank[order] = np.arange(order.size, dtype=order.dtype) - first
    return rank


def refine(
    pairs: Pairs,
    others: Flags,
    shares: Singles,
    rank: Positions,
    scores: Matrix,
    prior: ClassPrior,
    config: IndexConfig,
) -> Beliefs:
    """Refine the classes of the products, those in doubt with more baskets.

    Parameters
    ----------
    pairs : Pairs
        The training baskets.
    others : array
        Marks those that may be read.
    shares, rank : array
        The share of each entry in its basket; its rank, see :func:`ranks`.
    scores : array
        The ridge coefficients, shape (products, labels).
    prior : ClassPrior
        The products' prior; it is fitted.
    config : IndexConfig
        How many baskets are read, and how many rounds.
    """
    wanted = np.full(scores.shape[0], config.refine_baskets)
    read = _read(pairs, others, rank, wanted, config.refine_max_lines)

    def beliefs_of(read: Flags, guess: Floats) -> Beliefs:
        own = shares[np.repeat(read, pairs.entries)]
        return propagate(pairs.take(read), own, guess, prior, config.refine_rounds)

    beliefs = beliefs_of(read, first_guess(scores))
    wanted[np.exp(beliefs.posterior).max(axis=1) < 1 - DOUBT] *= MORE
    more = _read(pairs, others, rank, wanted, config.refine_max_lines)
    if more.sum() > ENOUGH * read.sum():
        beliefs = beliefs_of(more, beliefs.posterior)
    return beliefs


def _read(pairs: Pairs, others: Flags, rank: Positions, wanted: Counts, most: int) -> Flags:
    """Mark the baskets that are among the ``wanted`` shortest of one of their products.

    If they have more than ``most`` entries, fewer are wanted of every product.
    """
    entries = pairs.entries
    possible = others & (entries > 0) & (entries <= LONGEST)
    # An empty basket has no first entry; whatever is marked for it is not possible.
    starts = np.minimum(pairs.start[:-1], max(rank.size - 1, 0))
    while True:
        read = possible & np.logical_or.reduceat(rank < wanted[pairs.product], starts)
        number = int(entries[read].sum())
        if number <= most or wanted.max() <= 1:
            return np.asarray(read)
        wanted = np.maximum((0.9 * most / number * wanted).astype(np.int64), 1)

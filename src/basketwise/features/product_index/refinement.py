"""Which baskets the products' classes are refined with: enough of the short ones, or all.

Short baskets say most about each of their products, and what a common product is has been settled
long before all of its baskets are read. So every product is refined with some of its shortest
baskets first, and those that are still in doubt with many more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Counts, Flags, Floats, Matrix
from basketwise.config import IndexConfig
from basketwise.features.product_index.pairs import Pairs, Singles
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.propagation import Beliefs, first_guess, propagate

MORE = 10
"""How many times as many baskets are read of a product that is in doubt."""
DOUBT = 0.01
"""Probability that a product is of another class than the likeliest, from which it is in doubt."""
LONGEST = 100
"""Products of the largest basket that is read: in larger ones, one decides little."""


def shortest_first(pairs: Pairs) -> Counts:
    """Return the order of entries by product and by the size of the basket, then by position."""
    entries = pairs.entries
    return np.lexsort((np.repeat(_narrow(entries), entries), _narrow(pairs.product)))


def _narrow(numbers: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the numbers in as few bits as they need: up to sixteen are sorted much faster."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def ranks(order: Counts, product: NDArray[np.int32], kept: Flags) -> Counts:
    """Return, for each kept entry, how many baskets of its product are shorter than its own.

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
    ordered = product[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.empty(kept.size, dtype=np.int64)
    rank[order] = np.arange(order.size) - np.repeat(starts, np.diff(starts, append=order.size))
    return rank[kept]


def refine(
    pairs: Pairs,
    shares: Singles,
    rank: Counts,
    scores: Matrix,
    prior: ClassPrior,
    config: IndexConfig,
) -> Beliefs:
    """Refine the classes of the products, those in doubt with more baskets.

    Parameters
    ----------
    pairs : Pairs
        The training baskets.
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
    read = _read(pairs, rank, wanted, config.refine_max_lines)

    def beliefs_of(read: Flags, guess: Floats) -> Beliefs:
        own = shares[np.repeat(read, pairs.entries)]
        return propagate(pairs.take(read), own, guess, prior, config.refine_rounds)

    beliefs = beliefs_of(read, first_guess(scores))
    wanted[np.exp(beliefs.posterior).max(axis=1) < 1 - DOUBT] *= MORE
    more = _read(pairs, rank, wanted, config.refine_max_lines)
    if more.sum() > read.sum():
        beliefs = beliefs_of(more, beliefs.posterior)
    return beliefs


def _read(pairs: Pairs, rank: Counts, wanted: Counts, most: int) -> Flags:
    """Mark the baskets that are among the ``wanted`` shortest of one of their products.

    If they have more than ``most`` entries, fewer are wanted of every product.
    """
    entries = pairs.entries
    possible = (entries > 0) & (entries <= LONGEST)
    # An empty basket has no first entry; whatever is marked for it is not possible.
    starts = np.minimum(pairs.start[:-1], max(rank.size - 1, 0))
    while True:
        read = possible & np.logical_or.reduceat(rank < wanted[pairs.product], starts)
        number = int(entries[read].sum())
        if number <= most or wanted.max() <= 1:
            return np.asarray(read)
        wanted = np.maximum((0.9 * most / number * wanted).astype(np.int64), 1)

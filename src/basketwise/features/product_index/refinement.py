"""Which baskets the products' classes are refined with: enough of the short ones, or all.

Short baskets say most about each of their products, and what a common product is has been settled
long before all of its baskets are read. So every product is refined with some of its shortest
baskets first, and those that are still in doubt with many more.
"""

from __future__ import annotations

import numpy as np

from basketwise.arrays import Counts, Flags, Floats, Matrix, Positions
from basketwise.config import IndexConfig
from basketwise.features.product_index.pairs import Pairs, Weighting
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.propagation import Beliefs, first_guess, propagate
from basketwise.features.product_index.shortest import Shortest

MORE = 10
"""How many times as many baskets are read of a product that is in doubt."""
DOUBT = 0.01
"""Probability that a product is of another class than the likeliest, from which it is in doubt."""
ENOUGH = 1.01
"""How many times as many baskets there have to be for a second reading to tell anything new."""
LONGEST = 100
"""Products of the largest basket that is read: in larger ones, one decides little."""


def refine(
    pairs: Pairs,
    others: Flags,
    weighting: Weighting,
    nearest: Shortest,
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
    weighting : str
        What an entry's share of its basket is a share of.
    nearest : Shortest
        Of each product at least the first ``most_read`` entries of those baskets.
    scores : array
        The ridge coefficients, shape (products, labels).
    prior : ClassPrior
        The products' prior; it is fitted.
    config : IndexConfig
        How many baskets are read, and how many rounds.
    """
    wanted = np.full(scores.shape[0], config.refine_baskets)
    entries, rank = nearest.ranks(others)
    possible = others & (pairs.entries > 0) & (pairs.entries <= LONGEST)

    def read_of(wanted: Counts) -> Flags:
        return _read(pairs, possible, entries, rank, wanted, config.refine_max_lines)

    def beliefs_of(read: Flags, guess: Floats) -> Beliefs:
        own = pairs.take(read)
        return propagate(own, own.shares(weighting), guess, prior, config.refine_rounds)

    read = read_of(wanted)

    beliefs = beliefs_of(read, first_guess(scores))
    wanted[np.exp(beliefs.posterior).max(axis=1) < 1 - DOUBT] *= MORE
    more = read_of(wanted)
    if more.sum() > ENOUGH * read.sum():
        beliefs = beliefs_of(more, beliefs.posterior)
    return beliefs


def most_read(config: IndexConfig) -> int:
    """Return how many baskets are read of a product, at most."""
    return config.refine_baskets * MORE


def _read(
    pairs: Pairs, possible: Flags, nearest: Shortest, rank: Positions, wanted: Counts, most: int
) -> Flags:
    """Mark the possible baskets that are among the ``wanted`` shortest of one of their products.

    If they have more than ``most`` entries, fewer are wanted of every product.
    """
    while True:
        read = np.zeros(possible.size, dtype=np.bool_)
        read[nearest.basket[rank < wanted[nearest.product]]] = True
        read &= possible
        number = int(pairs.entries[read].sum())
        if number <= most or wanted.max() <= 1:
            return read
        wanted = np.maximum((0.9 * most / number * wanted).astype(np.int64), 1)

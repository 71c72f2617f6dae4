"""How a basket's label follows from what its products say: counted, not assumed.

A basket's *balance* is the share of High minus the share of Low among the products that say
something, by expectation where the class of a product is not certain; its *doubt* is the standard
deviation of that balance. For each cell of a grid over both, the labels of the training baskets are
counted. Whatever thresholds a label has, sharp or noisy, show in the counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from basketwise.arrays import Flags, Floats, Matrix, Positions
from basketwise.features.product_index.pairs import Singles, sums
from basketwise.schema import CLASSES, INDEX_LABELS, UNCLASSIFIED

BALANCES = 81
"""Cells from -1 to 1: those of baskets of up to nine lines do not share one."""
DOUBTS = np.array([0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.27, 0.35, 0.5, 0.8])
"""Lower ends of the cells."""
SILENT = 1e-6
"""Weight of telling products up to which a basket says nothing: it has a cell of its own."""

_LOW, _HIGH = INDEX_LABELS.index(CLASSES[0]), INDEX_LABELS.index(CLASSES[-1])
_UNCLASSIFIED = INDEX_LABELS.index(UNCLASSIFIED)

DIRECTION = np.array([{_LOW: -1, _HIGH: 1}.get(k, 0) for k in range(len(INDEX_LABELS))], np.float32)
"""What a product of each class adds to a balance."""
TELLS = np.array([k != _UNCLASSIFIED for k in range(len(INDEX_LABELS))], np.float32)
"""Whether a product of each class says something."""

_FINE = 1_000
_DOUBT_CELLS = np.searchsorted(DOUBTS, np.arange(_FINE + 1) / _FINE, side="right") - 1

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class Ballot:
    """What the entries of some baskets add to its balance, from the classes' probabilities.

    One value per entry: ``net`` (expected direction) and ``telling`` (probability that the product
    says something), times the entry's share; ``variance`` of the balance that the product's class
    accounts for, before it is divided by the square of the basket's telling weight.
    """

    net: Singles
    telling: Singles
    variance: Singles

    def stacked(self) -> Singles:
        """Return the three as rows, in the order in which :func:`cells` takes their sums."""
        return np.stack([self.net, self.telling, self.variance])


def ballot(
    probabilities: Matrix, shares: Singles, start: NDArray[np.int64], basket: Positions
) -> Ballot:
    """Return what each entry adds; ``probabilities`` have the shape (labels, entries).

    ``start``: where each basket's entries start; ``basket``: that of each entry.
    """
    mean = probabilities[_HIGH] - probabilities[_LOW]
    telling = np.float32(1) - probabilities[_UNCLASSIFIED]
    net, weight = shares * mean, shares * telling
    of_basket = sums(np.stack([net, weight]), start)
    balance = (of_basket[0] / np.maximum(of_basket[1], SILENT)).take(basket)
    # The variance of direction - balance · telling, two numbers of one class.
    square = probabilities[_HIGH] + probabilities[_LOW] - 2 * balance * mean + balance**2 * telling
    variance = shares**2 * np.maximum(square - (mean - balance * telling) ** 2, 0)
    return Ballot(net, weight, variance)


def cells(net: Singles, telling: Singles, variance: Singles) -> Cells:
    """Return the cell of each basket from the sums over its entries."""
    return doubts(telling, np.sqrt(variance)).cells(net)


class Doubts(NamedTuple):
    """What the cell of each basket has to do with all but its net votes."""

    weight: Singles
    cell: Cells
    """Of the doubt alone."""
    silent: Flags

    def cells(self, net: Singles) -> Cells:
        """Return the cell of each basket with these net votes."""
        # In place: most of the time would go into new memory.
        balance = net / self.weight
        np.clip(balance, -1, 1, out=balance)
        balance += 1
        balance *= (BALANCES - 1) / 2
        cell: Cells = np.rint(balance, out=balance).astype(np.int64)
        cell *= DOUBTS.size
        cell += self.cell
        cell[self.silent] = BALANCES * DOUBTS.size
        return cell


def doubts(telling: Singles, deviation: Singles) -> Doubts:
    """Sort baskets by how sure their balance is; ``deviation`` is the root of the variance."""
    weight = np.maximum(telling, SILENT)
    doubt = deviation / weight
    np.minimum(doubt, 1, out=doubt)
    doubt *= _FINE
    return Doubts(weight, _DOUBT_CELLS.take(doubt.astype(np.int64)), telling <= SILENT)


def count_labels(cell: Cells, label: NDArray[np.int8]) -> Matrix:
    """Return the log-probabilities of the labels in each cell.

    A cell borrows from its neighbours, and a little from all baskets of similar balance, so that
    none is empty. Float32 of shape (cells, labels).
    """
    labels = len(INDEX_LABELS)
    number = BALANCES * DOUBTS.size + 1
    counts = np.bincount(cell * labels + label, minlength=number * labels).reshape(number, labels)
    overall = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * labels)
    grid = counts[:-1].reshape(BALANCES, DOUBTS.size, labels).astype(np.float64)
    near = gaussian_filter1d(grid, 0.35, axis=0) + 0.05 * gaussian_filter1d(grid, 2.0, axis=0)
    doubtful = np.concatenate([near[:, 1:], near[:, -1:]], axis=1)
    certain = np.concatenate([near[:, :1], near[:, :-1]], axis=1)
    near += 0.1 * (doubtful + certain)
    wide = gaussian_filter1d(grid.sum(axis=1), 3.0, axis=0) + 2 * overall
    wide /= wide.sum(axis=1, keepdims=True)
    shares: Floats = (near + wide[:, None]) / (near.sum(axis=2, keepdims=True) + 1)
    silent = (counts[-1:] + overall) / (counts[-1].sum() + 1)
    table = np.concatenate([shares.reshape(-1, labels), silent])
    return np.log(table + 1e-9).astype(np.float32)

"""Sufficient statistics of the ridge regression of baskets' labels on their products' shares.

XᵀX and XᵀY are sums over baskets, so they add up over weeks, files, executors and folds: one pass
gives every fold's, and a fold's own regression takes the total minus the fold. Memory is that of
the products squared, whatever the number of lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from basketwise.arrays import Flags, Matrix
from basketwise.concurrency import worker_pool

FLUSH_LINES = 2_000_000
"""Lines multiplied at a time: few full sparse products cost less than many thin ones."""

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class BasketLines:
    """Training lines as numbers, sorted by basket.

    ``basket`` (position in the arrays below) and ``product`` have one entry per line, ``label``
    (position in ``INDEX_LABELS``) and ``fold`` one per basket.
    """

    basket: Ints
    product: Ints
    label: NDArray[np.int8]
    fold: NDArray[np.int8]

    def split(self, baskets: int) -> tuple[BasketLines, BasketLines]:
        """Split off a number of baskets from the start."""
        end = np.searchsorted(self.basket, baskets)
        return (
            BasketLines(
                self.basket[:end], self.product[:end], self.label[:baskets], self.fold[:baskets]
            ),
            BasketLines(
                self.basket[end:] - np.int32(baskets),
                self.product[end:],
                self.label[baskets:],
                self.fold[baskets:],
            ),
        )


class FoldStatistics:
    """Running sums of each fold's XᵀX and XᵀY, float32, and baskets with each product, int64.

    Products numbered from ``coefficients`` on have no coefficient: their lines count in the size of
    their basket only. A basket of n lines has the weight ``n ** -size_power``. Shapes: ``xtx``
    (coefficients, coefficients) and ``xty`` (coefficients, labels), one of each a fold;
    ``baskets_with`` (folds, products).
    """

    def __init__(
        self, products: int, coefficients: int, labels: int, folds: int, size_power: float
    ) -> None:
        self.coefficients = coefficients
        self.size_power = size_power
        square, tall = (coefficients, coefficients), (coefficients, labels)
        self.xtx: list[Matrix] = [np.zeros(square, np.float32) for _ in range(folds)]
        self.xty: list[Matrix] = [np.zeros(tall, np.float32) for _ in range(folds)]
        self.baskets_with = np.zeros((folds, products), dtype=np.int64)
        self._waiting: list[BasketLines] = []

    def add(self, lines: BasketLines) -> None:
        """Add whole baskets; a basket must not come in two pieces."""
        self._waiting.append(lines)
        while sum(piece.basket.size for piece in self._waiting) >= FLUSH_LINES:
            # Cut where the lines say so, not where a piece ends: how the lines were cut into
            # pieces must not show in the last bits of the sums.
            waiting = concatenate(self._waiting)
            ends = np.cumsum(np.bincount(waiting.basket, minlength=waiting.label.size))
            full, rest = waiting.split(int(np.searchsorted(ends, FLUSH_LINES)) + 1)
            self._waiting = [rest]
            self._multiply(full)

    def flush(self) -> None:
        """Multiply what has been gathered."""
        if self._waiting:
            self._multiply(concatenate(self._waiting))
            self._waiting = []

    def _multiply(self, lines: BasketLines) -> None:
        shares, targets = self._design(lines)

        def add_fold(fold: int) -> None:
            rows = np.flatnonzero(lines.fold == fold)
            own = shares[rows]
            self.baskets_with[fold] += np.bincount(own.indices, minlength=own.shape[1])
            if own.shape[1] > self.coefficients:
                own = own[:, : self.coefficients]
            _add_sparse(self.xtx[fold], (own.T @ own).tocsr())
            self.xty[fold] += own.T @ targets[rows]

        # The folds share nothing, so the order in which they finish does not matter.
        with worker_pool() as pool:
            list(pool.map(add_fold, range(len(self.xtx))))

    def _design(self, lines: BasketLines) -> tuple[sp.csr_array, Matrix]:
        """Return √w·X (baskets × products, shares of lines) and √w·Y (one-hot labels)."""
        baskets = lines.label.size
        size = np.maximum(np.bincount(lines.basket, minlength=baskets), 1)
        root_weight = size ** (-self.size_power / 2)
        share = (root_weight / size)[lines.basket].astype(np.float32)
        shape = (baskets, self.baskets_with.shape[1])
        shares = sp.coo_array((share, (lines.basket, lines.product)), shape=shape).tocsr()
        targets = np.zeros((baskets, self.xty[0].shape[1]), dtype=np.float32)
        targets[np.arange(baskets), lines.label] = root_weight
        return shares, targets

    def keep(self, products: Flags) -> None:
        """Keep the products that the mask marks; the others must occur in no basket."""
        if products.all():
            return
        kept = np.flatnonzero(products[: self.coefficients])
        for fold, (xtx, xty) in enumerate(zip(self.xtx, self.xty, strict=True)):
            self.xtx[fold], self.xty[fold] = xtx[np.ix_(kept, kept)], xty[kept]
        self.baskets_with = self.baskets_with[:, products]
        self.coefficients = kept.size

    def total_products(self) -> Matrix:
        """Return the sum of XᵀX over all folds."""
        total = self.xtx[0].copy()
        for fold in self.xtx[1:]:
            total += fold
        return total

    def total_targets(self, *, without: int | None = None) -> Matrix:
        """Return the sum of XᵀY over all folds, or over all but one."""
        kept = [xty for fold, xty in enumerate(self.xty) if fold != without]
        total: Matrix = np.sum(kept, axis=0, dtype=np.float32)
        return total


def concatenate(pieces: list[BasketLines]) -> BasketLines:
    """Concatenate pieces, with consecutive basket numbers."""
    starts = np.cumsum([0, *(piece.label.size for piece in pieces[:-1])]).astype(np.int32)
    return BasketLines(
        np.concatenate([p.basket + s for p, s in zip(pieces, starts, strict=True)]),
        np.concatenate([p.product for p in pieces]),
        np.concatenate([p.label for p in pieces]),
        np.concatenate([p.fold for p in pieces]),
    )


def _add_sparse(dense: Matrix, sparse: sp.csr_array) -> None:
    """Add row by row: a dense copy of the sparse product would cost more memory, and more time."""
    for row, (start, end) in enumerate(pairwise(sparse.indptr)):
        # Each place occurs once in a CSR product, so plain indexing adds correctly.
        dense[row, sparse.indices[start:end]] += sparse.data[start:end]

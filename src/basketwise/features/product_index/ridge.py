"""Ridge coefficients of labels on shares, for the whole training set and without each fold.

Conjugate gradients need XᵀX times a vector only, which is two products with the sparse rows: the
square of the number of products is never built, so memory follows the lines. Most of a product's
weight in XᵀX is on the diagonal (few products are bought together often), so with the diagonal as
preconditioner some ten iterations reach single precision. The systems of all folds share the rows,
so one pass over them serves all.

Reference: Hestenes and Stiefel, "Methods of Conjugate Gradients for Solving Linear Systems", 1952.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from basketwise.arrays import Counts, Matrix
from basketwise.concurrency import side_by_side
from basketwise.features.product_index.pairs import Pairs, Singles

TOLERANCE = 1e-5
MAX_ITERATIONS = 200
BLOCK = 2**16
"""Baskets multiplied at a time; fixed, as the last bits of the sums follow from it."""


def ridge_coefficients(
    pairs: Pairs,
    shares: Singles,
    products: int,
    labels: int,
    without: Sequence[int | None],
    *,
    penalty: float,
    size_power: float,
) -> list[Matrix]:
    """Solve ``(XᵀWX + penalty·I) B = XᵀWY`` without each of some folds.

    Parameters
    ----------
    pairs : Pairs
        The training baskets.
    shares : array
        X: the share of each entry in its basket.
    products, labels : int
        Their numbers. Y are the labels, one-hot.
    without : sequence
        A fold that is left out, or None, for each system.
    penalty : float
        Above 0.
    size_power : float
        A basket of n lines has the weight (W) ``n ** -size_power``.

    Returns
    -------
    list of arrays
        Float32 of shape (products, labels), one per system, to a relative residual of 1e-5 or
        the best of 200 steps.
    """
    root = (np.maximum(pairs.size, 1) ** (-size_power / 2)).astype(np.float32)
    values = np.repeat(root, pairs.entries)
    values *= shares
    Y = np.zeros((pairs.label.size, labels), dtype=np.float32)
    Y[np.arange(pairs.label.size), pairs.label] = root
    blocks = _blocks(pairs, values, Y, products, without)
    # Each block has its own.
    del values, shares
    columns = np.repeat(np.arange(len(without)), labels)

    def added(part: Callable[[_Block], Matrix]) -> Matrix:
        # Blocks are added in their order, whichever is ready first.
        return reduce(np.add, side_by_side(part, blocks))

    def normal(direction: Matrix) -> Matrix:
        image = added(lambda block: block.X.T @ block.without(block.X @ direction))
        return image + np.float32(penalty) * direction

    target = added(lambda block: block.X.T @ block.without(np.tile(block.Y, len(without))))
    squares = added(_Block.squares)
    inverse = np.reciprocal(squares + np.float32(penalty), dtype=np.float32)[:, columns]
    solution = _conjugate_gradients(normal, target, inverse)
    return [np.ascontiguousarray(solution[:, columns == k]) for k in range(len(without))]


def _blocks(
    pairs: Pairs, values: Singles, Y: Matrix, products: int, without: Sequence[int | None]
) -> list[_Block]:
    def block_from(s: int) -> _Block:
        return _Block(
            pairs.matrix(values, products, s, s + BLOCK),
            Y[s : s + BLOCK],
            [np.flatnonzero(pairs.fold[s : s + BLOCK] == fold) for fold in without],
        )

    return list(side_by_side(block_from, range(0, max(pairs.label.size, 1), BLOCK)))


class _Block(NamedTuple):
    """Some baskets; ``left_out`` has those that each system leaves out, by their positions."""

    X: sp.csr_array
    Y: Matrix
    left_out: list[Counts]

    def without(self, values: Matrix) -> Matrix:
        """Set to 0, in place, what is left out; each system has as many columns."""
        systems = values.reshape(values.shape[0], len(self.left_out), -1)
        for k, baskets in enumerate(self.left_out):
            systems[baskets, k] = 0
        return values

    def squares(self) -> Matrix:
        """Add up the squares of each product's shares, one column per system."""
        X = self.X
        squares = sp.csr_array((X.data**2, X.indices, X.indptr), shape=X.shape)
        ones = np.ones((X.shape[0], len(self.left_out)), dtype=np.float32)
        return np.asarray(squares.T @ self.without(ones))


def _conjugate_gradients(
    normal: Callable[[Matrix], Matrix], target: Matrix, preconditioner: Matrix
) -> Matrix:
    """Solve for each column by itself: none goes on longer because of the others."""
    solution = np.zeros_like(target)
    residual = target.copy()
    direction = preconditioner * residual
    energy = _dots(residual, direction)
    enough = TOLERANCE**2 * np.maximum(_dots(target, target), np.finfo(np.float32).tiny)
    for _ in range(MAX_ITERATIONS):
        open_ = _dots(residual, residual) > enough
        if not open_.any():
            break
        image = normal(direction)
        step = np.where(open_, _ratio(energy, _dots(direction, image)), np.float32(0))
        solution += step * direction
        residual -= step * image
        corrected = preconditioner * residual
        previous, energy = energy, _dots(residual, corrected)
        direction = corrected + _ratio(energy, previous) * direction
    return solution


def _dots(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(np.einsum("ij,ij->j", a, b), dtype=np.float32)


def _ratio(a: Matrix, b: Matrix) -> Matrix:
    """Divide, with 0 for the columns that are solved already."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)

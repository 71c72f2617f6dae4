"""Ridge coefficients from sufficient statistics, by preconditioned conjugate gradients.

Most of a product's weight in XᵀX is on the diagonal (few products are bought together often), so
with the diagonal as preconditioner some ten iterations reach single precision, where a Cholesky
factorisation costs the cube of the number of products.

Reference: Hestenes and Stiefel, "Methods of Conjugate Gradients for Solving Linear Systems", 1952.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from basketwise.arrays import Matrix

TOLERANCE = 1e-6
MAX_ITERATIONS = 500


def ridge_coefficients(xtx: Matrix, xty: Matrix, penalty: float) -> Matrix:
    """Solve ``(XᵀX + penalty·I) B = XᵀY``, to a relative residual of 1e-6 or the best of 500 steps.

    ``xtx`` is symmetric, (products, products); its diagonal is changed and restored. ``xty`` and
    the result are (products, labels); the penalty is above 0.
    """
    diagonal = np.diagonal(xtx).copy()
    np.fill_diagonal(xtx, diagonal + np.float32(penalty))
    try:
        # More BLAS threads would add up in another order: the last bits, and with them the
        # classes of borderline products, would depend on the machine.
        inverse = np.reciprocal(diagonal + np.float32(penalty), dtype=np.float32)[:, None]
        with threadpool_limits(1):
            return _conjugate_gradients(xtx, xty, inverse)
    finally:
        np.fill_diagonal(xtx, diagonal)


def _conjugate_gradients(matrix: Matrix, target: Matrix, preconditioner: Matrix) -> Matrix:
    solution = preconditioner * target
    residual = target - matrix @ solution
    direction = preconditioner * residual
    energy = _dots(residual, direction)
    enough = TOLERANCE**2 * np.maximum(_dots(target, target), np.finfo(np.float32).tiny)
    for _ in range(MAX_ITERATIONS):
        if np.all(_dots(residual, residual) <= enough):
            break
        image = matrix @ direction
        step = _ratio(energy, _dots(direction, image))
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

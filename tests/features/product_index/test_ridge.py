import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.features.product_index.ridge import ridge_coefficients


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 5), st.floats(0.3, 50))
@settings(max_examples=40)
def test_the_solution_is_numpys(seed: int, size: int, labels: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    # Shares of baskets: not negative, and products of very different frequency.
    shares = rng.random((3 * size, size)) * (rng.random((3 * size, size)) < rng.random(size))
    xtx = (shares.T @ shares).astype(np.float32)
    xty = (shares.T @ rng.random((3 * size, labels))).astype(np.float32)
    exact = np.linalg.solve(xtx.astype(np.float64) + penalty * np.eye(size), xty.astype(np.float64))
    result = ridge_coefficients(xtx, xty, penalty)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, exact, atol=2e-4 * max(1.0, float(np.abs(exact).max())))


def test_the_input_is_as_it_was_afterwards() -> None:
    xtx = np.array([[2, 1], [1, 3]], dtype=np.float32)
    xty = np.array([[1], [2]], dtype=np.float32)
    before = xtx.copy(), xty.copy()
    ridge_coefficients(xtx, xty, 1.0)
    np.testing.assert_array_equal(xtx, before[0])
    np.testing.assert_array_equal(xty, before[1])


def test_by_hand() -> None:
    # (2 + 1) b = 3 and (3 + 1) b = 2, the second label being all zeros.
    xtx = np.diag([2.0, 3.0]).astype(np.float32)
    xty = np.array([[3, 0], [2, 0]], dtype=np.float32)
    assert ridge_coefficients(xtx, xty, 1.0).tolist() == [
        [pytest.approx(1.0), 0.0],
        [pytest.approx(0.5), 0.0],
    ]


def test_a_product_without_baskets_gets_nothing() -> None:
    xtx = np.diag([4.0, 0.0]).astype(np.float32)
    xty = np.array([[4.0], [0.0]], dtype=np.float32)
    assert ridge_coefficients(xtx, xty, 1.0)[1, 0] == 0.0

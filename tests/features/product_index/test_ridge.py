import numpy as np
import pytest

import basketwise.features.product_index.ridge as ridge
from basketwise.arrays import Floats
from basketwise.features.product_index.pairs import Pairs
from basketwise.features.product_index.ridge import ridge_coefficients
from tests.features.product_index.synthetic import LABELS, PRODUCTS, world


def textbook(pairs: Pairs, without: int | None, penalty: float, power: float) -> Floats:
    """Solve the normal equations densely, in double precision."""
    kept = pairs.take(pairs.fold != (-1 if without is None else without))
    X = kept.matrix(kept.shares("lines"), PRODUCTS).toarray().astype(np.float64)
    Y = np.eye(LABELS)[kept.label]
    W = np.diag(kept.size.astype(np.float64) ** -power)
    left = X.T @ W @ X + penalty * np.eye(PRODUCTS)
    return np.asarray(np.linalg.solve(left, X.T @ W @ Y))


@pytest.mark.parametrize("power", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("penalty", [0.3, 20.0])
def test_they_are_the_textbooks(
    penalty: float, power: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ridge, "BLOCK", 70)
    pairs = world(3, baskets=400).pairs
    systems = [None, 0, 2]
    solved = ridge_coefficients(
        pairs,
        pairs.shares("lines"),
        PRODUCTS,
        LABELS,
        systems,
        penalty=penalty,
        size_power=power,
    )
    for without, coefficients in zip(systems, solved, strict=True):
        assert coefficients.dtype == np.float32
        exact = textbook(pairs, without, penalty, power)
        np.testing.assert_allclose(coefficients, exact, atol=1e-3 * np.abs(exact).max())


def test_a_left_out_fold_leaves_no_trace() -> None:
    pairs = world(4, baskets=300).pairs
    own = pairs.fold == 1
    changed = np.where(own, (pairs.label + 1) % LABELS, pairs.label).astype(np.int8)
    other = Pairs(**{**vars(pairs), "label": changed})
    first, second = (
        ridge_coefficients(
            each, each.shares("lines"), PRODUCTS, LABELS, [None, 1], penalty=1, size_power=0.5
        )
        for each in (pairs, other)
    )
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], second[0])


def test_what_is_solved_beside_does_not_matter() -> None:
    pairs = world(5, baskets=300).pairs
    together, alone = (
        ridge_coefficients(
            pairs, pairs.shares("lines"), PRODUCTS, LABELS, systems, penalty=1, size_power=0.5
        )[0]
        for systems in ([None, 0, 1, 2], [None])
    )
    np.testing.assert_array_equal(together, alone)


def test_a_product_without_baskets_gets_nothing() -> None:
    pairs = world(6, baskets=50).pairs
    (solved,) = ridge_coefficients(
        pairs, pairs.shares("lines"), PRODUCTS + 1, LABELS, [None], penalty=1, size_power=0.5
    )
    assert solved[PRODUCTS].tolist() == [0] * LABELS

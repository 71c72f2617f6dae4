import numpy as np

from basketwise.features.product_index.votes import ballot, cells, count_labels

START = np.array([0, 2, 3])
BASKET = np.array([0, 0, 1])
SHARES = np.array([0.5, 0.5, 1.0], np.float32)


def certain(*classes: int) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[:, classes]


def test_certain_classes_leave_no_doubt() -> None:
    own = ballot(certain(2, 0, 3), SHARES, START, BASKET)
    assert own.net.tolist() == [0.5, -0.5, 0]
    assert own.telling.tolist() == [0.5, 0.5, 0]
    np.testing.assert_allclose(own.variance, 0, atol=1e-7)


def test_doubt_is_the_deviation_of_the_balance() -> None:
    # One product is High, the other Low or High: the balance is 0 or 1, so its deviation is 1/2.
    probabilities = certain(2, 0, 1)
    probabilities[:, 1] = [0.5, 0, 0.5, 0]
    own = ballot(probabilities, SHARES, START, BASKET)
    first = slice(0, 2)
    weight = own.telling[first].sum()
    assert own.net[first].sum() / weight == 0.5
    np.testing.assert_allclose(np.sqrt(own.variance[first].sum()) / weight, 0.5, rtol=1e-6)


def test_silent_baskets_have_a_cell_of_their_own() -> None:
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    silent = cells(zero, zero, zero)
    assert silent != cells(zero, one, zero)
    assert silent == cells(zero, zero, one)


def test_labels_are_counted_per_cell() -> None:
    rng = np.random.default_rng(1)
    balance = rng.uniform(-1, 1, 20_000).astype(np.float32)
    one = np.ones_like(balance)
    cell = cells(balance, one, 0 * one)
    label = np.where(balance > 0.3, 2, np.where(balance > -0.2, 1, 0)).astype(np.int8)
    table = count_labels(cell, label)
    np.testing.assert_allclose(np.exp(table).sum(axis=1), 1, rtol=1e-4)
    away = (np.abs(balance - 0.3) > 0.04) & (np.abs(balance + 0.2) > 0.04)
    assert (table[cell].argmax(axis=1) == label)[away].all()
    assert np.exp(table[cell, label])[away].min() > 0.9

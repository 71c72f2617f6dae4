from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import hypergeom

from basketwise.evaluation.differences import Differences, differences, holm

Numbers = NDArray[np.int64]
Right = NDArray[np.bool_]

LEAST = 30
"""Customers below which nobody is asked to trust a p-value."""


def compared(
    parts: Numbers, right: Right, customers: Numbers | None = None, confidence: float = 0.95
) -> Differences:
    parts = np.unique(parts, return_inverse=True)[1]
    customers = np.arange(parts.size) if customers is None else customers
    return differences(parts, right, customers, confidence)


def first_wrong(*counts: tuple[int, int]) -> tuple[Numbers, Right]:
    """Return parts of (wrong, all) baskets."""
    parts = np.repeat(np.arange(len(counts)), [total for _, total in counts])
    right = np.concatenate([np.arange(total) >= wrong for wrong, total in counts])
    return parts, right


def drawn(seed: int, *, accuracy: float, worse: float = 0.0) -> tuple[Numbers, Right]:
    """Draw parts of independent baskets; the first part's accuracy is lower by ``worse``."""
    rng = np.random.default_rng(seed)
    parts = rng.choice(8, 2_000, p=[0.2, 0.3, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02])
    return parts, rng.random(parts.size) < accuracy - worse * (parts == 0)


def drawn_by_customer(
    seed: int, *, accuracy: float, worse: float = 0.0
) -> tuple[Numbers, Right, Numbers]:
    """Draw baskets of customers, who differ in number of baskets, accuracy and home part."""
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, 0.7, 400)
    customers = np.unique(rng.choice(400, 4_000, p=weight / weight.sum()), return_inverse=True)[1]
    parts = rng.choice(4, 400, p=[0.3, 0.4, 0.2, 0.1])[customers]
    own = rng.beta(accuracy, 1 - accuracy, 400)[customers]
    return parts, rng.random(parts.size) < own - worse * (parts == 0), customers


def fallen(result: Differences, confidence: float = 0.9) -> NDArray[np.bool_]:
    large = result.customers >= LEAST
    return holm(np.where(large, result.p_worse, 1), 1 - confidence)


def test_the_interval_is_that_of_resampling_customers() -> None:
    parts, right, customers = drawn_by_customer(3, accuracy=0.8)
    result = compared(parts, right, customers)
    rng = np.random.default_rng(5)
    size = int(customers.max()) + 1
    resampled = []
    for _ in range(2_000):
        weight = np.bincount(rng.integers(0, size, size), minlength=size)[customers]
        of_part = np.bincount(parts, weight * right) / np.bincount(parts, weight)
        resampled.append(of_part - weight @ right / weight.sum())
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(result.low, low, atol=0.12 * (high - low).max())
    np.testing.assert_allclose(result.high, high, atol=0.12 * (high - low).max())
    alone = compared(parts, right)
    assert np.all(alone.high - alone.low < 0.7 * (result.high - result.low))


@pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.99])
def test_equal_parts_are_rarely_called_worse(accuracy: float) -> None:
    runs = [fallen(compared(*drawn(seed, accuracy=accuracy))).any() for seed in range(300)]
    # A share of 0.1 is allowed; 0.15 would be three standard errors more.
    assert np.mean(runs) < 0.15


@pytest.mark.parametrize("accuracy", [0.5, 0.9])
def test_equal_parts_of_customers_are_rarely_called_worse(accuracy: float) -> None:
    cases = [drawn_by_customer(seed, accuracy=accuracy) for seed in range(300)]
    assert np.mean([fallen(compared(*case)).any() for case in cases]) < 0.15
    # The same baskets, taken for independent, raise false alarms: customers do matter here.
    assert np.mean([fallen(compared(*case[:2])).any() for case in cases]) > 0.3


def test_the_interval_covers_no_difference_about_as_often_as_it_says() -> None:
    covered = []
    for seed in range(200):
        result = compared(*drawn_by_customer(seed, accuracy=0.8), confidence=0.9)
        covered += ((result.low <= 0) & (result.high >= 0)).tolist()
    assert 0.86 < np.mean(covered) < 0.94


def test_a_weak_slice_is_found_and_no_other() -> None:
    runs = [fallen(compared(*drawn(seed, accuracy=0.95, worse=0.1))) for seed in range(50)]
    weak, *others = np.mean(runs, axis=0)
    assert weak > 0.95
    assert max(others) < 0.1


def test_a_weak_slice_of_customers_is_found() -> None:
    cases = [drawn_by_customer(seed, accuracy=0.9, worse=0.2) for seed in range(50)]
    assert np.mean([fallen(compared(*case))[0] for case in cases]) > 0.9


def test_one_error_among_forty_does_not_stand_out_from_a_near_perfect_whole() -> None:
    result = compared(*first_wrong((1, 40), (4, 49_960)))
    assert result.p_worse[0] > 0.1
    assert result.high[0] > 0
    # Four hardly do: here the exact p-value would be far smaller, and the larger one counts.
    assert 0.01 < compared(*first_wrong((4, 40), (4, 49_960))).p_worse[0] < 0.05
    # Ten do.
    assert compared(*first_wrong((10, 40), (4, 49_960))).p_worse[0] < 0.001


def test_with_few_right_baskets_the_p_value_is_fishers() -> None:
    parts, right = first_wrong((35, 35), (900, 1_000))
    result = compared(parts, right)
    assert result.p_worse[0] == pytest.approx(hypergeom.sf(34, 1_035, 935, 35))


def test_errors_of_one_customer_count_as_one() -> None:
    parts, right = first_wrong((30, 300), (10, 3_000))
    alike = np.where(np.arange(parts.size) < 30, 0, np.arange(parts.size))
    assert compared(parts, right).p_worse[0] < 1e-6
    assert compared(parts, right, alike).p_worse[0] > 0.05


def test_customers_who_agree_are_worth_one_basket_each() -> None:
    # Thirty customers with ten baskets each: all three hundred baskets are wrong, where nine in ten
    # are. That is one chance in twenty or so, not one in many millions.
    parts, right = first_wrong((300, 300), (2_700, 3_000))
    customers = np.arange(parts.size) // 10
    assert compared(parts, right, customers).p_worse[0] == pytest.approx(0.9**30, rel=0.5)


def test_a_slice_without_an_error_is_not_certain() -> None:
    parts, right = first_wrong((0, 20), (100, 980))
    result = compared(parts, right)
    # One in forty samples of 20 baskets has no error although 17 in 100 are wrong.
    lowest = 0.025 ** (1 / 20)
    assert result.low[0] == pytest.approx(0.98 * (lowest - 880 / 980))
    assert result.high[0] == pytest.approx(0.1)
    # Of two customers, that says still less.
    assert compared(parts, right, np.arange(1_000) // 10).low[0] < result.low[0] - 0.3


def test_where_nobody_is_wrong_a_customer_counts_as_one_basket() -> None:
    parts, right = first_wrong((0, 100), (0, 900))
    result = compared(parts, right, np.arange(1_000) // 5)
    assert result.low[0] == pytest.approx(0.9 * (0.025 ** (1 / 20) - 1))
    assert result.high.tolist() == [0, 0]


def test_customers_of_equal_weight() -> None:
    parts = np.zeros(12, dtype=np.int64)
    right = np.arange(12) > 3
    assert compared(parts, right).customers == 12
    assert compared(parts, right, np.arange(12) // 3).customers == pytest.approx(4)
    one_large = np.maximum(np.arange(12) - 9, 0)
    assert compared(parts, right, one_large).customers == pytest.approx(144 / 102)


BASKETS = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 99)), min_size=1, max_size=300
)


@given(BASKETS, st.sampled_from([0.6, 0.95]))
def test_differences_are_possible_and_add_up_to_none(
    baskets: list[tuple[int, bool, int]], confidence: float
) -> None:
    parts, right, customers = (np.array(column) for column in zip(*baskets, strict=True))
    result = compared(parts, right, customers, confidence)
    assert result.baskets.sum() == len(baskets)
    assert result.baskets @ result.estimate == pytest.approx(0, abs=1e-9)
    whole = right.mean()
    for values in (result.low, result.estimate, result.high):
        assert np.all((values >= -whole - 1e-12) & (values <= 1 - whole + 1e-12))
    assert np.all((result.low <= result.estimate) & (result.estimate <= result.high))
    assert np.all((result.p_worse >= 0) & (result.p_worse <= 1))
    # Half the level on one side is the level of the interval: the two do not contradict each other.
    sure = (result.p_worse < (1 - confidence) / 2) & (result.customers >= LEAST)
    assert np.all(result.high[sure] < 0)


@given(BASKETS)
def test_the_order_of_baskets_does_not_matter(baskets: list[tuple[int, bool, int]]) -> None:
    parts, right, customers = (np.array(column) for column in zip(*baskets, strict=True))
    result = compared(parts, right, customers)
    mixed = np.random.default_rng(len(baskets)).permutation(len(baskets))
    again = compared(parts[mixed], right[mixed], customers[mixed])
    np.testing.assert_array_equal(result.p_worse, again.p_worse)
    np.testing.assert_array_equal(result.low, again.low)


def test_holm_is_less_strict_than_dividing_by_the_number() -> None:
    p = np.array([0.04, 0.001, 0.014, 0.5])
    assert holm(p, 0.05).tolist() == [False, True, True, False]
    assert holm(np.array([]), 0.05).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_between_dividing_by_the_number_and_no_correction(p: list[float]) -> None:
    values = np.array(p)
    result = holm(values, 0.1)
    assert np.all(result[values <= 0.1 / values.size])
    assert np.all(values[result] <= 0.1)
    if result.any() and not result.all():
        assert values[result].max() <= values[~result].min()

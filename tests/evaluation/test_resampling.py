from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketwise.arrays import Labels
from basketwise.evaluation import resampling
from basketwise.evaluation.resampling import Patterns, draw, find_patterns, joint_cells
from basketwise.training.metrics import confusion_matrix


def labels(*numbers: int) -> Labels:
    return np.array(numbers, dtype=np.int8)


def drawn_labels(baskets: int, models: int, seed: int) -> tuple[Labels, list[Labels]]:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 3, (models + 1, baskets), dtype=np.int8)
    return drawn[0], list(drawn[1:])


def all_patterns(true: Labels, predicted: list[Labels], units: list[int] | None) -> Patterns:
    joint, cells = joint_cells(true, predicted)
    return find_patterns(joint, cells, None if units is None else np.array(units))


def as_counter(patterns: Patterns) -> Counter[tuple[float, ...]]:
    """Units by what they count."""
    results: Counter[tuple[float, ...]] = Counter()
    for pattern in patterns.of_unit:
        results[tuple(patterns.counts[pattern].ravel().tolist())] += 1
    return results


def test_baskets_that_all_models_see_alike_share_a_joint_cell() -> None:
    true, first, two = labels(0, 0, 2, 0), labels(0, 0, 2, 0), labels(1, 1, 2, 0)
    joint, cells = joint_cells(true, [first, two])
    assert joint[0] == joint[1]
    assert len(set(joint.tolist())) == 3
    assert cells[joint].tolist() == [[0, 1], [0, 1], [8, 8], [0, 0]]


def test_more_models_than_an_integer_could_number_are_reported_apart() -> None:
    true, predicted = drawn_labels(200, 60, seed=1)
    joint, cells = joint_cells(true, predicted)
    assert len(set(joint.tolist())) == 200
    for k, answers in enumerate(predicted):
        assert (cells[joint, k] == true.astype(int) * 3 + answers).all()


@given(st.integers(1, 40), st.integers(1, 8), st.booleans(), st.integers(0, 1_000))
def test_patterns_count_each_units_baskets(
    baskets: int, customers: int, singly: bool, seed: int
) -> None:
    true, predicted = drawn_labels(baskets, 2, seed)
    rng = np.random.default_rng(seed)
    units = list(range(baskets)) if singly else rng.integers(-5, customers, baskets).tolist()
    expected: Counter[tuple[float, ...]] = Counter()
    for unit in set(units):
        in_unit = np.array(units) == unit
        tables = [confusion_matrix(true[in_unit], answers[in_unit]) for answers in predicted]
        expected[tuple(np.stack(tables).ravel().astype(float).tolist())] += 1
    assert as_counter(all_patterns(true, predicted, units)) == expected
    if singly:
        assert as_counter(all_patterns(true, predicted, None)) == expected


def test_units_with_the_same_baskets_in_another_order_are_one_pattern() -> None:
    true, predicted = labels(0, 1, 1, 0, 2), labels(0, 2, 2, 0, 2)
    assert all_patterns(true, [predicted], [7, 7, 3, 3, 9]).of_unit.tolist() == [0, 0, 1]


def test_a_customer_with_twice_the_baskets_is_another_pattern() -> None:
    true = labels(0, 0, 0)
    assert all_patterns(true, [true], [1, 1, 2]).of_unit.tolist() == [0, 1]


def test_draws_are_multinomial_over_the_units() -> None:
    # Three patterns of 6, 3 and 1 units with one basket each, in cells 0, 4 and 8.
    counts = np.zeros((3, 1, 9))
    counts[[0, 1, 2], 0, [0, 4, 8]] = 1
    sizes = np.array([6, 3, 1])
    of_unit = np.repeat([0, 1, 2], sizes)
    drawn = draw(Patterns(counts, of_unit), 20_000, seed=3).reshape(-1, 9)[:, [0, 4, 8]]
    assert (drawn.sum(axis=1) == 10).all()
    share = sizes / 10
    np.testing.assert_allclose(drawn.mean(axis=0), 10 * share, atol=0.05)
    covariance = 10 * (np.diag(share) - np.outer(share, share))
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.1)


def test_a_drawn_customer_brings_all_its_baskets() -> None:
    # One customer has four baskets, all wrong; the other one, right.
    true, predicted = labels(0, 0, 0, 0, 1), labels(2, 2, 2, 2, 1)
    drawn = draw(all_patterns(true, [predicted], [5, 5, 5, 5, 2]), 500, seed=1)[:, 0]
    wrong, right = drawn[:, 0, 2], drawn[:, 1, 1]
    assert set(zip(wrong.tolist(), right.tolist(), strict=True)) == {(0, 2), (4, 1), (8, 0)}


def test_memory_for_fewer_resamples_at_a_time_changes_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true, predicted = drawn_labels(300, 2, seed=4)
    patterns = all_patterns(true, predicted, (np.arange(300) // 3).tolist())
    whole = draw(patterns, 50, seed=6)
    monkeypatch.setattr(resampling, "BLOCK_ENTRIES", 7 * patterns.counts.shape[0])
    np.testing.assert_array_equal(draw(patterns, 50, seed=6), whole)
    monkeypatch.setattr(resampling, "BLOCK_ENTRIES", 1)
    np.testing.assert_array_equal(draw(patterns, 50, seed=6), whole)


def test_all_models_of_a_resample_see_the_same_baskets() -> None:
    true, predicted = drawn_labels(200, 2, seed=5)
    drawn = draw(all_patterns(true, [*predicted, predicted[0]], None), 100, seed=2)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 2])
    np.testing.assert_array_equal(drawn[:, 0].sum(axis=-1), drawn[:, 1].sum(axis=-1))


@pytest.mark.parametrize("by_customer", [False, True])
def test_which_units_are_drawn_depends_on_no_model(by_customer: bool) -> None:
    true, predicted = drawn_labels(200, 4, seed=5)
    units = np.random.default_rng(7).integers(0, 60, 200).tolist() if by_customer else None
    together = draw(all_patterns(true, predicted, units), 100, seed=2)
    for k, answers in enumerate(predicted):
        alone = draw(all_patterns(true, [answers], units), 100, seed=2)
        np.testing.assert_array_equal(alone[:, 0], together[:, k])

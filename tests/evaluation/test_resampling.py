from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketwise.arrays import Labels
from basketwise.evaluation import resampling
from basketwise.evaluation.resampling import (
    UNIT,
    Patterns,
    draw,
    find_patterns,
    joint_cells,
    unseen_weights,
)
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


def test_shares_of_the_weight_are_dirichlet_over_the_units() -> None:
    # Three patterns of 6, 3 and 1 units with one basket each, in cells 0, 4 and 8.
    counts = np.zeros((3, 1, 9))
    counts[[0, 1, 2], 0, [0, 4, 8]] = 1
    sizes, each = np.array([6, 3, 1]), np.arange(3)
    patterns = Patterns(counts, np.repeat(each, sizes), each, each)
    drawn = draw(patterns, 20_000, seed=3).reshape(-1, 9)[:, [0, 4, 8]]
    shares = drawn / drawn.sum(axis=1, keepdims=True)
    expected = sizes / 10
    np.testing.assert_allclose(shares.mean(axis=0), expected, atol=0.005)
    covariance = (np.diag(expected) - np.outer(expected, expected)) / 11
    np.testing.assert_allclose(np.cov(shares.T), covariance, atol=0.001)
    assert drawn.sum(axis=1).mean() == pytest.approx(10 * UNIT, rel=0.01)


def test_a_customer_weighs_with_all_its_baskets() -> None:
    # One customer has four baskets, all wrong; the other one, right.
    true, predicted = labels(0, 0, 0, 0, 1), labels(2, 2, 2, 2, 1)
    drawn = draw(all_patterns(true, [predicted], [5, 5, 5, 5, 2]), 500, seed=1)[:, 0]
    wrong, right = drawn[:, 0, 2], drawn[:, 1, 1]
    assert (wrong % 4 == 0).all()
    assert (wrong > 0).all()
    assert (right > 0).all()
    assert abs(np.corrcoef(wrong, right)[0, 1]) < 0.15


def test_units_say_how_many_baskets_of_a_kind_they_have_and_how_alike_they_are() -> None:
    true, predicted = labels(0, 0, 0, 0, 1), labels(2, 0, 2, 2, 1)
    joint, cells = joint_cells(true, [predicted])
    patterns = find_patterns(joint, cells, np.array([5, 5, 5, 2, 2]))
    wrong = cells[:, 0] // 3 != cells[:, 0] % 3
    assert patterns.most(wrong) == 2
    assert patterns.most(np.zeros_like(wrong)) == 0
    assert patterns.alike == pytest.approx(25 / 13)
    assert find_patterns(joint, cells, None).alike == 5


def test_weights_of_units_that_were_not_seen_depend_on_the_seed() -> None:
    whole = unseen_weights(20_000, 1, 1.0)
    assert whole.mean() == pytest.approx(UNIT, rel=0.03)
    assert unseen_weights(20_000, 1, 0.5).mean() == pytest.approx(UNIT / 2, rel=0.05)
    np.testing.assert_array_equal(unseen_weights(20_000, 1, 1.0), whole)
    assert (unseen_weights(20_000, 2, 1.0) != whole).any()


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

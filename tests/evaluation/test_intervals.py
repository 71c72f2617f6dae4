from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from basketwise.evaluation.intervals import (
    Bootstrap,
    accuracy_interval,
    macro_f1_interval,
    mean_interval,
    paired_accuracy_difference,
)
from basketwise.evaluation.metrics import confusion_matrix, scores

BOOTSTRAP = Bootstrap(resamples=4_000, confidence=0.95, seed=1)
COUNTS = st.lists(st.integers(0, 50), min_size=9, max_size=9).filter(any)
Labels = NDArray[np.int8]


def answers(baskets: int, *, right: float, seed: int) -> tuple[Labels, Labels]:
    """Draw true classes, and answers of which so many are right by construction."""
    rng = np.random.default_rng(seed)
    true = rng.choice(3, baskets, p=[0.5, 0.3, 0.2]).astype(np.int8)
    shift = np.where(rng.random(baskets) < right, 0, rng.integers(1, 3, baskets))
    return true, ((true + shift) % 3).astype(np.int8)


def row_bootstrap(true: Labels, *predicted: Labels) -> NDArray[np.float64]:
    """Resample the baskets themselves: accuracy and macro-F1 of each model, one row a resample."""
    rng = np.random.default_rng(9)
    found = []
    for _ in range(1_500):
        rows = rng.integers(0, true.size, true.size)
        each = [scores(confusion_matrix(true[rows], one[rows])) for one in predicted]
        found.append([value for one in each for value in (one.accuracy, one.f1)])
    return np.array(found)


def test_intervals_are_those_of_resampling_the_baskets() -> None:
    true, predicted = answers(400, right=0.8, seed=2)
    confusion = confusion_matrix(true, predicted)
    low, high = np.quantile(row_bootstrap(true, predicted), [0.025, 0.975], axis=0)
    accuracy = accuracy_interval(confusion, BOOTSTRAP)
    f1 = macro_f1_interval(confusion, BOOTSTRAP)
    # The ends of a percentile interval of a thousand resamples are themselves good to a twentieth
    # of its width or so.
    for found, k in ((accuracy, 0), (f1, 1)):
        width = high[k] - low[k]
        assert found.low == pytest.approx(low[k], abs=0.1 * width)
        assert found.high == pytest.approx(high[k], abs=0.1 * width)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    few = Bootstrap(resamples=300, confidence=0.9, seed=4)
    covered = 0
    for seed in range(200):
        found = accuracy_interval(confusion_matrix(*answers(300, right=0.7, seed=seed)), few)
        covered += found.low <= 0.7 <= found.high
    assert 165 <= covered <= 195


def test_a_seed_fixes_the_interval_and_another_moves_it() -> None:
    confusion = confusion_matrix(*answers(300, right=0.7, seed=5))
    other = Bootstrap(BOOTSTRAP.resamples, BOOTSTRAP.confidence, seed=2)
    assert macro_f1_interval(confusion, BOOTSTRAP) == macro_f1_interval(confusion, BOOTSTRAP)
    assert macro_f1_interval(confusion, BOOTSTRAP) != macro_f1_interval(confusion, other)


def test_more_confidence_makes_it_wider_and_more_baskets_narrower() -> None:
    def width(baskets: int, confidence: float) -> float:
        confusion = confusion_matrix(*answers(baskets, right=0.7, seed=5))
        found = accuracy_interval(confusion, Bootstrap(2_000, confidence, 1))
        return found.high - found.low

    assert width(300, 0.99) > width(300, 0.95) > width(300, 0.8)
    assert width(300, 0.95) == pytest.approx(2 * width(1_200, 0.95), rel=0.15)


@given(COUNTS, st.integers(0, 1_000))
def test_every_interval_holds_its_estimate(cells: list[int], seed: int) -> None:
    confusion = np.array(cells, dtype=np.int64).reshape(3, 3)
    values = np.arange(9, dtype=np.float64).reshape(3, 3) - 4
    bootstrap = Bootstrap(resamples=100, confidence=0.6, seed=seed)
    for found in (
        accuracy_interval(confusion, bootstrap),
        macro_f1_interval(confusion, bootstrap),
        mean_interval(confusion, values, bootstrap),
    ):
        assert found.low <= found.estimate <= found.high
    assert accuracy_interval(confusion, bootstrap).estimate == scores(confusion).accuracy
    assert macro_f1_interval(confusion, bootstrap).estimate == scores(confusion).f1


@given(COUNTS)
def test_the_mean_of_a_unit_matrix_is_the_accuracy(cells: list[int]) -> None:
    confusion = np.array(cells, dtype=np.int64).reshape(3, 3)
    bootstrap = Bootstrap(resamples=100, confidence=0.9, seed=0)
    found = mean_interval(confusion, np.eye(3), bootstrap)
    assert found == accuracy_interval(confusion, bootstrap)


def test_a_model_without_an_error_is_not_certain_to_make_none() -> None:
    found = accuracy_interval(np.diag([50, 30, 20]), BOOTSTRAP)
    assert (found.estimate, found.high) == (1, 1)
    # A model as good as that is right about all of 100 baskets in one case of forty.
    assert found.low**100 == pytest.approx(0.025)
    assert macro_f1_interval(np.diag([50, 30, 20]), BOOTSTRAP) == found


def test_without_an_error_a_mean_allows_for_the_worst_and_the_best_ones() -> None:
    values = np.array([[4.0, 1.0, -8.0], [0.0, 4.0, 0.0], [6.0, 0.0, 4.0]])
    confusion = np.diag([50, 30, 20])
    found = mean_interval(confusion, values, BOOTSTRAP)
    right = accuracy_interval(confusion, BOOTSTRAP).low
    assert found.estimate == 4
    assert found.low == pytest.approx(right * 4 + (1 - right) * 0.5 * -8)
    # The best errors, 0.5 * 1 + 0.2 * 6, are still worse than none.
    assert found.high == 4


def test_the_paired_difference_is_that_of_resampling_the_baskets() -> None:
    true, challenger = answers(400, right=0.85, seed=6)
    # The champion shares most of the challenger's mistakes, so that pairing matters.
    champion = np.where(np.arange(400) % 8 == 0, (true + 1) % 3, challenger).astype(np.int8)
    found = paired_accuracy_difference(true, challenger, champion, BOOTSTRAP)
    drawn = row_bootstrap(true, challenger, champion)
    low, high = np.quantile(drawn[:, 0] - drawn[:, 2], [0.025, 0.975])
    assert found.estimate == pytest.approx((challenger == true).mean() - (champion == true).mean())
    assert found.low == pytest.approx(low, abs=0.1 * (high - low))
    assert found.high == pytest.approx(high, abs=0.1 * (high - low))


def test_a_model_against_itself_differs_by_nothing() -> None:
    true, predicted = answers(100, right=0.7, seed=7)
    found = paired_accuracy_difference(true, predicted, predicted, BOOTSTRAP)
    assert (found.low, found.estimate, found.high) == (0, 0, 0)


def test_a_hundred_thousand_baskets_cost_no_more_than_a_hundred() -> None:
    true, predicted = answers(100_000, right=0.9, seed=8)
    other = np.roll(predicted, 1)
    often = Bootstrap(resamples=2_000, confidence=0.95, seed=1)
    started = time.process_time()
    confusion = confusion_matrix(true, predicted)
    accuracy_interval(confusion, often)
    macro_f1_interval(confusion, often)
    paired_accuracy_difference(true, predicted, other, often)
    assert time.process_time() - started < 1

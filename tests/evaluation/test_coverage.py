"""Small simulations of what ``benchmarks/coverage.py`` measures with many trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.evaluation.intervals import Bootstrap, resample
from benchmarks.coverage import CASES, Case, compare, coverage

FEW = Bootstrap(resamples=400, confidence=0.95, seed=3)


@pytest.mark.parametrize("case", [CASES[0], CASES[7]], ids=lambda case: case.name)
def test_intervals_contain_the_truth_as_often_as_they_say(case: Case) -> None:
    # 200 trials are rough: the figures of docs/explanation/honest-evaluation.md are of 2,000.
    for score, measured in coverage(case, trials=200, resamples=300).items():
        assert 0.91 <= measured.covered <= 0.99, score
        assert measured.too_high <= 0.065, score
        assert measured.too_low <= 0.065, score


def test_the_table_has_a_row_per_case() -> None:
    lines = compare(trials=3, resamples=100, cases=CASES[-2:]).splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("| 200 × 5, 0.5, 0.9, baskets drawn |")


def lower_end(wrong: np.ndarray, units: np.ndarray | None) -> tuple[float, float]:
    true = np.zeros(wrong.size, dtype=np.int8)
    models = {"model": wrong.astype(np.int8), "other": true}
    resampled = resample(true, models, units, FEW)
    difference = resampled.accuracy_difference("model", "other")
    return resampled.accuracy("model")["low"], difference["low"]


@settings(max_examples=30)
@given(st.integers(0, 1_000_000), st.integers(1, 20), st.booleans())
def test_one_more_error_never_raises_a_lower_end(seed: int, size: int, by_customer: bool) -> None:
    rng = np.random.default_rng(seed)
    wrong = np.zeros(60, dtype=np.bool_)
    units = np.arange(60) // size if by_customer else None
    ends = [lower_end(wrong, units)]
    for basket in rng.permutation(60)[: rng.integers(1, 12)]:
        wrong[basket] = True
        ends.append(lower_end(wrong, units))
    assert (np.diff(ends, axis=0) <= 1e-12).all()


def test_the_first_error_of_many_customers_lowers_the_end() -> None:
    wrong = np.zeros(19_170, dtype=np.bool_)
    none = lower_end(wrong, None)[0]
    wrong[7] = True
    assert none == pytest.approx(0.999808, abs=1e-6)
    # Clopper and Pearson's end for one of so many is 0.999709, Jeffreys' 0.999756.
    assert 0.999709 < lower_end(wrong, None)[0] < 0.999765

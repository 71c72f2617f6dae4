from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from basketwise.arrays import Floats, Labels
from basketwise.evaluation.reliability import reliability
from basketwise.training.calibration import SMALLEST

BY_HAND = np.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5], [0.125, 0.75, 0.125], [0.0, 1.0, 0.0]])
TRUE = np.array([0, 0, 1, 1], dtype=np.int8)


def answers(baskets: int = 3_000) -> tuple[Labels, Floats]:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet([0.4, 0.5, 0.6], baskets)
    return rng.integers(0, 3, baskets).astype(np.int8), probabilities


def test_by_hand() -> None:
    result = reliability(TRUE, BY_HAND, bins=4)
    assert result["log_loss"] == pytest.approx((np.log(2) + np.log(4) + np.log(4 / 3)) / 4)
    # Squared errors: 3/8, 7/8, 3/32 and 0.
    assert result["brier"] == pytest.approx((3 / 8 + 7 / 8 + 3 / 32) / 4)
    assert result["bins"] == [
        {"low": 0.0, "high": 0.25, "baskets": 0, "confidence": None, "accuracy": None},
        {"low": 0.25, "high": 0.5, "baskets": 2, "confidence": 0.5, "accuracy": 0.5},
        {"low": 0.5, "high": 0.75, "baskets": 1, "confidence": 0.75, "accuracy": 1.0},
        {"low": 0.75, "high": 1.0, "baskets": 1, "confidence": 1.0, "accuracy": 1.0},
    ]
    assert result["ece"] == pytest.approx(0.25 / 4)


def test_against_scikit_learn() -> None:
    y, probabilities = answers()
    result = reliability(y, probabilities)
    single = probabilities.astype(np.float32)
    assert result["log_loss"] == pytest.approx(log_loss(y, single), rel=1e-6)
    expected = brier_score_loss(y, probabilities, labels=[0, 1, 2], scale_by_half=False)
    assert result["brier"] == pytest.approx(expected, rel=1e-12)


def test_no_probability_counts_as_less_than_float32_can_tell_from_none() -> None:
    never = np.array([[1.0, 0.0, 0.0]])
    result = reliability(np.array([2], dtype=np.int8), never)
    assert result["log_loss"] == pytest.approx(-np.log(SMALLEST)) == pytest.approx(23 * np.log(2))
    expected = log_loss([2], never.astype(np.float32), labels=[0, 1, 2])
    assert result["log_loss"] == pytest.approx(expected, rel=1e-6)
    assert result["brier"] == 2
    assert result["ece"] == 1


def test_sure_and_right_is_perfect() -> None:
    result = reliability(np.array([0, 1, 2], dtype=np.int8), np.eye(3))
    assert (result["log_loss"], result["brier"], result["ece"]) == (0, 0, 0)
    assert str(result["log_loss"]) == "0.0"


def test_there_are_fifteen_equal_bins_and_every_basket_is_in_one() -> None:
    y, probabilities = answers()
    bins = reliability(y, probabilities)["bins"]
    assert [row["low"] for row in bins] == pytest.approx(np.arange(15) / 15)
    assert [row["high"] for row in bins] == pytest.approx(np.arange(1, 16) / 15)
    assert sum(row["baskets"] for row in bins) == y.size
    assert not any(row["baskets"] for row in bins[:4])
    for row in bins[5:]:
        assert row["confidence"] is not None
        assert row["low"] <= row["confidence"] <= row["high"]


def test_expected_calibration_error_as_a_plain_loop() -> None:
    y, probabilities = answers()
    error = 0.0
    for k in range(15):
        top = probabilities.max(axis=1)
        inside = (top > k / 15) & (top <= (k + 1) / 15)
        if inside.any():
            right = probabilities[inside].argmax(axis=1) == y[inside]
            error += inside.mean() * abs(right.mean() - top[inside].mean())
    assert reliability(y, probabilities)["ece"] == pytest.approx(error, rel=1e-12)


def test_a_tie_in_single_precision_goes_to_the_first_class() -> None:
    tie = np.array([[0.1, 0.45 - 1e-12, 0.45 + 1e-12]])
    (filled,) = (row for row in reliability(TRUE[2:3], tie)["bins"] if row["baskets"])
    assert filled["accuracy"] == 1


def test_it_is_json() -> None:
    result = reliability(*answers(50))
    assert json.loads(json.dumps(result, allow_nan=False)) == result

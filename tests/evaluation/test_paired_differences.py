from __future__ import annotations

import numpy as np
import pytest

from basketwise.evaluation.intervals import resample
from basketwise.report.types.scores import Interval
from tests.evaluation.answering import BOOTSTRAP, answers, challenged, customers, width


def test_pairing_makes_a_difference_narrower() -> None:
    true, predicted = challenged(1_000, seed=6)
    resampled = resample(true, predicted, None, BOOTSTRAP)
    unpaired = np.linalg.norm([width(resampled.accuracy(name)) for name in predicted])
    assert width(resampled.accuracy_difference("challenger", "champion")) < 0.8 * unpaired
    unpaired_f1 = np.linalg.norm([width(resampled.macro_f1(name)) for name in predicted])
    assert width(resampled.f1_difference("challenger", "champion")) < 0.8 * unpaired_f1


def test_differences_turn_over_with_the_models() -> None:
    true, predicted = challenged(500, seed=6)
    resampled = resample(true, predicted, customers(500, seed=1), BOOTSTRAP)
    for difference in (resampled.accuracy_difference, resampled.f1_difference):
        forward, backward = (
            difference("challenger", "champion"),
            difference("champion", "challenger"),
        )
        assert [forward["estimate"], forward["low"], forward["high"]] == pytest.approx(
            [-backward["estimate"], -backward["high"], -backward["low"]]
        )


def test_against_a_model_without_an_error_the_difference_is_the_other_accuracy() -> None:
    # Joint draws: in each resample the perfect model is at 1, so the difference is 1 minus it.
    true, predicted = answers(500, right=0.8, seed=8)
    resampled = resample(true, {"perfect": true, "model": predicted}, None, BOOTSTRAP)
    accuracy = resampled.accuracy("model")
    result = resampled.accuracy_difference("perfect", "model")
    assert 1 - result["estimate"] == pytest.approx(accuracy["estimate"])
    # Not quite the same ends: errors that were not seen count less in a difference.
    assert [1 - result["high"], 1 - result["low"]] == pytest.approx(
        [accuracy["low"], accuracy["high"]], abs=0.05 * width(accuracy)
    )


def test_a_difference_of_one_basket_in_a_hundred_is_a_hundredth() -> None:
    true = np.zeros(100, dtype=np.int8)
    worse, better = (np.where(np.arange(100) < wrong, 1, 0).astype(np.int8) for wrong in (16, 15))
    resampled = resample(true, {"worse": worse, "better": better}, None, BOOTSTRAP)
    assert resampled.accuracy_difference("worse", "better")["estimate"] == -0.01


def test_a_model_against_itself_differs_by_nothing() -> None:
    true, predicted = answers(100, right=0.7, seed=7)
    resampled = resample(true, {"model": predicted}, None, BOOTSTRAP)
    for difference in (resampled.accuracy_difference, resampled.f1_difference):
        assert difference("model", "model") == Interval(estimate=0, low=0, high=0)


@pytest.mark.parametrize("right", [0.7, 1.0])
def test_two_models_that_agree_are_only_as_close_as_so_many_baskets_can_tell(right: float) -> None:
    true, predicted = answers(600, right=right, seed=7)
    same = {"one": predicted, "two": predicted.copy()}
    for units in (None, np.arange(600) // 3):
        resampled = resample(true, same, units, BOOTSTRAP)
        for difference in (resampled.accuracy_difference, resampled.f1_difference):
            result = difference("one", "two")
            assert result["estimate"] == 0
            assert (1 - result["high"]) ** 600 == pytest.approx(0.025)
            assert result["low"] == -result["high"]


def test_wrong_in_another_way_is_not_more_or_less_accurate() -> None:
    true, predicted = answers(600, right=0.7, seed=7)
    otherwise = np.where(predicted == true, true, 3 - true - predicted).astype(np.int8)
    resampled = resample(true, {"one": predicted, "two": otherwise}, None, BOOTSTRAP)
    result = resampled.accuracy_difference("one", "two")
    assert result["estimate"] == 0
    assert (1 - result["high"]) ** 600 == pytest.approx(0.025)
    assert resampled.f1_difference("one", "two")["estimate"] != 0


def test_a_model_that_lost_no_basket_may_still_lose_some() -> None:
    true = np.zeros(200, dtype=np.int8)
    champion = np.where(np.arange(200) < 10, 1, 0).astype(np.int8)
    unseen = 1 - 0.025 ** (1 / 200)

    def difference(wins: int) -> Interval:
        challenger = np.where(np.arange(200) < 10 - wins, 1, 0).astype(np.int8)
        both = {"challenger": challenger, "champion": champion}
        resampled = resample(true, both, None, BOOTSTRAP)
        return resampled.accuracy_difference("challenger", "champion")

    assert difference(1)["low"] == pytest.approx(1 / 200 - unseen)
    # Ten wins are evidence enough: what the resamples show is the wider of the two.
    assert 0 < difference(10)["low"] < 10 / 200 - unseen

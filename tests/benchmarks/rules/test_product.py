"""Scores of a run, from the files that it leaves."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.rules.product import judge, truth
from tests.evaluation.running import Evaluated


def test_scores_are_those_of_the_report(evaluated: Evaluated) -> None:
    scored = judge(evaluated.folder, None)
    winner = evaluated.report["winner"]
    assert scored.winner == winner["model"]
    assert scored.accuracy == pytest.approx(winner["accuracy"]["estimate"])
    assert scored.macro_f1 == pytest.approx(winner["macro_f1"]["estimate"])
    shipped = evaluated.report["calibration"]["shipped"]
    assert scored.log_loss == pytest.approx(shipped["log_loss"], abs=1e-6)
    assert scored.ece == pytest.approx(shipped["ece"], abs=1e-4)
    (row,) = (row for row in evaluated.report["leaderboard"] if row["winner"])
    assert scored.cv_accuracy == row["cv_accuracy_mean"]
    assert scored.ids.equals(evaluated.predictions["basket_id"].sort())


def test_classes_can_be_compared_with_clean_labels(evaluated: Evaluated) -> None:
    predictions = evaluated.predictions
    shifted = {"Low": "MM", "Medium": "LA", "High": "UM"}
    clean = pl.DataFrame(
        {
            "BASKET_ID": predictions["basket_id"],
            "BASKET_PRICE_SENSITIVITY": predictions["price_sensitivity"].replace_strict(shifted),
        }
    ).reverse()
    usual, shifted_scores = judge(evaluated.folder, None), judge(evaluated.folder, clean)
    assert shifted_scores.accuracy < 1 - usual.accuracy + 1e-9
    assert shifted_scores.log_loss == usual.log_loss


def test_clean_labels_are_in_the_order_of_the_baskets() -> None:
    clean = pl.DataFrame({"BASKET_ID": [1, 2, 3], "BASKET_PRICE_SENSITIVITY": ["UM", "MM", "LA"]})
    assert np.array_equal(truth(pl.Series([3, 1]), clean), [2, 0])

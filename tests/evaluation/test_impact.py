from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from basketwise.config import BusinessConfig
from basketwise.evaluation.impact import business_impact
from basketwise.evaluation.intervals import Bootstrap, Resampled, resample

BOOTSTRAP = Bootstrap(resamples=2_000, confidence=0.95, seed=3)
CONFUSION = np.array([[30, 6, 4], [5, 40, 5], [1, 4, 5]])
"""A hundred baskets: 75 right; 40 Low, 50 Medium, 10 High."""

MEDIUM = 1
MATRIX = [[8.0, -1.0, -3.0], [0.5, 6.0, -2.0], [-20.0, -4.0, 9.0]]


def resampled(confusion: Any = CONFUSION) -> Resampled:
    cells = np.repeat(np.arange(9), confusion.ravel()).astype(np.int8)
    return resample(cells // 3, {"winner": cells % 3}, None, BOOTSTRAP)


def impact(confusion: Any = CONFUSION, **settings: Any) -> dict[str, Any]:
    config = BusinessConfig(**settings)
    return dict(business_impact(resampled(confusion), "winner", MEDIUM, config))


def test_the_default_assumptions_by_hand() -> None:
    result = impact()
    assert result["monthly_predictions"] == 30_000
    assert result["accurate_predictions"] == 22_500
    assert result["monthly_revenue_impact"] == 225_000
    assert result["monthly_cost_savings"] == 60_000
    assert result["total_monthly_value"] == 285_000
    assert result["currency"] == ""


def test_always_answering_the_majority_class_is_right_about_its_share() -> None:
    assert impact()["baseline_total"] == 30_000 * 0.5 * 10 + 60_000


def test_the_interval_is_the_accuracys_in_money() -> None:
    accuracy = resampled().accuracy("winner")
    result = impact()
    assert result["total_low"] == pytest.approx(300_000 * accuracy["low"] + 60_000)
    assert result["total_high"] == pytest.approx(300_000 * accuracy["high"] + 60_000)
    assert accuracy["low"] < 0.75 < accuracy["high"]


def test_it_is_the_accuracys_even_where_no_basket_is_wrong() -> None:
    perfect = np.diag([40, 50, 10])
    result = impact(perfect)
    low = resampled(perfect).accuracy("winner")["low"]
    assert low < 1
    assert result["total_low"] == pytest.approx(300_000 * low + 60_000)
    assert result["total_high"] == result["total_monthly_value"] == 360_000


def test_every_assumption_is_listed_and_counts() -> None:
    settings = {
        "predictions_per_day": 10.0,
        "days_per_month": 20.0,
        "revenue_per_accurate_prediction": 4.0,
        "cost_saving_per_prediction": 0.5,
        "currency": "GBP",
    }
    result = impact(**settings)
    listed = {assumption["name"]: assumption["value"] for assumption in result["assumptions"]}
    units = {assumption["name"]: assumption["unit"] for assumption in result["assumptions"]}
    assert listed == {name: value for name, value in settings.items() if name != "currency"}
    assert units["cost_saving_per_prediction"] == "GBP"
    assert result["total_monthly_value"] == 200 * (0.75 * 4 + 0.5)
    assert result["baseline_total"] == 200 * (0.5 * 4 + 0.5)


def test_a_cost_matrix_pays_each_basket_what_its_cell_says() -> None:
    result = impact(cost_matrix=MATRIX)
    by_hand = 30 * 8 - 6 * 1 - 4 * 3 + 5 * 0.5 + 40 * 6 - 5 * 2 - 1 * 20 - 4 * 4 + 5 * 9
    assert result["monthly_revenue_impact"] == pytest.approx(30_000 * by_hand / 100)
    assert result["monthly_cost_savings"] == 60_000
    assert result["total_monthly_value"] == pytest.approx(300 * by_hand + 60_000)
    assert result["accurate_predictions"] == 22_500


def test_with_a_cost_matrix_the_majority_class_is_paid_by_its_column() -> None:
    result = impact(cost_matrix=MATRIX)
    assert result["baseline_total"] == pytest.approx(300 * (40 * -1 + 50 * 6 + 10 * -4) + 60_000)


def test_a_cost_matrix_of_rewards_alone_says_the_same_as_the_reward() -> None:
    rewards = [[10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]]
    result, plain = impact(cost_matrix=rewards), impact()
    ignored = {"assumptions", "default_assumptions"}
    assert {k: v for k, v in result.items() if k not in ignored} == {
        k: v for k, v in plain.items() if k not in ignored
    }


def test_the_currency_is_the_datas_unless_the_assumptions_have_their_own() -> None:
    for own, expected in (("", "EUR"), ("GBP", "GBP")):
        config = BusinessConfig(currency=own)
        result = business_impact(resampled(), "winner", MEDIUM, config, "EUR")
        assert result["currency"] == expected
        assert result["assumptions"][-1]["unit"] == expected


def test_money_of_nobodys_own_is_marked() -> None:
    assert impact()["default_assumptions"]
    # A currency is no assumption.
    assert impact(currency="EUR")["default_assumptions"]
    assert not impact(days_per_month=31)["default_assumptions"]


def test_the_interval_of_a_cost_matrix_knows_which_mistakes_are_dear() -> None:
    # As often right as before; but what a mistake costs hangs on one cell with a single basket.
    dear = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-1000.0, 0.0, 0.0]]
    result = impact(cost_matrix=dear)
    assert result["monthly_revenue_impact"] == pytest.approx(30_000 * -10)
    # A cell of one basket in a hundred weighs almost nothing at one end, and at the other four
    # times as much or more, as unseen errors are taken to be as dear.
    assert 40_000 < result["total_high"] < 60_000
    assert result["total_low"] < 60_000 - 3.5 * 300_000


def test_mistakes_that_pay_better_do_not_turn_the_interval_over() -> None:
    matrix = [[1.0, 5.0, 5.0], [5.0, 1.0, 5.0], [5.0, 5.0, 1.0]]
    result = impact(cost_matrix=matrix)
    assert result["total_low"] < result["total_monthly_value"] < result["total_high"]


def test_a_model_that_is_never_wrong_earns_the_diagonal() -> None:
    result = impact(np.diag([4, 5, 1]), cost_matrix=MATRIX)
    assert result["monthly_revenue_impact"] == pytest.approx(30_000 * (4 * 8 + 5 * 6 + 1 * 9) / 10)


def test_the_cost_matrix_replaces_the_reward_among_the_assumptions() -> None:
    names = [assumption["name"] for assumption in impact(cost_matrix=MATRIX)["assumptions"]]
    assert "cost_matrix" in names
    assert "revenue_per_accurate_prediction" not in names

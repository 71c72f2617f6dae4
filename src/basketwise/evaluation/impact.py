"""What a model is worth in money, on stated assumptions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from basketwise.config import BusinessConfig
from basketwise.evaluation.intervals import Interval
from basketwise.evaluation.metrics import Counts
from basketwise.evaluation.report_types import Assumption, Impact


def business_impact(
    confusion: Counts, accuracy: Interval, commonest: int, config: BusinessConfig
) -> Impact:
    """Compute the monthly value, with the interval that the accuracy's gives.

    Parameters
    ----------
    confusion : array of int, shape (classes, classes)
        The winner's, on the test part.
    accuracy : Interval
        The winner's.
    commonest : int
        Number of the class that a model without features would always answer.
    config : BusinessConfig
        The assumptions. With a cost matrix, the revenue is the mean money per basket, and the
        interval moves it in proportion to the accuracy.
    """
    monthly = config.predictions_per_day * config.days_per_month
    savings = monthly * config.cost_saving_per_prediction
    revenue_at, always = _revenue(confusion, commonest, config)
    return Impact(
        currency=config.currency,
        monthly_predictions=monthly,
        accurate_predictions=monthly * accuracy.estimate,
        monthly_revenue_impact=monthly * revenue_at(accuracy.estimate),
        monthly_cost_savings=savings,
        total_monthly_value=monthly * revenue_at(accuracy.estimate) + savings,
        total_low=monthly * revenue_at(accuracy.low) + savings,
        total_high=monthly * revenue_at(accuracy.high) + savings,
        baseline_total=monthly * always + savings,
        assumptions=_assumptions(config),
    )


def _revenue(
    confusion: Counts, commonest: int, config: BusinessConfig
) -> tuple[Callable[[float], float], float]:
    """Return the revenue per basket at an accuracy, and that of always answering one class."""
    truth = confusion.sum(axis=1) / confusion.sum()
    if config.cost_matrix is None:
        each = config.revenue_per_accurate_prediction
        return (lambda accuracy: accuracy * each), float(truth[commonest]) * each
    money = np.asarray(config.cost_matrix, dtype=np.float64)
    rest = confusion - np.diag(np.diagonal(confusion))
    when_right = float(np.average(np.diagonal(money), weights=np.diagonal(confusion) + 1e-12))
    when_wrong = float(np.average(money, weights=rest)) if rest.sum() else _mean_off(money)
    return (
        lambda accuracy: accuracy * when_right + (1 - accuracy) * when_wrong,
        float(truth @ money[:, commonest]),
    )


def _mean_off(money: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(money[~np.eye(len(money), dtype=bool)].mean())


def _assumptions(config: BusinessConfig) -> list[Assumption]:
    per_month = [
        Assumption(name="predictions_per_day", value=config.predictions_per_day, unit="baskets"),
        Assumption(name="days_per_month", value=config.days_per_month, unit="days"),
        Assumption(
            name="cost_saving_per_prediction",
            value=config.cost_saving_per_prediction,
            unit=config.currency,
        ),
    ]
    if config.cost_matrix is not None:
        return [
            *per_month,
            Assumption(
                name="cost_matrix",
                value=[list(row) for row in config.cost_matrix],
                unit=f"{config.currency} per basket, true (rows) by predicted (columns)",
            ),
        ]
    return [
        *per_month,
        Assumption(
            name="revenue_per_accurate_prediction",
            value=config.revenue_per_accurate_prediction,
            unit=config.currency,
        ),
    ]

"""What a model is worth in money, under stated assumptions."""

from __future__ import annotations

import numpy as np

from basketwise.arrays import Floats
from basketwise.config import BusinessConfig
from basketwise.evaluation.intervals import Resampled
from basketwise.report.types import Assumption, Impact
from basketwise.schema import CLASSES


def business_impact(
    resampled: Resampled, model: str, majority: int, config: BusinessConfig
) -> Impact:
    """Compute the monthly value, with its interval, of a model, and that of the baseline.

    ``majority`` is the class that the baseline always predicts. Without a cost matrix, the interval
    is the accuracy's in money. With one, the revenue is the mean of its money over the test
    baskets; its interval comes from resampling those, since the kind of error matters as much as
    the number.
    """
    monthly = config.predictions_per_day * config.days_per_month
    savings = monthly * config.cost_saving_per_prediction
    money = _money(config)
    confusion, revenue = resampled.confusion(model), resampled.mean(model, money)
    always = float(confusion.sum(axis=1) @ money[:, majority] / confusion.sum())
    return Impact(
        currency=config.currency,
        default_assumptions=config == BusinessConfig(),
        monthly_predictions=monthly,
        accurate_predictions=monthly * float(np.trace(confusion) / confusion.sum()),
        monthly_revenue_impact=monthly * revenue["estimate"],
        monthly_cost_savings=savings,
        total_monthly_value=monthly * revenue["estimate"] + savings,
        total_low=monthly * revenue["low"] + savings,
        total_high=monthly * revenue["high"] + savings,
        baseline_total=monthly * always + savings,
        assumptions=_assumptions(config),
    )


def _money(config: BusinessConfig) -> Floats:
    """Return the money per basket, true class (row) by predicted class (column)."""
    if config.cost_matrix is not None:
        return np.asarray(config.cost_matrix, dtype=np.float64)
    return np.eye(len(CLASSES)) * config.revenue_per_accurate_prediction


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

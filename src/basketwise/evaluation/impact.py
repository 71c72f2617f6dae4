"""What a model is worth in money, under stated assumptions."""

from __future__ import annotations

import numpy as np
from pydantic import JsonValue

from basketwise.config import BusinessConfig
from basketwise.evaluation.intervals import Resampled
from basketwise.report.types.verdict import Assumption, Impact
from basketwise.schema import CLASSES


def business_impact(
    resampled: Resampled, model: str, majority: int, config: BusinessConfig, currency: str = ""
) -> Impact:
    """Compute the monthly value, with its interval, of a model, and that of the baseline.

    ``currency`` is the data's: it holds where the assumptions name none of their own.
    ``majority`` is the class that the baseline always predicts. Without a cost matrix, the interval
    is the accuracy's in money. With one, the revenue is the mean of its money over the test
    baskets; its interval comes from resampling those, since the kind of error matters as much as
    the number.
    """
    monthly = config.predictions_per_day * config.days_per_month
    savings = monthly * config.cost_saving_per_prediction
    # Per basket, true class (row) by predicted class (column).
    money = np.eye(len(CLASSES)) * config.revenue_per_accurate_prediction
    if config.cost_matrix is not None:
        money = np.asarray(config.cost_matrix, dtype=np.float64)
    confusion, revenue = resampled.confusion(model), resampled.mean(model, money)
    always = float(confusion.sum(axis=1) @ money[:, majority] / confusion.sum())
    currency = config.currency or currency
    return Impact(
        currency=currency,
        default_assumptions=config.model_copy(update={"currency": ""}) == BusinessConfig(),
        monthly_predictions=monthly,
        accurate_predictions=monthly * float(np.trace(confusion) / confusion.sum()),
        monthly_revenue_impact=monthly * revenue["estimate"],
        monthly_cost_savings=savings,
        total_monthly_value=monthly * revenue["estimate"] + savings,
        total_low=monthly * revenue["low"] + savings,
        total_high=monthly * revenue["high"] + savings,
        baseline_total=monthly * always + savings,
        assumptions=_assumptions(config, currency),
    )


def _assumptions(config: BusinessConfig, currency: str) -> list[Assumption]:
    rows: list[tuple[str, JsonValue, str]] = [
        ("predictions_per_day", config.predictions_per_day, "baskets"),
        ("days_per_month", config.days_per_month, "days"),
        ("cost_saving_per_prediction", config.cost_saving_per_prediction, currency),
    ]
    if config.cost_matrix is None:
        revenue = config.revenue_per_accurate_prediction
        rows.append(("revenue_per_accurate_prediction", revenue, currency))
    else:
        unit = f"{currency} per basket, true (rows) by predicted (columns)".strip()
        rows.append(("cost_matrix", [list(row) for row in config.cost_matrix], unit))
    return [Assumption(name=name, value=value, unit=unit) for name, value, unit in rows]

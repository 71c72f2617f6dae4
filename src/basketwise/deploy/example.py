"""A basket of the model's own products, with its answer: what a new deployment is tried with."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from basketwise.model.example import example_lines
from basketwise.model.scoring import Model
from basketwise.schema import BASKET_ID, KEY, PREDICTED, PROBABILITIES


@dataclass(frozen=True)
class Example:
    """A request for ``/predict``, and what the model answers.

    Attributes
    ----------
    request
        ``{"baskets": [{"basket_id": …, "lines": [{…}]}]}``.
    answer
        ``basket_id``, ``predicted_sensitivity``, ``p_low``, ``p_medium``, ``p_high`` of each basket
        that is scored.
    """

    request: dict[str, Any]
    answer: list[dict[str, Any]]


def example_of(model: Model) -> Example:
    """Let a model score baskets of products that it knows, and return both.

    Baskets that it would not score, as some are that drop outliers, are left out.
    """
    lines = example_lines(model)
    with warnings.catch_warnings():
        # Of a model without its customers' history: the answer is the deployment's all the same.
        warnings.simplefilter("ignore", UserWarning)
        table = model.predict(lines)
    answer = table.select(KEY, PREDICTED, *PROBABILITIES).to_dicts()
    baskets: dict[str, list[dict[str, Any]]] = {}
    for values in zip(*lines.values(), strict=True):
        row = dict(zip(lines, values, strict=True))
        baskets.setdefault(str(row.pop(BASKET_ID)), []).append(row)
    scored = {str(row[KEY]) for row in answer}
    request = [
        {"basket_id": basket, "lines": rows} for basket, rows in baskets.items() if basket in scored
    ]
    return Example({"baskets": request}, [row | {KEY: str(row[KEY])} for row in answer])

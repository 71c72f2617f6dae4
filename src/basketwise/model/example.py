"""Example lines that every model scores: two baskets, which a model must answer to be usable."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from basketwise.schema import BASKET_ID, PROBABILITIES, PROD_CODE, SHOP_DATE

if TYPE_CHECKING:
    from basketwise.model.scoring import Model

LINES: dict[str, list[Any]] = {
    BASKET_ID: ["994100100000001", "994100100000001", "994100100000002"],
    PROD_CODE: ["PRD0900001", "PRD0900002", "PRD0900001"],
    "SPEND": [1.25, 3.1, 2.5],
    "QUANTITY": [1.0, 2.0, 2.0],
    "SHOP_WEEK": [200607, 200607, 200607],
    "SHOP_WEEKDAY": [2, 2, 6],
    "SHOP_HOUR": [10, 10, 17],
    "STORE_FORMAT": ["LS", "LS", "MS"],
    "STORE_REGION": ["E01", "E01", "W02"],
}
"""Three lines of two baskets, by the names of Basketwise's own columns."""


DATES = [20060626, 20060626, 20060630]
"""SHOP_DATE of the lines."""


def example_lines(model: Model) -> dict[str, list[Any]]:
    """Return the example lines by column, with products that a model knows if it has an index."""
    codes = [*model.products[:2], *LINES[PROD_CODE]][: len(LINES[PROD_CODE])]
    return LINES | {PROD_CODE: codes, SHOP_DATE: DATES}


def score_example(model: Model) -> None:
    """Let a model predict the example lines, of products that it knows if it has an index.

    Raises
    ------
    ValueError
        If the probabilities do not add up to 1.
    Exception
        Whatever a model raises that was damaged, or made by another program.
    """
    with warnings.catch_warnings():
        # The example need not be in the training data.
        warnings.simplefilter("ignore", UserWarning)
        table = model.predict(example_lines(model))
    scores = table.select(PROBABILITIES).to_numpy()
    # A model that drops outliers may drop the example's lines.
    if scores.size and not (abs(scores.sum(axis=1) - 1) < 1e-6).all():
        raise ValueError("its probabilities of an example do not add up to 1")

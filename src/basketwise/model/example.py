"""Example lines that every model scores: two baskets, which a model must answer to be usable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basketwise.errors import InputError
from basketwise.schema import BASKET_ID, PROBABILITIES, PROD_CODE

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


def score_example(model: Model) -> None:
    """Let a model score the example lines, of products that it knows if it has an index.

    Raises
    ------
    InputError
        If it fails, whatever the error, or gives no probabilities.
    """
    from polars.exceptions import PanicException

    from basketwise.etl.cleaning import accepted_lines
    from basketwise.etl.rules import Rules

    try:
        known = model.products[:2]
        codes = [*known, *LINES[PROD_CODE]][: len(LINES[PROD_CODE])]
        lines = accepted_lines(LINES | {PROD_CODE: codes}, Rules(labelled=False))
        scores = model.score(lines).select(PROBABILITIES).to_numpy()
    except (Exception, PanicException) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"The model cannot score an example: {reason[:200].rstrip('.')}.",
            "It was damaged or made by another program; train again.",
        ) from error
    # A model that drops outliers may drop the example's lines.
    if scores.size and not (abs(scores.sum(axis=1) - 1) < 1e-6).all():
        raise InputError(
            "The model cannot score an example: its probabilities do not add up to 1.",
            "It was damaged or made by another program; train again.",
        )

"""A request for people who try a model: baskets of products that it knows, of each class."""

from __future__ import annotations

from typing import Any

import polars as pl

from basketwise.features.product_index.table import BASKETS, CLASS, PROBABILITY, UNIT_PRICE
from basketwise.model.example import LINES
from basketwise.model.scoring import Model
from basketwise.schema import BASKET_ID, KEY, PROD_CODE, QUANTITY, SPEND

_CARTS = {
    "price-sensitive": {"High": 3, "Medium": 1},
    "not price-sensitive": {"Low": 3, "Medium": 1},
    "mixed": {"High": 1, "Medium": 1, "Low": 1},
}
"""Baskets by their id: how many products of each class."""


def example_request(model: Model) -> dict[str, Any]:
    """Return a request of three small baskets, in Basketwise's own form.

    The products are those of each class that the model is most certain of; for a model without a
    product index, made-up ones.
    """
    products = _products(model)
    baskets = []
    for basket, cart in _CARTS.items():
        own = [line for label, number in cart.items() for line in products.get(label, [])[:number]]
        baskets.append({KEY: basket, "lines": own or _made_up()})
    return {"baskets": baskets}


def _products(model: Model) -> dict[str, list[dict[str, Any]]]:
    index = model.index
    if index is None:
        return {}
    certain = index.filter(pl.col(BASKETS) > 0).sort(
        PROBABILITY, BASKETS, PROD_CODE, descending=[True, True, False]
    )
    lines: dict[str, list[dict[str, Any]]] = {}
    for label in {label for cart in _CARTS.values() for label in cart}:
        chosen = certain.filter(pl.col(CLASS) == label).head(3)
        lines[label] = [
            {PROD_CODE: code, SPEND: round(float(price or 1.0), 2), QUANTITY: 1}
            for code, price in chosen.select(PROD_CODE, UNIT_PRICE).iter_rows()
        ]
    return lines


def _made_up() -> list[dict[str, Any]]:
    names = [name for name in LINES if name != BASKET_ID]
    rows = zip(*(LINES[name] for name in names), strict=True)
    return [dict(zip(names, values, strict=True)) for values in rows]

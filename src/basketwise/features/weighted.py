"""Group ``weighted``: what a basket's products say, by what was spent and by how many were bought.

Twins of the columns of group ``posterior`` for labels that are not votes of lines. A line whose
amount is negative (a return) has no weight.
"""

from __future__ import annotations

import polars as pl

from basketwise.features.group import Encoders, FeatureGroup
from basketwise.features.posterior import expected, share_columns, shares
from basketwise.schema import PROD_CODE, QUANTITY, SPEND

WEIGHTS = {"spend": SPEND, "quantity": QUANTITY}

COLUMNS: tuple[str, ...] = tuple(c for prefix in WEIGHTS for c in share_columns(prefix))
READS = (PROD_CODE, SPEND, QUANTITY)


def aggregates() -> list[pl.Expr]:
    """Add up the probabilities of the classes over a basket's lines, weighted by their amounts."""
    return [
        expression.sum()
        for prefix, column in WEIGHTS.items()
        for expression in expected(prefix, pl.col(column).cast(pl.Float64).clip(0).fill_null(0))
    ]


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Expect shares of the spend and of the quantity, as in group ``posterior``."""
    return [expression for prefix in WEIGHTS for expression in shares(prefix)]


GROUP = FeatureGroup("weighted", COLUMNS, READS, aggregates, derived, needs_index=True)

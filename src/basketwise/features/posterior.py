"""Group ``posterior``: what a basket's products are expected to be, and how sure that is.

Where the class of a product is certain this says what group ``product`` says. Where it is not (rare
products, new ones, noisy labels), counting the likeliest classes would hide it.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from basketwise.features.group import Encoders, FeatureGroup
from basketwise.features.product_index.table import POSTERIORS
from basketwise.schema import CLASSES, INDEX_LABELS, PROD_CODE, UNCLASSIFIED

POSTERIOR: Mapping[str, pl.Expr] = {
    label: pl.col(name).cast(pl.Float64)
    for label, name in zip(INDEX_LABELS, POSTERIORS, strict=True)
}
TELLING = 1 - POSTERIOR[UNCLASSIFIED]
DIRECTION = POSTERIOR["High"] - POSTERIOR["Low"]
SPREAD = POSTERIOR["High"] + POSTERIOR["Low"]
SMALL = 1e-9


def expected(prefix: str, weight: pl.Expr) -> list[pl.Expr]:
    """Say of each line, with its weight, what added up is all that :func:`shares` needs."""
    square = weight**2
    return [
        *((weight * POSTERIOR[label]).alias(f"_{prefix}_{label}") for label in INDEX_LABELS),
        (square * (SPREAD - DIRECTION**2)).alias(f"_{prefix}_a"),
        (square * DIRECTION * POSTERIOR[UNCLASSIFIED]).alias(f"_{prefix}_b"),
        (square * TELLING * POSTERIOR[UNCLASSIFIED]).alias(f"_{prefix}_c"),
    ]


def shares(prefix: str) -> list[pl.Expr]:
    """Turn sums into expected shares, their balance and its doubt.

    - ``<prefix>_<label>``: expected share of Low, Medium and High among what says something;
    - ``<prefix>_balance``: share of High minus share of Low, from -1 to 1;
    - ``<prefix>_doubt``: standard deviation of the balance by the classes' probabilities, to first
      order, as if they were independent.

    All are 0 for a basket in which nothing can say something.
    """
    total = {label: pl.col(f"_{prefix}_{label}") for label in INDEX_LABELS}
    telling = pl.sum_horizontal(total[label] for label in CLASSES)
    some = telling > SMALL

    def of_telling(value: pl.Expr) -> pl.Expr:
        return pl.when(some).then(value / telling).otherwise(0.0)

    balance = of_telling(total["High"] - total["Low"])
    a, b, c = (pl.col(f"_{prefix}_{term}") for term in "abc")
    variance = (a - 2 * balance * b + balance**2 * c).clip(0)
    return [
        *(of_telling(total[label]).alias(f"{prefix}_{label.lower()}") for label in CLASSES),
        balance.alias(f"{prefix}_balance"),
        of_telling(variance.sqrt()).alias(f"{prefix}_doubt"),
    ]


def share_columns(prefix: str) -> tuple[str, ...]:
    """Name the columns of :func:`shares`."""
    return tuple(f"{prefix}_{name}" for name in (*map(str.lower, CLASSES), "balance", "doubt"))


COLUMNS: tuple[str, ...] = (*share_columns("posterior"), "posterior_telling")


def sums() -> list[pl.Expr]:
    """Add up the probabilities of the classes over a basket's lines."""
    return expected("posterior", pl.lit(1.0))


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Expect shares of lines.

    - ``posterior_telling``: expected share of lines whose product says something.
    """
    total = {label: pl.col(f"_posterior_{label}") for label in INDEX_LABELS}
    every = pl.sum_horizontal(total.values())
    return [
        *shares("posterior"),
        (1 - total[UNCLASSIFIED] / every).alias("posterior_telling"),
    ]


GROUP = FeatureGroup("posterior", COLUMNS, (PROD_CODE,), list, derived, needs_index=True, sums=sums)

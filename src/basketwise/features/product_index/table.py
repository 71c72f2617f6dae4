"""The product index as a table."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Counts, Floats
from basketwise.features.product_index.hierarchy import Groups
from basketwise.schema import HIERARCHY, INDEX_LABELS, PROD_CODE, PROD_NAME

CLASS = "class"
PROBABILITY = "probability"
BASKETS = "baskets"
UNIT_PRICE = "unit_price"
GROUP_PRICE = "group_price"
NEW = "new"
"""Whether the training data does not have the product; no column of the index itself."""
SCORES = tuple(f"score_{label.lower()}" for label in INDEX_LABELS)
PRICES = (UNIT_PRICE, GROUP_PRICE)
POSTERIORS = tuple(f"posterior_{label.lower()}" for label in INDEX_LABELS)
PRIORS = tuple(f"prior_{label.lower()}" for label in INDEX_LABELS)

COLUMNS = (
    PROD_CODE,
    PROD_NAME,
    *HIERARCHY,
    *SCORES,
    CLASS,
    PROBABILITY,
    BASKETS,
    UNIT_PRICE,
    GROUP_PRICE,
    *POSTERIORS,
    *PRIORS,
)
"""One row per product: its code, name and hierarchy (null where unknown); its score for each label
(Float32, ridge coefficients, roughly: how much likelier the label is in a basket of this product
alone); its class (one of ``INDEX_LABELS``) and that class's posterior probability; how many
training baskets they rest on (UInt32, 0: taken from the hierarchy); its usual price per unit in the
currency of SPEND (Float32, median, null where unknown) and that of its finest known group; the
posterior probability of each class;
and what the probabilities of a product like this one would be if no basket contained it."""
ANSWERS = (*SCORES, CLASS, *POSTERIORS, *PRICES, NEW)
"""What features are computed from, of each line's product."""
ADDED = frozenset({*PRICES, *POSTERIORS, *PRIORS})
"""Columns that models lack which were trained before there were such."""


def build_table(
    products: pl.DataFrame,
    scores: NDArray[np.float32],
    posterior: Floats,
    prior: Floats,
    baskets: Counts,
) -> pl.DataFrame:
    """Put arrays over products (rows in the order of ``products``) into the index's columns.

    ``products`` has PROD_CODE, hierarchy and both prices; ``posterior`` and ``prior`` are
    probabilities, shape (products, labels).
    """
    classes = posterior.argmax(axis=1)
    probability = posterior[np.arange(classes.size), classes].astype(np.float32)
    return (
        completed(products)
        .select(PROD_CODE, PROD_NAME, *HIERARCHY, UNIT_PRICE, GROUP_PRICE)
        .with_columns(
            *_columns(SCORES, scores),
            pl.Series(CLASS, np.asarray(INDEX_LABELS)[classes], dtype=pl.String),
            pl.Series(PROBABILITY, probability),
            pl.Series(BASKETS, baskets.astype(np.uint32)),
            *_columns(POSTERIORS, posterior),
            *_columns(PRIORS, prior),
        )
        .select(COLUMNS)
    )


def completed(index: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that an index, or a table of products, does not have yet.

    Names and prices are unknown. Probabilities are those of a class that is certain.
    """
    kinds = {PROD_NAME: pl.String, UNIT_PRICE: pl.Float32, GROUP_PRICE: pl.Float32}
    index = index.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in index.columns
    )
    if CLASS not in index.columns:
        return index
    certain = {
        name: (pl.col(CLASS) == label).cast(pl.Float32).alias(name)
        for names in (POSTERIORS, PRIORS)
        for name, label in zip(names, INDEX_LABELS, strict=True)
    }
    return index.with_columns(
        expression for name, expression in certain.items() if name not in index.columns
    ).select(COLUMNS)


def finest_groups(products: pl.DataFrame) -> Counts:
    """Give numbers to the finest known groups of products, from 0; one for those without any."""
    known = pl.coalesce(
        pl.format("{} {}", pl.lit(number), pl.col(level)) for number, level in enumerate(HIERARCHY)
    )
    ranked = products.select(known.rank("dense").cast(pl.Int64).fill_null(0)).to_series()
    return ranked.to_numpy()


def levels_of(products: pl.DataFrame) -> tuple[Groups, ...]:
    """Give numbers to the groups of each level, finest first; -1 where a level is unknown."""
    return tuple(
        products[level].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
        for level in HIERARCHY
    )


def _columns(names: tuple[str, ...], values: NDArray[np.floating]) -> list[pl.Series]:
    return [
        pl.Series(name, column)
        for name, column in zip(names, values.T.astype(np.float32), strict=True)
    ]

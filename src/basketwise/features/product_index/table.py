"""The product index as a table."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Floats
from basketwise.features.product_index.hierarchy import Groups
from basketwise.schema import HIERARCHY, INDEX_LABELS, PROD_CODE, PROD_NAME

CLASS = "class"
PROBABILITY = "probability"
BASKETS = "baskets"
SCORES = tuple(f"score_{label.lower()}" for label in INDEX_LABELS)

COLUMNS = (PROD_CODE, PROD_NAME, *HIERARCHY, *SCORES, CLASS, PROBABILITY, BASKETS)
"""One row per product: its code, name and hierarchy (null where unknown); its score for each label
(Float32, ridge coefficients, roughly: how much likelier the label is in a basket of this product
alone); its class (one of ``INDEX_LABELS``) and that class's posterior probability; how many
training baskets they rest on (UInt32, 0: taken from the hierarchy)."""


def build_table(
    products: pl.DataFrame,
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    probabilities: Floats,
    baskets: NDArray[np.int64],
) -> pl.DataFrame:
    """Put arrays over products (rows in the order of ``products``) into the index's columns."""
    probability = probabilities[np.arange(classes.size), classes].astype(np.float32)
    return (
        with_names(products)
        .select(PROD_CODE, PROD_NAME, *HIERARCHY)
        .with_columns(
            *(pl.Series(name, column) for name, column in zip(SCORES, scores.T, strict=True)),
            pl.Series(CLASS, np.asarray(INDEX_LABELS)[classes], dtype=pl.String),
            pl.Series(PROBABILITY, probability),
            pl.Series(BASKETS, baskets.astype(np.uint32)),
        )
    )


def with_names(products: pl.DataFrame) -> pl.DataFrame:
    """Add PROD_NAME after PROD_CODE, with nulls, to a table that does not have it."""
    if PROD_NAME in products.columns:
        return products
    after = products.get_column_index(PROD_CODE) + 1
    return products.clone().insert_column(after, pl.lit(None, pl.String).alias(PROD_NAME))


def levels_of(products: pl.DataFrame) -> tuple[Groups, ...]:
    """Give numbers to the groups of each level, finest first; -1 where a level is unknown."""
    return tuple(
        products[level].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
        for level in HIERARCHY
    )

"""The product index as a table, and what it answers for products it has never seen."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Floats
from basketwise.features.product_index.hierarchy import Groups, fallback, smooth
from basketwise.schema import HIERARCHY, INDEX_LABELS, PROD_CODE

CLASS = "class"
PROBABILITY = "probability"
BASKETS = "baskets"
SCORES = tuple(f"score_{label.lower()}" for label in INDEX_LABELS)

COLUMNS = (PROD_CODE, *HIERARCHY, *SCORES, CLASS, PROBABILITY, BASKETS)
"""One row per product: its code and hierarchy; its score for each label (Float32, ridge
coefficients, roughly: how much likelier the label is in a basket of this product alone); its class
(one of ``INDEX_LABELS``) and that class's posterior probability; how many training baskets they
rest on (UInt32, 0: taken from the hierarchy)."""


def build_table(
    products: pl.DataFrame,
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    probabilities: Floats,
    baskets: NDArray[np.int64],
) -> pl.DataFrame:
    """Put arrays over products (rows in the order of ``products``) into the index's columns."""
    probability = probabilities[np.arange(classes.size), classes].astype(np.float32)
    return products.select(PROD_CODE, *HIERARCHY).with_columns(
        *(pl.Series(name, column) for name, column in zip(SCORES, scores.T, strict=True)),
        pl.Series(CLASS, np.asarray(INDEX_LABELS)[classes], dtype=pl.String),
        pl.Series(PROBABILITY, probability),
        pl.Series(BASKETS, baskets.astype(np.uint32)),
    )


def levels_of(products: pl.DataFrame) -> tuple[Groups, ...]:
    """Give numbers to the groups of each level, finest first; -1 where a level is unknown."""
    return tuple(
        products[level].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
        for level in HIERARCHY
    )


def complete(index: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Add rows for products that the index has not seen.

    Parameters
    ----------
    index : DataFrame
        Columns :data:`COLUMNS`.
    products : DataFrame
        PROD_CODE and its hierarchy (null where unknown), one row per product; any products.

    Returns
    -------
    DataFrame
        The index, then one row per unseen product with the scores and the class that its finest
        known group has, at last those of all products; ``baskets`` is 0.
    """
    unseen = products.join(index, on=PROD_CODE, how="anti", maintain_order="left")
    if unseen.is_empty():
        return index
    both = pl.concat([index.select(PROD_CODE, *HIERARCHY), unseen.select(PROD_CODE, *HIERARCHY)])
    evidence = np.concatenate([index[BASKETS].to_numpy() > 0, np.zeros(unseen.height, np.bool_)])
    classes = np.zeros(both.height, dtype=np.int64)
    classes[: index.height] = (
        index[CLASS].replace_strict(INDEX_LABELS, range(len(INDEX_LABELS))).to_numpy()
    )
    scores = np.zeros((both.height, len(SCORES)))
    scores[: index.height] = index.select(SCORES).to_numpy()
    levels, new = levels_of(both), slice(index.height, None)
    weight = evidence.astype(np.float64)
    votes = np.eye(len(INDEX_LABELS))[classes]
    probabilities = fallback(smooth(votes, weight, levels), levels)[new]
    new_scores = fallback(smooth(scores, weight, levels), levels)[new].astype(np.float32)
    added = build_table(
        unseen,
        new_scores,
        probabilities.argmax(axis=1),
        probabilities,
        np.zeros(unseen.height, dtype=np.int64),
    )
    return pl.concat([index, added])


def look_up(index: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Complete a product index for every product of some lines (columns of the schema)."""
    products = lines.group_by(PROD_CODE).agg(pl.col(*HIERARCHY).drop_nulls().first())
    return complete(index, products.sort(PROD_CODE))

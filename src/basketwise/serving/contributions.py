"""What each product of a basket adds to the product features.

The features of the group ``product`` are means and counts over lines, so each product's part of
them is known exactly, and the parts add up. How a model then weighs these features, against each
other and against those of other groups, is not taken apart here.
"""

from __future__ import annotations

import polars as pl

from basketwise.etl.metadata import Outliers
from basketwise.etl.tables import KEY
from basketwise.features.basket import treat_outliers
from basketwise.features.product_index.table import BASKETS, CLASS, SCORES
from basketwise.schema import (
    BASKET_ID,
    CLASSES,
    INDEX_LABELS,
    PROD_CODE,
    UNCLASSIFIED,
)

PRODUCT = "prod_code"
LINES = "lines"
NEW = "new"

_SCORES = SCORES[: len(CLASSES)]


def basket_products(lines: pl.DataFrame, outliers: Outliers, index: pl.DataFrame) -> pl.DataFrame:
    """Count each basket's products, and say what the index makes of them.

    Parameters
    ----------
    lines : DataFrame
        One row per line, columns of the schema.
    outliers : Outliers
        The model's treatment: dropped lines do not count, as in its features.
    index : DataFrame
        The product index, from :func:`basketwise.features.product_index.table.look_up`.

    Returns
    -------
    DataFrame
        One row per basket and product, sorted by basket, strongest first (most lines, then the
        highest score for its class, then by code): ``basket_id``; ``prod_code``; ``lines``
        (Int64, at least 1); ``class`` (one of ``INDEX_LABELS``); ``new`` (Boolean: not in the
        training data, so judged by its hierarchy); ``score_low``, ``score_medium``,
        ``score_high`` (Float32). No nulls.
    """
    treated = treat_outliers(lines.lazy(), outliers.treatment, outliers.threshold)
    strength = pl.coalesce(
        pl.when(pl.col(CLASS) == label).then(pl.col(score))
        for label, score in zip(INDEX_LABELS, SCORES, strict=True)
    )
    judged = (
        index.lazy()
        .sort(strength, PROD_CODE, descending=[True, False])
        .select(PROD_CODE, CLASS, (pl.col(BASKETS) == 0).alias(NEW), *_SCORES)
        .with_row_index("_place")
    )
    return (
        treated.group_by(BASKET_ID, PROD_CODE)
        .agg(pl.len().cast(pl.Int64).alias(LINES))
        .join(judged, on=PROD_CODE)
        .sort(BASKET_ID, LINES, "_place", descending=[False, True, False])
        .drop("_place")
        .rename({BASKET_ID: KEY, PROD_CODE: PRODUCT})
        .collect(engine="in-memory")
    )


def contributions(products: pl.DataFrame) -> pl.DataFrame:
    """Split the features of the group ``product`` among a basket's products, exactly.

    Let a product stand on k of a basket's n lines, t of which tell something (their product is
    Low, Medium or High). It adds k · score / n to ``product_score_<label>``; where it is of that
    label, k to ``product_count_<label>`` and k / t (Unclassified: k / n) to
    ``product_share_<label>``; to ``product_balance`` it adds k / t if it is High, -k / t if Low.

    Parameters
    ----------
    products : DataFrame
        From :func:`basket_products`, whole baskets.

    Returns
    -------
    DataFrame
        The same rows; the columns up to ``new``, and one per product feature, by its name. Over
        the rows of a basket each sums to the feature's value, but for rounding in the last bits.
    """
    lines = pl.col(LINES).cast(pl.Float64)
    here = {label: pl.col(CLASS) == label for label in INDEX_LABELS}
    of_all = lines / lines.sum().over(KEY)
    # Not a number where nothing tells, but there is then no row to take it.
    of_telling = lines / (lines * ~here[UNCLASSIFIED]).sum().over(KEY)
    share = {
        label: pl.when(is_it).then(of_all if label == UNCLASSIFIED else of_telling).otherwise(0.0)
        for label, is_it in here.items()
    }
    low, _, high = CLASSES
    return products.select(
        *(KEY, PRODUCT, LINES, CLASS, NEW),
        *((of_all * pl.col(score).cast(pl.Float64)).alias(f"product_{score}") for score in _SCORES),
        *(
            (pl.col(LINES) * is_it).alias(f"product_count_{label.lower()}")
            for label, is_it in here.items()
        ),
        *(part.alias(f"product_share_{label.lower()}") for label, part in share.items()),
        (share[high] - share[low]).alias("product_balance"),
    )

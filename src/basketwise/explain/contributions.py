"""What each product of a basket adds to the product features.

The features of the group ``product`` are means and counts over lines, so each product's part of
them is known exactly, and the parts add up. How a model then weighs these features, against each
other and against those of other groups, is not taken apart here.
"""

from __future__ import annotations

import polars as pl

from basketwise.features.product import SHARE_NEW
from basketwise.features.product_index.table import CLASS, NEW, SCORES
from basketwise.features.recipe import Recipe, ScoreLines, treat_outliers
from basketwise.schema import (
    BASKET_ID,
    CLASSES,
    INDEX_LABELS,
    KEY,
    PROD_CODE,
    PROD_NAME,
    UNCLASSIFIED,
)

PRODUCT = "prod_code"
NAME = "prod_name"
LINES = "lines"

_SCORES = SCORES[: len(CLASSES)]


def basket_products(
    lines: pl.DataFrame, recipe: Recipe, index: ScoreLines, names: pl.DataFrame
) -> pl.DataFrame:
    """Count each basket's products, and say what the index makes of them.

    Parameters
    ----------
    lines : DataFrame
        One row per typed line.
    recipe : Recipe
        The model's: lines it drops do not count, as in its features.
    index : callable
        The model's product index.
    names : DataFrame
        One row per product with a name: PROD_CODE, PROD_NAME.

    Returns
    -------
    DataFrame
        One row per basket and product, sorted by basket, strongest first (most lines, then the
        highest score for its class, then by code): ``basket_id``; ``prod_code``; ``prod_name``
        (null where unknown); ``lines`` (Int64, at least 1); ``class`` (one of ``INDEX_LABELS``);
        ``new`` (Boolean: not in the training data, so judged by its hierarchy); ``score_low``,
        ``score_medium``, ``score_high`` (Float32). No other nulls.
    """
    strength = pl.coalesce(
        pl.when(pl.col(CLASS) == label).then(pl.col(score))
        for label, score in zip(INDEX_LABELS, SCORES, strict=True)
    )
    return (
        treat_outliers(index(lines).lazy(), recipe.outliers, recipe.limit)
        .group_by(BASKET_ID, PROD_CODE, CLASS, NEW, *SCORES)
        .agg(pl.len().cast(pl.Int64).alias(LINES))
        .sort(BASKET_ID, LINES, strength, PROD_CODE, descending=[False, True, True, False])
        .join(
            names.lazy().select(PROD_CODE, PROD_NAME),
            on=PROD_CODE,
            how="left",
            maintain_order="left",
        )
        .select(
            pl.col(BASKET_ID).alias(KEY),
            pl.col(PROD_CODE).alias(PRODUCT),
            pl.col(PROD_NAME).alias(NAME),
            *(LINES, CLASS, NEW, *_SCORES),
        )
        .collect(engine="in-memory")
    )


def contributions(products: pl.DataFrame) -> pl.DataFrame:
    """Split the features of the group ``product`` among a basket's products, exactly.

    Let a product stand on k of a basket's n lines, t of which are informative (their product is
    Low, Medium or High). It adds k · score / n to ``product_score_<label>``; where it is of that
    label, k to ``product_count_<label>`` and k / t (Unclassified: k / n) to
    ``product_share_<label>``; to ``product_balance`` it adds k / t if it is High, -k / t if Low; to
    ``product_share_new``, k / n if it is new.

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
    in_class = {label: pl.col(CLASS) == label for label in INDEX_LABELS}
    of_all = lines / lines.sum().over(KEY)
    # Not a number where no product is informative, but there is then no row to take it.
    of_informative = lines / (lines * ~in_class[UNCLASSIFIED]).sum().over(KEY)
    share = {
        label: pl.when(matches)
        .then(of_all if label == UNCLASSIFIED else of_informative)
        .otherwise(0.0)
        for label, matches in in_class.items()
    }
    low, _, high = CLASSES
    return products.select(
        *(KEY, PRODUCT, NAME, LINES, CLASS, NEW),
        *((of_all * pl.col(score).cast(pl.Float64)).alias(f"product_{score}") for score in _SCORES),
        *(
            (pl.col(LINES) * matches).alias(f"product_count_{label.lower()}")
            for label, matches in in_class.items()
        ),
        *(part.alias(f"product_share_{label.lower()}") for label, part in share.items()),
        (share[high] - share[low]).alias("product_balance"),
        (of_all * pl.col(NEW)).alias(SHARE_NEW),
    )


def with_products(scored: pl.DataFrame, products: pl.DataFrame | None) -> pl.DataFrame:
    """Add to each basket its products and what they add, a list of structs, as ``products``.

    Parameters
    ----------
    scored : DataFrame
        One row per basket, with ``basket_id``.
    products : DataFrame or None
        From :func:`basket_products`; None for a model without a product index: the lists are empty.
    """
    if products is None:
        return scored.with_columns(products=pl.lit([], pl.List(pl.Struct([]))))
    parts = contributions(products)
    nested = parts.group_by(KEY, maintain_order=True).agg(products=pl.struct(pl.exclude(KEY)))
    return scored.join(nested, on=KEY, how="left", maintain_order="left")

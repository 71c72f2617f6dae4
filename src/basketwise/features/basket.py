"""Group ``basket``: the fourteen columns that the gold files always have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals as nw
from narwhals.typing import IntoFrameT

from basketwise.features.frames import as_narwhals, as_native
from basketwise.schema import BASKET_ID, PROD_CODE, QUANTITY, SHOP_WEEK, SPEND

BASKET_FEATURES: tuple[str, ...] = (
    "total_spend",
    "avg_spend",
    "spend_std",
    "basket_size",
    "total_quantity",
    "avg_quantity",
    "unique_products",
    "shop_week",
    "shop_weekday",
    "shop_hour",
    "spend_per_item",
    "quantity_per_product",
    "store_format_encoded",
    "store_region_encoded",
)

ENCODED = {"store_format": "STORE_FORMAT", "store_region": "STORE_REGION"}
UNSEEN = -1
UNKNOWN_TIME = 0
"""Week, weekday or hour of a basket whose lines do not tell."""


def basket_features(lines: IntoFrameT, encoders: Mapping[str, Sequence[str]]) -> IntoFrameT:
    """Compute the group ``basket``.

    Parameters
    ----------
    lines : any frame that Narwhals knows, eager or lazy
        One row per line, outliers treated.
    encoders : mapping
        ``store_format`` and ``store_region``: the categories of the training data in order; a
        category's number is its place, one that is not there gets -1.

    Returns
    -------
    the same kind of frame
        One row per basket: BASKET_ID and the fourteen columns. Money in GBP. ``spend_std`` is the
        sample standard deviation, 0 for one line. No nulls: an unknown time is 0.
    """
    features = (
        as_narwhals(lines)
        .group_by(BASKET_ID)
        .agg(
            nw.col(SPEND).sum().alias("total_spend"),
            nw.col(SPEND).std(ddof=1).alias("spend_std"),
            nw.len().alias("basket_size"),
            nw.col(QUANTITY).sum().alias("total_quantity"),
            nw.col(PROD_CODE).n_unique().alias("unique_products"),
            nw.col(SHOP_WEEK).max().alias("shop_week"),
            nw.col("SHOP_WEEKDAY").max().alias("shop_weekday"),
            nw.col("SHOP_HOUR").max().alias("shop_hour"),
            nw.col("STORE_FORMAT").max(),
            nw.col("STORE_REGION").max(),
        )
        .with_columns(
            nw.col("basket_size").cast(nw.Int64),
            nw.col("unique_products").cast(nw.Int64),
            nw.col("total_quantity").cast(nw.Int64),
            nw.col("spend_std").fill_null(0.0),
            nw.col("shop_week", "shop_weekday", "shop_hour").fill_null(UNKNOWN_TIME),
            *(_encode(name, encoders[name]) for name in ENCODED),
        )
        .with_columns(
            # Spend per line twice: both names are part of the gold files.
            (nw.col("total_spend") / nw.col("basket_size")).alias("avg_spend"),
            (nw.col("total_spend") / nw.col("basket_size")).alias("spend_per_item"),
            (nw.col("total_quantity") / nw.col("basket_size")).alias("avg_quantity"),
            (nw.col("total_quantity") / nw.col("unique_products")).alias("quantity_per_product"),
        )
        .select(BASKET_ID, *BASKET_FEATURES)
    )
    return as_native(features, lines)


def _encode(name: str, categories: Sequence[str]) -> nw.Expr:
    code = nw.lit(UNSEEN)
    for number, category in enumerate(categories):
        code = nw.when(nw.col(ENCODED[name]) == category).then(nw.lit(number)).otherwise(code)
    return code.cast(nw.Int32).alias(f"{name}_encoded")


def treat_outliers(lines: IntoFrameT, how: str, limit: float) -> IntoFrameT:
    """Drop, clip or keep the lines with SPEND above the limit (GBP)."""
    frame = as_narwhals(lines)
    if how == "drop":
        return as_native(frame.filter(nw.col(SPEND) <= limit), lines)
    if how == "clip":
        return as_native(frame.with_columns(nw.col(SPEND).clip(upper_bound=limit)), lines)
    return lines

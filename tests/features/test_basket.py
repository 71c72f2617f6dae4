import math

import polars as pl
import pytest

from tests.features.computing import BASKET_FEATURES, basket_features

ENCODERS = {"store_format": ["LS", "MS", "XLS"], "store_region": ["E01", "E02"]}

LINES = pl.DataFrame(
    {
        "BASKET_ID": [7, 7, 7, 3],
        "PROD_CODE": ["A", "B", "A", "C"],
        "SPEND": [1.5, 4.5, 3.0, 10.0],
        "QUANTITY": [1, 2, 3, 4],
        "SHOP_WEEK": [200607, 200607, 200607, 200652],
        "SHOP_WEEKDAY": [3, 3, 3, 1],
        "SHOP_HOUR": [14, 14, 14, 20],
        "STORE_FORMAT": ["XLS", "XLS", "XLS", "SS"],
        "STORE_REGION": ["E01", "E01", "E01", None],
    },
    schema_overrides={"QUANTITY": pl.Int32, "SHOP_WEEK": pl.Int32},
)


def rows(lines: pl.DataFrame) -> dict[int, dict[str, object]]:
    table = basket_features(lines, ENCODERS)
    assert table.columns == ["basket_id", *BASKET_FEATURES]
    return {row.pop("basket_id"): row for row in table.to_dicts()}


def test_every_column_by_hand() -> None:
    # SPEND 1.5, 4.5, 3: mean 3, deviations -1.5, 1.5, 0, so the sample variance is 4.5 / 2.
    assert rows(LINES)[7] == {
        "total_spend": 9.0,
        "avg_spend": 3.0,
        "spend_std": pytest.approx(math.sqrt(2.25)),
        "basket_size": 3,
        "total_quantity": 6,
        "avg_quantity": 2.0,
        "unique_products": 2,
        "shop_week": 200607,
        "shop_weekday": 3,
        "shop_hour": 14,
        "spend_per_item": 3.0,
        "quantity_per_product": 3.0,
        "store_format_encoded": 2,
        "store_region_encoded": 0,
    }


def test_one_line_and_categories_that_are_unseen_or_unknown() -> None:
    assert rows(LINES)[3] == {
        "total_spend": 10.0,
        "avg_spend": 10.0,
        "spend_std": 0.0,
        "basket_size": 1,
        "total_quantity": 4,
        "avg_quantity": 4.0,
        "unique_products": 1,
        "shop_week": 200652,
        "shop_weekday": 1,
        "shop_hour": 20,
        "spend_per_item": 10.0,
        "quantity_per_product": 4.0,
        "store_format_encoded": -1,
        "store_region_encoded": -1,
    }


def test_there_are_fourteen_in_the_order_that_gold_has() -> None:
    assert len(BASKET_FEATURES) == len(set(BASKET_FEATURES)) == 14
    assert BASKET_FEATURES[0] == "total_spend"
    assert BASKET_FEATURES[-2:] == ["store_format_encoded", "store_region_encoded"]


def test_an_unknown_time_is_zero() -> None:
    unknown = LINES.with_columns(
        pl.lit(None, pl.Int32).alias(name) for name in ("SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR")
    )
    for row in rows(unknown).values():
        assert (row["shop_week"], row["shop_weekday"], row["shop_hour"]) == (0, 0, 0)


def test_without_categories_every_code_is_minus_one() -> None:
    table = basket_features(LINES, {"store_format": [], "store_region": []})
    assert table["store_format_encoded"].to_list() == [-1, -1]


def test_a_refund_counts_as_it_is() -> None:
    refund = LINES.with_columns(SPEND=pl.Series([-1.5, 1.5, 0.0, -2.0]))
    assert rows(refund)[7]["total_spend"] == 0.0
    assert rows(refund)[3]["avg_spend"] == -2.0


def test_thousands_of_categories_are_no_deeper_than_one() -> None:
    regions = [f"R{number:05d}" for number in range(5_000)]
    lines = LINES.with_columns(pl.lit("R04999").alias("STORE_REGION"))
    table = basket_features(lines, {"store_format": [], "store_region": regions})
    assert table["store_region_encoded"].to_list() == [4999, 4999]

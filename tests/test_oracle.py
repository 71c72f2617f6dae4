"""The oracle against figures worked out by hand."""

import gzip
import math
from pathlib import Path

import pandas as pd
import pytest

from tests.oracle import (
    FEATURES,
    Outliers,
    accept,
    basket_features,
    fit_encoders,
    outlier_limit,
    read_raw,
    reference,
    treat_outliers,
)

CSV = """\
SHOP_WEEK,SHOP_WEEKDAY,SHOP_HOUR,QUANTITY,SPEND,PROD_CODE,BASKET_ID,Basket_Price_Sensitivity,\
STORE_FORMAT,STORE_REGION,BASKET_TYPE
200607,3,14,1,1.50,PRD1,994100100000002,LA,LS,E02,Top Up
200607,3,14,2,4.50,PRD2,994100100000002,LA,LS,E02,Top Up
200607,3,14,3,3.00,PRD1,994100100000002,LA,LS,E02,Top Up
200652,1,20,4,10.00,PRD3,994100100000001,UM,XLS,,Top Up
"""


@pytest.fixture
def raw(tmp_path: Path) -> pd.DataFrame:
    path = tmp_path / "transactions_200607.csv"
    path.write_text(CSV)
    return read_raw([path])


def line(**changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "BASKET_ID": "1",
        "PROD_CODE": "PRD1",
        "SPEND": 1.0,
        "QUANTITY": 1,
        "BASKET_PRICE_SENSITIVITY": "MM",
    }
    return values | changes


def test_fourteen_features_by_hand(raw: pd.DataFrame) -> None:
    table = reference(raw, outliers="keep")
    assert list(table.columns) == ["basket_id", *FEATURES, "price_sensitivity"]
    assert len(FEATURES) == 14
    first, second = table.to_dict("records")
    assert first == {
        "basket_id": "994100100000001",
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
        "store_format_encoded": 1,
        "store_region_encoded": -1,
        "price_sensitivity": "Low",
    }
    # SPEND 1.5, 4.5, 3: mean 3, deviations -1.5, 1.5, 0, so the sample variance is 4.5 / 2.
    assert second == {
        "basket_id": "994100100000002",
        "total_spend": 9.0,
        "avg_spend": 3.0,
        "spend_std": pytest.approx(1.5),
        "basket_size": 3,
        "total_quantity": 6,
        "avg_quantity": 2.0,
        "unique_products": 2,
        "shop_week": 200607,
        "shop_weekday": 3,
        "shop_hour": 14,
        "spend_per_item": 3.0,
        "quantity_per_product": 3.0,
        "store_format_encoded": 0,
        "store_region_encoded": 0,
        "price_sensitivity": "High",
    }


def test_the_limit_is_between_two_values(raw: pd.DataFrame) -> None:
    # Sorted 1.5, 3, 4.5, 10; the 99th percentile is at place 0.99 * 3 = 2.97.
    assert outlier_limit(accept(raw)) == pytest.approx(4.5 + 0.97 * 5.5)
    assert outlier_limit(accept(raw), 0.5) == pytest.approx(3.75)


@pytest.mark.parametrize(
    ("how", "spends"),
    [
        ("keep", [1.5, 4.5, 3.0, 10.0]),
        ("clip", [1.5, 4.0, 3.0, 4.0]),
        ("drop", [1.5, 3.0]),
    ],
)
def test_outliers(raw: pd.DataFrame, how: Outliers, spends: list[float]) -> None:
    lines = accept(raw)
    assert treat_outliers(lines, how, 4.0)["SPEND"].tolist() == spends
    assert lines["SPEND"].tolist() == [1.5, 4.5, 3.0, 10.0]


def test_dropping_every_line_of_a_basket_drops_the_basket(raw: pd.DataFrame) -> None:
    assert reference(raw, outliers="drop")["basket_id"].tolist() == ["994100100000002"]


@pytest.mark.parametrize(
    "change",
    [
        {"BASKET_ID": None},
        {"BASKET_ID": " "},
        {"PROD_CODE": None},
        {"PROD_CODE": ""},
        {"SPEND": None},
        {"SPEND": "free"},
        {"SPEND": math.inf},
        {"QUANTITY": None},
        {"QUANTITY": 0},
        {"QUANTITY": -1},
        {"SPEND": -0.5},
        {"BASKET_PRICE_SENSITIVITY": "ZZ"},
    ],
)
def test_a_line_that_lacks_something_is_not_accepted(change: dict[str, object]) -> None:
    lines = accept(pd.DataFrame([line(), line(**change)]))
    assert len(lines) == 1
    assert lines["BASKET_PRICE_SENSITIVITY"].tolist() == ["Medium"]


def test_an_exact_repeat_counts_once_unless_kept() -> None:
    raw = pd.DataFrame([line(), line(SPEND=2.0), line()])
    assert accept(raw)["SPEND"].tolist() == [1.0, 2.0]
    assert accept(raw, duplicates="keep")["SPEND"].tolist() == [1.0, 2.0, 1.0]


def test_a_basket_whose_lines_disagree_is_left_out() -> None:
    raw = pd.DataFrame(
        [
            line(),
            line(PROD_CODE="PRD2", BASKET_PRICE_SENSITIVITY="LA"),
            line(BASKET_ID="2", BASKET_PRICE_SENSITIVITY=" la "),
            line(BASKET_ID="2", PROD_CODE="PRD2", BASKET_PRICE_SENSITIVITY="High"),
        ]
    )
    lines = accept(raw)
    assert lines["BASKET_ID"].tolist() == ["2", "2"]
    assert set(lines["BASKET_PRICE_SENSITIVITY"]) == {"High"}


def test_nothing_usable_is_an_empty_frame() -> None:
    assert accept(pd.DataFrame([line(SPEND=None)])).empty


def test_categories_come_from_the_training_baskets() -> None:
    lines = accept(
        pd.DataFrame(
            [
                line(BASKET_ID="1", STORE_FORMAT="XLS"),
                line(BASKET_ID="2", STORE_FORMAT="MS"),
                line(BASKET_ID="3", STORE_FORMAT="LS"),
            ]
        )
    )
    encoders = fit_encoders(lines, train={"1", "2"})
    assert encoders == {"store_format": {"MS": 0, "XLS": 1}, "store_region": {}}
    assert basket_features(lines, encoders)["store_format_encoded"].tolist() == [1, 0, -1]
    assert fit_encoders(lines)["store_format"] == {"LS": 0, "MS": 1, "XLS": 2}


def test_columns_that_are_absent_are_unknown() -> None:
    table = reference(pd.DataFrame([line()]))
    assert math.isnan(table["shop_week"].iloc[0])
    assert table["store_format_encoded"].tolist() == [-1]


def test_reads_packed_files_and_keeps_ids_as_text(tmp_path: Path) -> None:
    path = tmp_path / "week.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    raw = read_raw([path, path])
    assert raw["BASKET_ID"].tolist()[:2] == ["994100100000002"] * 2
    assert "BASKET_TYPE" not in raw
    assert len(accept(raw)) == 4

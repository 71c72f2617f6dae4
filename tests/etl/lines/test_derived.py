"""SPEND from unit prices, BASKET_ID from several columns: for frames and for files alike."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from basketwise.config import Config, DataConfig
from basketwise.errors import ConfigError, InputError
from basketwise.etl.lines.accepting import clean_table
from basketwise.etl.lines.layout import settle_sources
from basketwise.etl.lines.rules import Rules, rules_of
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.reading import read_raw
from basketwise.settings import checked

JOURNEY = {
    "household_key": ["1", "1", "2"],
    "BASKET_ID": ["26984851472", "26984851472", "26984851516"],
    "DAY": ["1", "1", "1"],
    "PRODUCT_ID": ["825123", "831447", "825123"],
    "QUANTITY": ["1", "1", "2"],
    "SALES_VALUE": ["1.39", "0.82", "2.78"],
    "STORE_ID": ["364", "364", "31742"],
    "RETAIL_DISC": ["0", "-0.6", "0"],
    "TRANS_TIME": ["1631", "1631", "0912"],
    "WEEK_NO": ["1", "1", "1"],
}
JOURNEY_COLUMNS = {
    "PROD_CODE": "PRODUCT_ID",
    "SPEND": "SALES_VALUE",
    "BASKET_PRICE_SENSITIVITY": "class",
    "SHOP_HOUR": "TRANS_TIME",
}


def configured(**columns: Any) -> Config:
    return checked({"data": {"columns": columns}})


def lines(**columns: list[Any]) -> dict[str, list[Any]]:
    height = len(next(iter(columns.values())))
    rest = {"BASKET_ID": ["1"] * height, "PROD_CODE": [f"p{i}" for i in range(height)]}
    return rest | {"QUANTITY": ["1"] * height} | columns


def test_spend_is_unit_price_times_quantity() -> None:
    cleaned = clean_table(lines(UNIT_PRICE=["0.1", "2.55", "$1.20"], QUANTITY=["3", "0.4", "2"]))

    assert cleaned.lines["SPEND"].to_list() == [0.3, 1.02, 2.4]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("dated", [False, True])
def test_a_time_in_an_id_is_the_same_in_any_unit(unit: Any, zone: str | None, dated: bool) -> None:
    times = pl.Series([datetime(2025, 1, 6, 13, 30)] * 2).dt.cast_time_unit(unit)
    table = pl.DataFrame(lines(SPEND=["1", "2"], receipt=[17, 18])).drop("BASKET_ID")
    columns = {"BASKET_ID": ("at", "receipt")} | ({"SHOP_DATE": "at"} if dated else {})
    cleaned = clean_table(
        table.with_columns(times.dt.replace_time_zone(zone).alias("at")), Rules(columns=columns)
    )
    expected = ["2025-01-06 13:30:00-17", "2025-01-06 13:30:00-18"]
    assert cleaned.lines["BASKET_ID"].to_list() == expected


def test_an_amount_of_the_line_wins_over_a_unit_price() -> None:
    cleaned = clean_table(lines(UNIT_PRICE=["5"], SPEND=["1.20"], QUANTITY=["2"]))

    assert cleaned.lines["SPEND"].to_list() == [1.2]


@pytest.mark.parametrize(
    ("price", "quantity", "reason"),
    [
        ("", "1", "missing_spend"),
        ("NULL", "1", "missing_spend"),
        ("free", "1", "spend_not_a_number"),
        ("1.50", "", "missing_quantity"),
        ("1.50", "two", "quantity_not_a_number"),
        ("1e20", "1e20", "spend_too_large"),
        ("1e200", "1e200", "spend_not_a_number"),
        ("free", "0", "spend_not_a_number"),
        ("0", "inf", "quantity_not_a_number"),
        ("1.50", "inf", "quantity_not_a_number"),
        ("inf", "1", "spend_not_a_number"),
        ("1.50", "-1", "quantity_not_positive"),
        ("-1.50", "1", "spend_negative"),
    ],
)
def test_a_line_without_a_price_or_a_quantity_is_rejected_for_that(
    price: str, quantity: str, reason: str
) -> None:
    cleaned = clean_table(lines(UNIT_PRICE=["1", price], QUANTITY=["1", quantity]))

    assert cleaned.reasons == {reason: 1}
    assert cleaned.lines.height == 1


def test_unit_prices_follow_the_decimal_mark() -> None:
    cleaned = clean_table(lines(UNIT_PRICE=["1.234", "0,50"], QUANTITY=["2", "1,5"]))

    assert cleaned.lines["SPEND"].to_list() == [2468.0, 0.75]


def test_a_basket_id_of_several_columns() -> None:
    rules = rules_of(
        configured(BASKET_ID=["store", "day", "receipt"], SHOP_DATE="day", STORE_CODE="store"),
        labelled=False,
    )
    given = lines(SPEND=["1", "1", "1", "1"]) | {
        "store": ["7", " 7 ", "8", "8"],
        "Day": ["2025-01-06", "2025-01-06", "2025-01-06", "2025-01-06"],
        "receipt": [17, 17, 17, None],
    }
    del given["BASKET_ID"]

    cleaned = clean_table(given, rules)

    assert cleaned.lines["BASKET_ID"].to_list() == [
        "7-2025-01-06-17",
        "7-2025-01-06-17",
        "8-2025-01-06-17",
    ]
    assert cleaned.lines["STORE_CODE"].to_list() == ["7", "7", "8"]
    assert cleaned.lines["SHOP_WEEK"].unique().to_list() == [202502]
    assert cleaned.reasons == {"missing_basket_id": 1}


def test_a_part_may_have_our_name_of_the_whole() -> None:
    rules = rules_of(configured(BASKET_ID=["store", "BASKET_ID"]), labelled=False)

    cleaned = clean_table(lines(SPEND=["1", "2"]) | {"store": ["a", "b"]}, rules)

    assert cleaned.lines["BASKET_ID"].to_list() == ["a-1", "b-1"]


def test_a_missing_part_is_named_as_the_retailer_calls_it() -> None:
    rules = rules_of(configured(BASKET_ID=["store", "receipt"]), labelled=False)
    given = {"store": ["1"], "PROD_CODE": ["1"], "SPEND": ["1"], "QUANTITY": ["1"]}

    with pytest.raises(InputError, match="lacks the required column RECEIPT"):
        clean_table(given, rules)


def test_a_part_that_a_spreadsheet_damaged_is_refused() -> None:
    rules = rules_of(configured(BASKET_ID=["store", "receipt"]), labelled=False)
    given = lines(SPEND=["1"]) | {"store": ["7"], "receipt": ["9.94E+14"]}
    del given["BASKET_ID"]

    with pytest.raises(InputError, match="spreadsheet damage"):
        clean_table(given, rules)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_files_are_read_like_frames(tmp_path: Path, ending: str) -> None:
    config = configured(BASKET_ID=["till", "no"], UNIT_PRICE="each", STORE_CODE="till")
    rules = rules_of(config, labelled=False)
    given = pl.DataFrame(
        lines(each=["1,5", "2"], QUANTITY=["2", "0,5"]) | {"till": ["A", "A"], "no": ["4", "5"]}
    ).drop("BASKET_ID")
    path = tmp_path / f"lines.{ending}"
    if ending == "csv":
        given.write_csv(path)
    elif ending == "parquet":
        given.write_parquet(path)
    else:
        given.write_ndjson(path)

    (source,) = discover(str(path))
    (raw,) = read_raw(source, config.data, labelled=False)
    settled = settle_sources([source], rules, config.data)

    assert settled.decimal == ","
    own = clean_table(given, rules).lines.drop("source")
    assert own["BASKET_ID"].to_list() == ["A-4", "A-5"]
    assert own["SPEND"].to_list() == [3.0, 1.0]
    assert_frame_equal(clean_table(raw.frame, settled).lines.drop("source"), own)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"SPEND": ["a", "b"]}, "only BASKET_ID can consist of several"),
        ({"BASKET_ID": ["a"]}, "2 to 6 columns, each once"),
        ({"BASKET_ID": ["a", "a"]}, "2 to 6 columns, each once"),
        ({"PRICE": "p"}, "UNIT_PRICE"),
    ],
)
def test_columns_that_cannot_be(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(**columns)
    assert message in str(caught.value)


def test_the_names_travel_with_the_model() -> None:
    rules = rules_of(configured(BASKET_ID=["till", "no"]), labelled=True)

    assert Rules.model_validate_json(rules.model_dump_json()) == rules


def test_complete_journey_is_accepted_with_a_class_and_a_mapping() -> None:
    rules = rules_of(configured(**JOURNEY_COLUMNS), labelled=True)

    cleaned = clean_table(JOURNEY | {"Class": ["Low", "Low", "High"]}, rules)

    assert cleaned.lines["SPEND"].to_list() == [1.39, 0.82, 2.78]
    assert cleaned.lines["SHOP_HOUR"].to_list() == [16, 16, 9]


def test_complete_journey_without_a_class_scores() -> None:
    rules = rules_of(configured(**JOURNEY_COLUMNS), labelled=False)

    assert clean_table(JOURNEY, rules).lines.height == 3


@pytest.mark.parametrize("columns", [JOURNEY_COLUMNS, {}])
def test_complete_journey_without_a_class_says_what_to_do(columns: dict[str, str]) -> None:
    rules = rules_of(configured(**columns), labelled=True)

    with pytest.raises(InputError, match="The Complete Journey") as caught:
        clean_table(JOURNEY, rules)
    assert "does not contain BASKET_PRICE_SENSITIVITY" in caught.value.hint
    assert "basketwise init --data" in caught.value.hint


def test_complete_journey_without_a_mapping_says_what_to_do() -> None:
    given = JOURNEY | {"BASKET_PRICE_SENSITIVITY": ["Low", "Low", "High"]}

    with pytest.raises(InputError, match="PROD_CODE, SPEND not found") as caught:
        clean_table(given, rules_of(Config(data=DataConfig()), labelled=True))
    assert "basketwise init --data" in caught.value.hint

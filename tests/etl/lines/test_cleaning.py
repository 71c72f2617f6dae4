import re
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.lines import dtypes
from basketwise.etl.lines.cleaned import Cleaned
from basketwise.etl.lines.cleaning import NO_WEEK, clean, settle, whole_numbers
from basketwise.etl.lines.layout import settle_frame
from basketwise.etl.lines.rules import Rules
from basketwise.schema import COLUMNS, REASON, ROW, SOURCE
from tests.raw_lines import LABEL, Line, line

REQUIRED = {"BASKET_ID", "PROD_CODE", "SPEND", "QUANTITY", LABEL}


def frame(lines: list[Line]) -> pl.DataFrame:
    table = pl.DataFrame(lines, schema=dict.fromkeys(lines[0], pl.String))
    return table.with_columns(pl.all().replace("", None))


def cleaned(raw: pl.DataFrame | list[Line], *, labelled: bool = True, **rules: Any) -> pl.DataFrame:
    """Clean lines; accepted and rejected ones in the order of delivery, ids as text."""
    table = frame(raw) if isinstance(raw, list) else raw
    made = clean(table, Rules(labelled=labelled, **rules), source="a.csv")
    accepted = made.lines.with_columns(
        pl.col("BASKET_ID").cast(pl.String), pl.lit(None, pl.String).alias(REASON)
    )
    both = pl.concat([accepted, made.rejected.select(accepted.columns)])
    return both.sort(ROW).drop(SOURCE)


def reasons(*lines: Line, labelled: bool = True, **rules: Any) -> list[str | None]:
    table = cleaned(list(lines), labelled=labelled, **rules)
    assert table.height == len(lines)
    return table[REASON].to_list()


@pytest.mark.parametrize("column", ["SPEND", "QUANTITY", "SHOP_WEEKDAY"])
@pytest.mark.parametrize("value", [True, date(2024, 1, 1), time(13, 30), timedelta(hours=2)])
def test_what_is_no_number_is_not_taken_for_one(column: str, value: Any) -> None:
    table = frame([line()]).with_columns(pl.lit(value).alias(column))
    with pytest.raises(InputError, match=f"'a.csv' has the column {column} as ") as caught:
        cleaned(table)
    assert "Each line needs a number there" in caught.value.hint


def test_a_column_without_any_value_may_be_of_any_type() -> None:
    table = frame([line()]).with_columns(pl.lit(None, pl.Null).alias("SPEND"))
    assert cleaned(table)[REASON].to_list() == ["missing_spend"]


def test_a_good_line_is_typed_and_accepted() -> None:
    (typed,) = cleaned([line()]).to_dicts()
    assert typed == {
        "row": 1,
        "BASKET_ID": "994100100000001",
        "PROD_CODE": "PRD1",
        "SPEND": 1.5,
        "QUANTITY": 1,
        LABEL: "Medium",
        "SHOP_WEEK": 200607,
        "SHOP_DATE": 20060410,
        "SHOP_WEEKDAY": 2,
        "SHOP_HOUR": 14,
        "PROD_CODE_10": "CL1",
        "PROD_CODE_20": "DEP1",
        "PROD_CODE_30": "G1",
        "PROD_CODE_40": "D1",
        "STORE_FORMAT": "LS",
        "STORE_REGION": "E02",
        "STORE_CODE": "STORE1",
        "CUST_CODE": "CUST1",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"BASKET_ID": ""}, "missing_basket_id"),
        ({"BASKET_ID": "  "}, "missing_basket_id"),
        ({"PROD_CODE": ""}, "missing_prod_code"),
        ({"PROD_CODE": " \t"}, "missing_prod_code"),
        ({"SPEND": ""}, "missing_spend"),
        ({"SPEND": " "}, "missing_spend"),
        ({"SPEND": "free"}, "spend_not_a_number"),
        ({"SPEND": "NaN"}, "missing_spend"),
        ({"SPEND": "inf"}, "spend_not_a_number"),
        ({"SPEND": "-inf"}, "spend_not_a_number"),
        ({"SPEND": "1e999"}, "spend_not_a_number"),
        ({"SPEND": "1,234"}, "spend_not_a_number"),
        ({"SPEND": "1,2,3"}, "spend_not_a_number"),
        ({"SPEND": "-1.5"}, "spend_negative"),
        ({"QUANTITY": ""}, "missing_quantity"),
        ({"QUANTITY": "two"}, "quantity_not_a_number"),
        ({"QUANTITY": "500 g"}, "quantity_not_a_number"),
        ({"QUANTITY": "500 GRM"}, "quantity_not_a_number"),
        ({"QUANTITY": "DOZ 2"}, "quantity_not_a_number"),
        ({"QUANTITY": "nan"}, "missing_quantity"),
        ({"QUANTITY": "inf"}, "quantity_not_a_number"),
        ({"SPEND": "2e30"}, "spend_too_large"),
        ({"SPEND": "-1e308"}, "spend_too_large"),
        ({"QUANTITY": "1e39"}, "quantity_too_large"),
        ({"QUANTITY": "-1e39"}, "quantity_too_large"),
        ({"QUANTITY": "0"}, "quantity_not_positive"),
        ({"QUANTITY": "-2"}, "quantity_not_positive"),
        ({"QUANTITY": "-2.0"}, "quantity_not_positive"),
        ({"SHOP_WEEK": ""}, "missing_shop_week"),
        ({"SHOP_WEEK": "week 7"}, "shop_week_not_yyyyww"),
        ({"SHOP_WEEK": "200600"}, "shop_week_not_yyyyww"),
        ({"SHOP_WEEK": "200655"}, "shop_week_not_yyyyww"),
        ({"SHOP_WEEK": "20060410"}, "shop_week_not_yyyyww"),
        ({"SHOP_DATE": "10/04/2006"}, "shop_date_not_a_date"),
        ({"SHOP_WEEKDAY": "someday"}, "shop_weekday_not_a_weekday"),
        ({"SHOP_HOUR": "noon"}, "shop_hour_not_an_hour"),
        ({LABEL: "ZZ"}, "unknown_label"),
    ],
)
def test_each_reason(change: Line, reason: str) -> None:
    # Among good lines, alone, and beside a line of a similar fault: the reason is the line's own.
    assert reasons(line(), line(**change), line()) == [None, reason, None]
    assert reasons(line(**change)) == [reason]
    (column,) = change
    if column in REQUIRED:
        assert reasons(line(**{column: ""}), line(**change))[1] == reason


def test_the_first_reason_counts() -> None:
    assert reasons(line(BASKET_ID="", SPEND="x", QUANTITY="0")) == ["missing_basket_id"]
    assert reasons(line(SPEND="x", QUANTITY="0")) == ["spend_not_a_number"]


@pytest.mark.parametrize(
    "change",
    [
        {"SPEND": "0"},
        {"SPEND": " 2.50 "},
        {"QUANTITY": "2.0"},
        {"QUANTITY": " 2 "},
        {"QUANTITY": "2e0"},
        {"SHOP_WEEK": "200654"},
        {"SHOP_HOUR": ""},
        {"CUST_CODE": ""},
        {"STORE_FORMAT": " "},
    ],
)
def test_usable_oddities_are_accepted(change: Line) -> None:
    assert reasons(line(), line(**change)) == [None, None]


def test_numbers_are_read_through_their_dress() -> None:
    table = cleaned([line(QUANTITY="2.0", SPEND=" 3.20"), line(QUANTITY=" 3 ", SPEND="1e1")])
    assert table["QUANTITY"].to_list() == [2, 3]
    assert table["SPEND"].to_list() == [3.2, 10.0]


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("0,93", "", 0.93),
        ("0,93", ",", 0.93),
        ("1.234,56", "", 1234.56),
        ("1.234", ",", 1234.0),
        ("1,234", ",", 1.234),
        ("1,234", ".", 1234.0),
        ("1.234", ".", 1.234),
        ("£1.50", "", 1.5),
        ("1,50 €", "", 1.5),
        ("1\u2009234,56", "", 1234.56),
        ("12\u2009345\u2009678.5", "", 12345678.5),
    ],
)
def test_amounts_are_read_as_they_are_written(text: str, decimal: str, value: float) -> None:
    table = cleaned([line(SPEND=text, QUANTITY=text)], decimal=decimal)
    assert table.select("SPEND", "QUANTITY", REASON).row(0) == (value, value, None)


@pytest.mark.parametrize("text", ["-1,50 €", "−1,50 €", "−€1,50", "€ −1,50", "1,50−", "(€1,50)"])
def test_a_minus_may_stand_anywhere_and_be_of_any_kind(text: str) -> None:
    table = cleaned([line(SPEND=text)], returns="keep")
    assert table.select("SPEND", REASON).row(0) == (-1.5, None)


@pytest.mark.parametrize(
    ("text", "hour"),
    [("0012", 0), ("012", 0), ("0730", 7), ("1330", 13), ("12", 12), ("07", 7), (" 0012 ", 0)],
)
@pytest.mark.parametrize("other", ["", "9", "13:30"])
def test_an_hour_of_four_digits_is_a_time_of_day(text: str, hour: int, other: str) -> None:
    assert cleaned([line(SHOP_HOUR=text), line(SHOP_HOUR=other)])["SHOP_HOUR"][0] == hour


def test_weights_count_as_given() -> None:
    table = cleaned([line(QUANTITY="0.456"), line(QUANTITY="1.5")])
    assert table["QUANTITY"].to_list() == [0.456, 1.5]
    assert table[REASON].to_list() == [None, None]


def test_a_label_that_is_not_on_every_line_is_that_of_the_basket() -> None:
    assert cleaned([line(), line(**{LABEL: " "})])[LABEL].to_list() == ["Medium", None]


@pytest.mark.parametrize("word", ["NULL", "null", "\\N", "NaN", "None", "N/A", " ", ""])
def test_missing_words_are_no_values(word: str) -> None:
    table = cleaned([line(CUST_CODE=word), line(PROD_CODE=word)])
    assert table["CUST_CODE"].to_list() == [None, "CUST1"]
    assert table[REASON].to_list() == [None, "missing_prod_code"]


def test_missing_words_are_a_setting() -> None:
    given = [line(CUST_CODE="NULL"), line(CUST_CODE="anonymous")]
    assert cleaned(given, missing=("ANONYMOUS",))["CUST_CODE"].to_list() == ["NULL", None]


@pytest.mark.parametrize("word", ["k.A.", "keine Angabe", "K.a.", "KEINE angabe", "nicht Ähnlich"])
def test_missing_words_may_be_set_and_written_in_any_case(word: str) -> None:
    words = DataConfig(missing=("k.A.", "keine Angabe", "Nicht ähnlich")).missing
    assert cleaned([line(CUST_CODE=word)], missing=words)["CUST_CODE"].to_list() == [None]


@pytest.mark.parametrize("word", ["nUlL", "nAn", "\\n"])
def test_a_missing_word_in_any_case_is_one_whatever_the_other_lines_hold(word: str) -> None:
    assert cleaned([line(CUST_CODE=word), line()])["CUST_CODE"].to_list() == [None, "CUST1"]


@pytest.mark.parametrize(
    "padded",
    [
        " 7",
        "7 ",
        "\t7",
        "7\t",
        " 7\u00a0",
        "7\u00a0",
        "\u00a07",
        "7\u3000",
        "\u20097",
        "7\r",
        "7\n",
    ],
)
def test_blanks_around_ids_and_codes_are_stripped(padded: str) -> None:
    table = cleaned([line(BASKET_ID=padded, PROD_CODE=padded, STORE_CODE=padded), line()])
    assert table.select("BASKET_ID", "PROD_CODE", "STORE_CODE").row(0) == ("7", "7", "7")


@pytest.mark.parametrize("code", ["Äpfel", "Café", "~7", "7~", "好"])
def test_letters_of_any_language_are_no_blanks(code: str) -> None:
    assert cleaned([line(PROD_CODE=code)])["PROD_CODE"].to_list() == [code]


@pytest.mark.parametrize("basket", ["9e289761", "5E0001", "1e5"])
def test_hexadecimal_ids_and_letters_of_tills_are_text(basket: str) -> None:
    assert cleaned([line(BASKET_ID=basket)])["BASKET_ID"].to_list() == [basket]


@pytest.mark.parametrize("zero", ["-0.0", "-0", " -0.00 ", "0"])
def test_a_zero_has_no_sign(zero: str) -> None:
    (spend,) = cleaned([line(SPEND=zero)])["SPEND"]
    assert str(spend) == "0.0"


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ("reject", ["quantity_not_positive", "spend_negative", "quantity_not_positive"]),
        ("keep", [None, None, "quantity_not_positive"]),
        ("net", [None, None, "quantity_not_positive"]),
    ],
)
def test_returns_are_a_policy(returns: str, expected: list[str | None]) -> None:
    given = [line(QUANTITY="-1", SPEND="-2"), line(SPEND="-2"), line(QUANTITY="0")]
    assert reasons(*given, returns=returns) == expected


def test_returns_are_netted_within_a_basket() -> None:
    lines = [
        line(PROD_CODE="A", QUANTITY="3", SPEND="6"),
        line(PROD_CODE="A", QUANTITY="-1", SPEND="-2"),
        line(PROD_CODE="B", QUANTITY="1", SPEND="5"),
        line(PROD_CODE="B", QUANTITY="-1", SPEND="-5"),
        line(PROD_CODE="C"),
        line(BASKET_ID="2", PROD_CODE="A", QUANTITY="-1", SPEND="-1"),
    ]
    rules = Rules(labelled=True, returns="net")
    settled = settle(clean(frame(lines), rules, source="a"), rules)
    assert settled.lines.select("PROD_CODE", "QUANTITY", "SPEND").rows() == [
        ("A", 2.0, 4.0),
        ("C", 1.0, 1.5),
    ]
    assert settled.rejected.select(ROW, REASON).sort(ROW).rows() == [
        (row, "netted_return") for row in (2, 3, 4, 6)
    ]


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([line(PROD_CODE="A", QUANTITY="-1", SPEND="-1.5")], id="taken back"),
        pytest.param(
            [line(PROD_CODE="A", QUANTITY="-1", SPEND="-1.5"), line(PROD_CODE="A", SPEND="1.4")],
            id="partly taken back",
        ),
    ],
)
def test_a_label_on_a_line_that_was_netted_is_its_baskets_label(others: list[Line]) -> None:
    unlabelled = [other | {LABEL: ""} for other in [*others, line(PROD_CODE="B")]]
    given = frame([line(BASKET_ID="2") | {LABEL: ""}, line(PROD_CODE="A"), *unlabelled])
    rules = Rules(labelled=True, returns="net")
    settled = settle(clean(given, rules, source="a"), rules)
    assert settled.lines["PROD_CODE"].to_list() == ["PRD1", *["A"] * (len(others) - 1), "B"]
    assert settled.lines[LABEL].to_list() == [None, *["Medium"] * len(others)]


def test_pieces_are_kept_where_every_quantity_is_one() -> None:
    lines = [line(), line(), line(PROD_CODE="B")]
    rules = Rules(labelled=True)
    assert settle(clean(frame(lines), rules, source="a"), rules).reasons == {}
    lines[2] |= {"QUANTITY": "2"}
    assert settle(clean(frame(lines), rules, source="a"), rules).reasons == {"duplicate_line": 1}


def test_pieces_of_another_table_are_copies() -> None:
    rules = Rules(labelled=True, duplicates="pieces")
    twice, once = frame([line(), line()]), frame([line()])
    both = [clean(twice, rules, source="a"), clean(once, rules, source="b")]
    cleaned = Cleaned(pl.concat([c.lines for c in both]), both[0].rejected)
    assert settle(cleaned, rules).rejected.select(SOURCE, REASON).rows() == [
        ("b", "duplicate_line")
    ]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series(["0.456"]).cast(pl.Decimal(10, 3)), 0.456),
        (pl.Series(["0.456"]).cast(pl.Categorical), 0.456),
        (pl.Series(["2"], dtype=pl.Enum(["2"])), 2.0),
        (pl.Series([b"0.456"]), 0.456),
        (pl.Series([2.5], dtype=pl.Float32), 2.5),
    ],
)
def test_numbers_of_any_type(column: pl.Series, expected: float) -> None:
    table = cleaned(frame([line()]).with_columns(column.alias("QUANTITY")))
    assert table.select("QUANTITY", REASON).row(0) == (expected, None)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([900053.0, None]),
        pl.Series([900053.0, float("nan")]),
        pl.Series(["900053", None]).cast(pl.Decimal(38, 10)),
        pl.Series(["900053", ""]).cast(pl.Categorical),
        pl.Series([b"900053", None]),
        pl.Series([900053, None], dtype=pl.UInt64),
    ],
)
def test_codes_of_any_type(column: pl.Series) -> None:
    table = cleaned(frame([line(), line()]).with_columns(column.alias("PROD_CODE")))
    assert table["PROD_CODE"].to_list() == ["900053", None]
    assert table[REASON].to_list() == [None, "missing_prod_code"]


DAY = datetime(2025, 1, 6, 13, 30)


@pytest.mark.parametrize(
    ("column", "hour"),
    [
        (pl.Series([DAY.date()]), None),
        (pl.Series([DAY]), 13),
        (pl.Series([DAY], dtype=pl.Datetime("ns", "UTC")), 13),
        (pl.Series(["2025-01-06T13:30:00+01:00"]), 13),
        (pl.Series(["2025-01-06 13:30:00.5-05"]), 13),
        (pl.Series(["20250106"]), None),
        (pl.Series([20250106]), None),
    ],
)
def test_week_weekday_and_hour_follow_from_the_date(column: pl.Series, hour: int | None) -> None:
    absent = ["SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR"]
    table = frame([line()]).drop(absent).with_columns(column.alias("SHOP_DATE"))
    rules = settle_frame(table, Rules(labelled=True))
    made = cleaned(table, date_format=rules.date_format)
    assert made.select("SHOP_DATE", *absent, REASON).row(0) == (20250106, 202502, 2, hour, None)


@pytest.mark.parametrize(
    ("date_format", "good"),
    [("%Y%m%d", "20250106"), ("%Y-%m-%d", "2025-01-06"), ("%d/%m/%Y %H:%M", "06/01/2025 13:30")],
)
@pytest.mark.parametrize("absent", [[], ["SHOP_WEEK", "SHOP_WEEKDAY"], ["SHOP_HOUR"]])
def test_a_garbled_date_is_one_in_any_format(
    date_format: str, good: str, absent: list[str]
) -> None:
    dates = [good, "soon", "", "NULL"]
    table = frame([line(SHOP_DATE=text, SHOP_WEEK="202502") for text in dates]).drop(absent)
    made = cleaned(table, date_format=date_format)
    missing = "missing_shop_week" if "SHOP_WEEK" in absent else None
    assert made[REASON].to_list() == [None, "shop_date_not_a_date", missing, missing]
    assert made["SHOP_DATE"].to_list() == [20250106, None, None, None]


def test_digits_are_a_date_where_no_look_has_told_a_format() -> None:
    table = frame([line(SHOP_DATE=text) for text in ("20250106", "soon", "")]).drop("SHOP_WEEK")
    made = cleaned(table)
    assert made["SHOP_WEEK"].to_list() == [202502, None, None]
    assert made[REASON].to_list() == [None, "shop_date_not_a_date", "missing_shop_week"]


WHOLE_DATES = [20250106, 20251306, 2025106, 5, 19691231, 21010101, None]
REASONS = [None, *["shop_date_not_a_date"] * 5]


@pytest.mark.parametrize(
    "dates",
    [
        pl.Series(WHOLE_DATES),
        pl.Series(WHOLE_DATES, dtype=pl.Float64),
        pl.Series([20250106, 20250106.5, 2025106, 5, -1, 1e12, None], dtype=pl.Float64),
        pl.Series(WHOLE_DATES).cast(pl.String),
        pl.Series(["20250106.0", "20251306", "20,250,106", "0", "x", "19000101", "n/a"]),
    ],
)
@pytest.mark.parametrize("absent", [[], ["SHOP_WEEK", "SHOP_WEEKDAY"], ["SHOP_HOUR"]])
def test_a_number_that_is_no_date_is_garbled(dates: pl.Series, absent: list[str]) -> None:
    table = frame([line()] * 7).drop(absent).with_columns(dates.alias("SHOP_DATE"))
    made = cleaned(table, date_format="%Y%m%d")
    missing = "missing_shop_week" if "SHOP_WEEK" in absent else None
    assert made[REASON].to_list() == [*REASONS, missing]
    assert made["SHOP_DATE"].to_list() == [20250106, *[None] * 6]


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ms"), pl.Datetime("ns", "UTC")])
@pytest.mark.parametrize("absent", [[], ["SHOP_WEEK"]])
def test_dates_of_no_year_are_garbled_in_any_type(dtype: pl.DataType, absent: list[str]) -> None:
    given = [date(2025, 1, 6), date(1900, 1, 1), date(2101, 1, 1), None]
    dates = pl.Series("SHOP_DATE", given).cast(dtype)
    made = cleaned(frame([line()] * 4).drop(absent).with_columns(dates))
    assert made[REASON].to_list()[:3] == [None, "shop_date_not_a_date", "shop_date_not_a_date"]
    assert made["SHOP_DATE"].to_list() == [20250106, None, None, None]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.Decimal(18, 0), pl.String])
@pytest.mark.parametrize("absent", [[], ["SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR"]])
@pytest.mark.parametrize("date_format", ["epoch seconds", "epoch milliseconds", "%Y%m%d%H%M"])
def test_seconds_and_times_may_be_numbers(
    dtype: pl.DataType, absent: list[str], date_format: str
) -> None:
    number = {"epoch seconds": 1736170200, "epoch milliseconds": 1736170200000}
    dates = pl.Series("SHOP_DATE", [number.get(date_format, 202501061330), None]).cast(dtype)
    table = frame([line(SHOP_HOUR="13", SHOP_WEEK="202502", SHOP_WEEKDAY="2")] * 2)
    table = table.drop(absent).with_columns(dates)
    rules = settle_frame(table, Rules(labelled=True))
    assert rules.date_format == date_format
    made = cleaned(table, date_format=date_format)
    columns = ["SHOP_DATE", "SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR"]
    assert made.select(columns).row(0) == (20250106, 202502, 2, 13)


def test_dates_that_are_numbers_beside_dates_in_another_format_are_yyyymmdd() -> None:
    table = frame([line()]).drop("SHOP_WEEK").with_columns(SHOP_DATE=20250106)
    assert cleaned(table, date_format="%d/%m/%Y")["SHOP_WEEK"].to_list() == [202502]


@pytest.mark.parametrize("label", ["LA", "la", "lA", " LA ", "High", "HIGH", "high"])
def test_labels_in_any_case(label: str) -> None:
    assert cleaned([line(**{LABEL: label})])[LABEL].to_list() == ["High"]


def test_each_label_means_what_the_design_says() -> None:
    table = cleaned([line(**{LABEL: label}) for label in ("LA", "MM", "UM", "XX")])
    assert table[LABEL].to_list() == ["High", "Medium", "Low", "Unclassified"]


def test_labels_are_not_looked_at_when_predicting() -> None:
    assert reasons(line(**{LABEL: ""}), line(**{LABEL: "ZZ"}), labelled=False) == [None, None]
    assert cleaned([line()], labelled=False)[LABEL].to_list() == [None]


def test_optional_columns_may_be_absent() -> None:
    table = cleaned([{name: text for name, text in line().items() if name in REQUIRED}])
    assert set(table.columns) == {ROW, REASON, *(column.name for column in COLUMNS)}
    (only,) = table.to_dicts()
    assert only[REASON] is None
    assert only["SHOP_WEEK"] == NO_WEEK
    absent = {column.name for column in COLUMNS} - REQUIRED - {"SHOP_WEEK"}
    assert {only[name] for name in absent} == {None}


def test_blank_text_is_unknown() -> None:
    (only,) = cleaned([line(CUST_CODE=" ", STORE_FORMAT="  ")]).to_dicts()
    assert only["CUST_CODE"] is None
    assert only["STORE_FORMAT"] is None


def test_ids_stay_as_they_were_delivered() -> None:
    ids = ["007", "7", "A-1", "994100100000001"]
    assert cleaned([line(BASKET_ID=text) for text in ids])["BASKET_ID"].to_list() == ids


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        ("9.94E+14", "spreadsheet damage"),
        ("9,94E+14", "spreadsheet damage"),
        ("9E+14", "spreadsheet damage"),
        ("994100100000001.0", "written as a float"),
        ("994100100000001.", "written as a float"),
        ("994100100000001,0", "written as a float"),
    ],
)
def test_damaged_ids_refuse_the_whole_file(damaged: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        cleaned([line(), line(BASKET_ID=damaged), line(BASKET_ID=damaged)])
    assert caught.value.headline == (
        f"'a.csv' has the BASKET_ID '{damaged}' in line 3: {why}, digits may be lost (2 lines)."
    )
    assert "without opening it in a spreadsheet" in caught.value.hint


def test_parquet_types_are_read_as_well() -> None:
    table = frame([line(), line()]).with_columns(
        pl.Series("BASKET_ID", [994100100000001, None], dtype=pl.Int64),
        pl.Series("SPEND", [1.1, float("nan")], dtype=pl.Float64),
        pl.Series("QUANTITY", [2.0, 2.5], dtype=pl.Float64),
        pl.Series("PROD_CODE", [17, 18], dtype=pl.Int32),
        pl.Series("SHOP_WEEK", [200607, 200607], dtype=pl.Int64),
    )
    first, second = cleaned(table).to_dicts()
    assert first[REASON] is None
    assert (first["BASKET_ID"], first["PROD_CODE"]) == ("994100100000001", "17")
    assert (first["SPEND"], first["QUANTITY"]) == (1.1, 2)
    assert second[REASON] == "missing_basket_id"
    table = table.with_columns(pl.lit(1, pl.Int64).alias("BASKET_ID"))
    assert cleaned(table)[REASON].to_list() == [None, "missing_spend"]
    table = table.with_columns(pl.lit(1.0).alias("SPEND"))
    assert cleaned(table)[REASON].to_list() == [None, None]


@given(st.lists(st.text("0123456789+- ", max_size=20).map(str), max_size=5))
def test_ids_are_whole_numbers_only_if_they_come_back_letter_by_letter(ids: list[str]) -> None:
    def comes_back(text: str) -> bool:
        try:
            number = int(text)
        except ValueError:
            return False
        return str(number) == text and -(2**63) <= number < 2**63

    text = pl.Series(ids, dtype=pl.String)
    numbers = text.cast(pl.Int64, strict=False)
    assert whole_numbers(text, numbers) == all(map(comes_back, ids))


@pytest.mark.parametrize("ids", [[" 17", "18"], ["+17", "18"], ["17", "null", "18"]])
def test_ids_become_numbers_once_they_are_cleaned(ids: list[str]) -> None:
    table = frame([line(BASKET_ID=basket) for basket in ids])
    accepted = clean(table, Rules(labelled=True), source="a.csv").lines["BASKET_ID"]
    plain = "+17" not in ids
    assert accepted.to_list() == ([17, 18] if plain else ids)


def test_ids_given_as_numbers_are_text_only_where_lines_are_rejected() -> None:
    table = frame([line(), line(SPEND="")]).with_columns(BASKET_ID=pl.Series([17, 18]))
    made = clean(table, Rules(labelled=True), source="a.csv")
    assert made.lines["BASKET_ID"].to_list() == [17]
    assert made.rejected["BASKET_ID"].to_list() == ["18"]


@pytest.mark.parametrize("name", ["PROD_CODE", "CUST_CODE"])
@pytest.mark.parametrize("damaged", ["5.00013E+12", " 5,00013E+12", "5E+12"])
def test_damaged_codes_refuse_the_whole_file(name: str, damaged: str) -> None:
    with pytest.raises(InputError, match=rf"{name} '{re.escape(damaged)}' in line 3: spreadsheet"):
        cleaned([line(), line(**{name: damaged})])


@pytest.mark.parametrize("code", ["VITAMIN E+10", "A5E+12", "5E12", "12E+3X", "15.0E+3"])
def test_codes_with_an_e_are_text(code: str) -> None:
    assert cleaned([line(PROD_CODE=code)])["PROD_CODE"].to_list() == [code]


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32])
def test_float_basket_ids_are_refused(dtype: type[pl.DataType]) -> None:
    with pytest.raises(InputError, match=r"BASKET_ID as Float.*15 digits") as caught:
        cleaned(frame([line()]).with_columns(pl.col("BASKET_ID").cast(dtype)))
    assert "64-bit integer or as text" in caught.value.hint


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"\xff"])
def test_columns_that_no_line_has_are_refused_by_name_and_type(value: object) -> None:
    nested = pl.Series("STORE_CODE", [value])
    with pytest.raises(InputError, match=r"column STORE_CODE as (List|Struct|Binary)"):
        cleaned(frame([line()]).with_columns(nested))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPEND", datetime(2025, 1, 6)),
        ("SPEND", True),
        ("QUANTITY", timedelta(hours=1)),
        ("SHOP_WEEK", date(2025, 1, 6)),
        ("SHOP_WEEKDAY", date(2025, 1, 6)),
        ("SHOP_HOUR", datetime(2025, 1, 6, 13)),
        ("SHOP_DATE", time(13, 30)),
    ],
)
def test_a_time_is_no_number(name: str, value: object) -> None:
    column = pl.Series(name, [value])
    with pytest.raises(InputError, match=rf"column {name} as {re.escape(str(column.dtype))}"):
        cleaned(frame([line()]).with_columns(column))


@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("PROD_CODE", 5000128000000.0, pl.Float32),
        ("PROD_CODE", 2.0**53 + 2, pl.Float64),
        ("PROD_CODE", float(2**53 + 1), pl.Float64),
        ("PROD_CODE", float(2**24 + 1), pl.Float32),
        ("CUST_CODE", -2048.0 * 2, pl.Float16),
        ("SHOP_DATE", 20250106.0, pl.Float32),
    ],
)
def test_floats_that_have_lost_digits_are_refused(
    name: str, value: float, dtype: type[pl.DataType]
) -> None:
    column = pl.Series(name, [value, None, float("nan")], dtype=dtype)
    with pytest.raises(InputError, match=rf"{name} as Float\d\d, which keeps \d+ digits"):
        cleaned(frame([line()] * 3).with_columns(column))


def test_floats_that_keep_all_digits_are_read() -> None:
    codes = pl.Series("PROD_CODE", [5000128000000.0])
    dates = pl.Series("SHOP_DATE", [20250106.0])
    (made,) = cleaned(frame([line()]).with_columns(codes, dates)).to_dicts()
    assert (made["PROD_CODE"], made["SHOP_DATE"]) == ("5000128000000", 20250106)


def test_categories_are_text() -> None:
    table = frame([line(), line(PROD_CODE=" ")]).with_columns(
        pl.col("PROD_CODE", "STORE_FORMAT", LABEL).cast(pl.Categorical)
    )
    first, second = cleaned(table).to_dicts()
    assert (first["PROD_CODE"], first["STORE_FORMAT"], first[LABEL]) == ("PRD1", "LS", "Medium")
    assert second[REASON] == "missing_prod_code"


def test_settled_lines_are_in_one_order_whatever_the_delivery() -> None:
    lines = [
        line(PROD_CODE="B", SPEND="2"),
        line(PROD_CODE="A", SPEND="3"),
        line(PROD_CODE="A", SPEND="1"),
        line(BASKET_ID="3"),
    ]
    rules = Rules(labelled=True)
    tables = [frame(lines), frame(lines[::-1])]
    first, other = (settle(clean(t, rules, source="a"), rules).lines.drop(ROW) for t in tables)
    assert first.equals(other)
    assert first["SPEND"].to_list() == [1.5, 1.0, 3.0, 2.0]


@pytest.mark.parametrize(
    ("weeks", "rejected"),
    [
        ([("1", "200607"), ("1", "200607"), ("2", "200608")], []),
        ([("1", "200607"), ("2", "200608"), ("1", "200607")], []),
        ([("1", "200607"), ("1", "200608"), ("2", "200608")], [1, 2]),
        ([("1", "200607"), ("2", "200608"), ("1", "200608")], [1, 3]),
    ],
)
def test_a_basket_is_of_one_week_wherever_its_lines_stand(
    weeks: list[tuple[str, str]], rejected: list[int]
) -> None:
    lines = [
        line(BASKET_ID=basket, SHOP_WEEK=week, PROD_CODE=f"P{number}")
        for number, (basket, week) in enumerate(weeks)
    ]
    settled = settle(clean(frame(lines), Rules(), source="a"), Rules())
    assert settled.rejected[ROW].to_list() == rejected
    assert settled.lines.height == len(weeks) - len(rejected)


def test_settling_rejects_copies_and_contradictions() -> None:
    lines = [
        line(BASKET_ID="1"),
        line(BASKET_ID="1"),
        line(BASKET_ID="2", SHOP_WEEK="200607"),
        line(BASKET_ID="2", SHOP_WEEK="200608"),
        line(BASKET_ID="3", QUANTITY="2"),
        line(BASKET_ID="3", PROD_CODE="B", **{LABEL: "LA"}),
    ]
    rules = Rules(labelled=True)
    settled = settle(clean(frame(lines), rules, source="a"), rules)
    assert settled.lines.select("BASKET_ID", ROW).rows() == [(1, 1)]
    assert dict(settled.rejected.select(ROW, REASON).iter_rows()) == {
        2: "duplicate_line",
        3: "basket_in_two_weeks",
        4: "basket_in_two_weeks",
        5: "basket_labels_disagree",
        6: "basket_labels_disagree",
    }
    assert settled.reasons["basket_in_two_weeks"] == 2
    kept = Rules(labelled=True, duplicates="keep")
    assert settle(clean(frame(lines), kept, source="a"), kept).lines.height == 2


@pytest.mark.parametrize(
    ("given", "meant"), [("k.A.", None), ("C1\u00a0", "C1"), ("\tC1", "C1"), ("C1", "C1")]
)
def test_one_odd_value_is_found_among_many(given: str, meant: str | None) -> None:
    many = frame([line(CUST_CODE="C2")] * dtypes._MANY + [line(CUST_CODE=given)])
    made = clean(many, Rules(labelled=True, missing=("K.A.",)), source="a.csv")
    assert made.lines["CUST_CODE"][-1] == meant
    assert made.lines["CUST_CODE"][:-1].unique().to_list() == ["C2"]

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketwise.errors import InputError
from basketwise.etl.cleaning import NO_WEEK, SOURCE, Rules, clean, settle, whole_numbers
from basketwise.etl.reasons import REASON, ROW
from basketwise.schema import COLUMNS
from tests.raw_lines import LABEL, Line, line

REQUIRED = {"BASKET_ID", "PROD_CODE", "SPEND", "QUANTITY", LABEL}


def frame(lines: list[Line]) -> pl.DataFrame:
    table = pl.DataFrame(lines, schema=dict.fromkeys(lines[0], pl.String))
    return table.with_columns(pl.all().replace("", None))


def cleaned(
    raw: pl.DataFrame | list[Line], *, decimal_comma: bool = False, labelled: bool = True
) -> pl.DataFrame:
    """Clean lines; accepted and rejected ones in the order of delivery, ids as text."""
    table = frame(raw) if isinstance(raw, list) else raw
    made = clean(table, Rules(labelled=labelled), source="a.csv", decimal_comma=decimal_comma)
    accepted = made.lines.with_columns(
        pl.col("BASKET_ID").cast(pl.String), pl.lit(None, pl.String).alias(REASON)
    )
    both = pl.concat([accepted, made.rejected.select(accepted.columns)])
    return both.sort(ROW).drop(SOURCE)


def reasons(*lines: Line, decimal_comma: bool = False, labelled: bool = True) -> list[str | None]:
    table = cleaned(list(lines), decimal_comma=decimal_comma, labelled=labelled)
    assert table.height == len(lines)
    return table[REASON].to_list()


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
        ({"SPEND": "NaN"}, "spend_not_a_number"),
        ({"SPEND": "inf"}, "spend_not_a_number"),
        ({"SPEND": "-inf"}, "spend_not_a_number"),
        ({"SPEND": "1e999"}, "spend_not_a_number"),
        ({"SPEND": "0,93"}, "spend_not_a_number"),
        ({"QUANTITY": ""}, "missing_quantity"),
        ({"QUANTITY": "two"}, "quantity_not_an_integer"),
        ({"QUANTITY": "1.5"}, "quantity_not_an_integer"),
        ({"QUANTITY": "nan"}, "quantity_not_an_integer"),
        ({"QUANTITY": "inf"}, "quantity_not_an_integer"),
        ({"QUANTITY": "99999999999"}, "quantity_not_an_integer"),
        ({"QUANTITY": "0"}, "quantity_not_positive"),
        ({"QUANTITY": "-2"}, "quantity_not_positive"),
        ({"QUANTITY": "-2.0"}, "quantity_not_positive"),
        ({"SHOP_WEEK": ""}, "missing_shop_week"),
        ({"SHOP_WEEK": "week 7"}, "shop_week_not_yyyyww"),
        ({"SHOP_WEEK": "200600"}, "shop_week_not_yyyyww"),
        ({"SHOP_WEEK": "200655"}, "shop_week_not_yyyyww"),
        ({"SHOP_WEEK": "20060410"}, "shop_week_not_yyyyww"),
        ({"SHOP_DATE": "10/04/2006"}, "shop_date_not_an_integer"),
        ({"SHOP_WEEKDAY": "Monday"}, "shop_weekday_not_an_integer"),
        ({"SHOP_HOUR": "14:30"}, "shop_hour_not_an_integer"),
        ({LABEL: ""}, "missing_label"),
        ({LABEL: " "}, "missing_label"),
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
        {"SPEND": "-3.20"},
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
    table = cleaned([line(QUANTITY="2.0", SPEND=" -3.20"), line(QUANTITY=" 3 ", SPEND="1e1")])
    assert table["QUANTITY"].to_list() == [2, 3]
    assert table["SPEND"].to_list() == [-3.2, 10.0]


def test_decimal_commas_are_read_where_the_separator_allows_them() -> None:
    given = [line(SPEND="0,93", QUANTITY="2,0"), line(SPEND="1.50")]
    table = cleaned(given, decimal_comma=True)
    assert table["SPEND"].to_list() == [0.93, 1.5]
    assert table["QUANTITY"].to_list() == [2, 1]
    assert reasons(line(SPEND="1.234,56"), decimal_comma=True) == ["spend_not_a_number"]


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
    ids = ["007", "7", " 7", "A-1", "994100100000001"]
    assert cleaned([line(BASKET_ID=text) for text in ids])["BASKET_ID"].to_list() == ids


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        ("9.94E+14", "spreadsheet damage"),
        ("9,94E+14", "spreadsheet damage"),
        ("9.94e14", "spreadsheet damage"),
        ("9E+14", "spreadsheet damage"),
        ("994100100000001.0", "written as a float"),
        ("994100100000001.", "written as a float"),
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
    assert cleaned(table)[REASON].to_list() == [None, "quantity_not_an_integer"]


@given(st.lists(st.text("0123456789+- ", max_size=20).map(str), max_size=5))
def test_ids_are_whole_numbers_only_if_they_come_back_letter_by_letter(ids: list[str]) -> None:
    def comes_back(text: str) -> bool:
        try:
            number = int(text)
        except ValueError:
            return False
        return str(number) == text and -(2**63) <= number < 2**63

    assert whole_numbers(pl.Series(ids, dtype=pl.String)) == all(map(comes_back, ids))


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32])
def test_float_basket_ids_are_refused(dtype: type[pl.DataType]) -> None:
    with pytest.raises(InputError, match=r"BASKET_ID as Float.*15 digits") as caught:
        cleaned(frame([line()]).with_columns(pl.col("BASKET_ID").cast(dtype)))
    assert "64-bit integer or as text" in caught.value.hint


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"x"])
def test_columns_that_no_line_has_are_refused_by_name_and_type(value: object) -> None:
    nested = pl.Series("STORE_CODE", [value])
    with pytest.raises(InputError, match=r"column STORE_CODE as (List|Struct|Binary)"):
        cleaned(frame([line()]).with_columns(nested))


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


def test_settling_rejects_copies_and_contradictions() -> None:
    lines = [
        line(BASKET_ID="1"),
        line(BASKET_ID="1"),
        line(BASKET_ID="2", SHOP_WEEK="200607"),
        line(BASKET_ID="2", SHOP_WEEK="200608"),
        line(BASKET_ID="3"),
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
    kept = Rules(labelled=True, keep_duplicates=True)
    assert settle(clean(frame(lines), kept, source="a"), kept).lines.height == 2

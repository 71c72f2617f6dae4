from pathlib import Path

import pytest

from basketwise.errors import InputError
from basketwise.etl.raw.header import (
    Header,
    check_columns,
    parse_header,
    read_header,
    standard_names,
)
from basketwise.etl.raw.sources import Source
from basketwise.etl.raw.text import Block
from basketwise.schema import COLUMNS

NAMES = tuple(column.name for column in COLUMNS)
REQUIRED = ("BASKET_ID", "PROD_CODE", "SPEND", "QUANTITY", "BASKET_PRICE_SENSITIVITY")


def source(path: Path, content: bytes = b"") -> Source:
    path.write_bytes(content)
    return Source(path.name, path, None, len(content))


@pytest.fixture
def table(tmp_path: Path) -> Source:
    return source(tmp_path / "week.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_finds_the_separator(separator: str) -> None:
    header = parse_header(separator.join(NAMES) + "\r\n")
    assert header.separator == separator
    assert header.names == NAMES


def test_a_quoted_name_may_contain_another_separator() -> None:
    header = parse_header('BASKET_ID;"note, one;two";SPEND')
    assert header.separator == ";"
    assert header.names == ("BASKET_ID", "NOTE, ONE;TWO", "SPEND")


def test_names_are_matched_without_case_and_padding() -> None:
    assert parse_header(" basket_id ,Spend").names == ("BASKET_ID", "SPEND")


def test_positions_are_of_known_columns_only() -> None:
    header = Header(",", ("SEG_1", "SPEND", "BASKET_TYPE", "BASKET_ID"))
    assert header.positions() == {"SPEND": 1, "BASKET_ID": 3}


def header_of(content: bytes) -> tuple[tuple[str, ...], bytes, int]:
    header, end, line = read_header(Block(content, True), "a.csv")
    return header.names, content[end:], line


@pytest.mark.parametrize(
    ("content", "rest", "line"),
    [
        (b"BASKET_ID,SPEND\n1,2\n", b"1,2\n", 1),
        (b"BASKET_ID,SPEND\r\n1,2\r\n", b"1,2\r\n", 1),
        (b"BASKET_ID,SPEND", b"", 1),
        (b"\n \r\nBASKET_ID,SPEND\n1,2\n", b"1,2\n", 3),
        (b"sep=,\nBASKET_ID,SPEND\n1,2\n", b"1,2\n", 2),
    ],
)
def test_reads_the_first_line_that_is_not_blank(content: bytes, rest: bytes, line: int) -> None:
    assert header_of(content) == (("BASKET_ID", "SPEND"), rest, line)


def test_a_header_that_is_not_utf8_names_the_byte() -> None:
    with pytest.raises(InputError, match=r"'a\.csv' is not UTF-8: line 1 .* 0xe9") as e:
        header_of("Café,SPEND\n".encode("latin-1"))
    assert "data.encoding" in e.value.hint


@pytest.mark.parametrize("content", [b"", b"\n", b"  \r\n"])
def test_an_empty_file(content: bytes) -> None:
    with pytest.raises(InputError, match=r"'a\.csv' is empty"):
        header_of(content)


def test_a_table_that_starts_far_below_has_no_header() -> None:
    with pytest.raises(InputError, match="has no header in its first 20 lines"):
        header_of(b"\n" * 20 + b"BASKET_ID,SPEND\n")


def test_all_columns_are_fine(table: Source) -> None:
    check_columns(table.name, NAMES, labelled=True)
    check_columns(table.name, [*REQUIRED, "SOMETHING", "SOMETHING"], labelled=True)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_column_is_named_with_what_was_found(table: Source, missing: str) -> None:
    results = [name for name in (*REQUIRED, "PRICE") if name != missing]
    with pytest.raises(InputError) as caught:
        check_columns(table.name, results, labelled=True)
    assert "'week.csv'" in caught.value.headline
    assert f"lacks the required column {missing}. Found: " in caught.value.headline
    assert ", ".join(results) in caught.value.headline


def test_other_names_can_be_mapped(table: Source) -> None:
    with pytest.raises(InputError, match="lacks the required columns") as caught:
        check_columns(table.name, ["RECEIPT", "DAY", "PRODUCT_ID"], labelled=True)
    assert "'basketwise init --data PATH' maps others" in caught.value.hint


def test_several_missing_columns_are_named_at_once(table: Source) -> None:
    with pytest.raises(InputError, match=r"columns SPEND, QUANTITY\. Found"):
        check_columns(
            table.name, ["BASKET_ID", "PROD_CODE", "BASKET_PRICE_SENSITIVITY"], labelled=True
        )


def test_the_label_is_needed_to_train_only(table: Source) -> None:
    names = [name for name in REQUIRED if name != "BASKET_PRICE_SENSITIVITY"]
    check_columns(table.name, names, labelled=False)
    with pytest.raises(InputError, match="lacks the required column BASKET_PRICE_SENSITIVITY"):
        check_columns(table.name, names, labelled=True)


def test_the_same_column_twice(table: Source) -> None:
    names = parse_header(",".join([*REQUIRED, "spend"])).names
    with pytest.raises(InputError, match="has the column SPEND more than once") as caught:
        check_columns(table.name, names, labelled=True)
    assert "case-insensitive" in caught.value.hint


def test_the_other_set_is_named_with_the_one_to_get(table: Source) -> None:
    header = "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE,STORE_ID,RETAIL_DISC"
    with pytest.raises(InputError, match="The Complete Journey") as caught:
        check_columns(table.name, parse_header(header).names, labelled=True)
    assert "Let's Get Sort-of-Real" in caught.value.hint
    assert "BASKET_PRICE_SENSITIVITY" in caught.value.hint


def test_the_calendar_is_recognised() -> None:
    assert parse_header("shop_week,date_from,date_to").is_calendar
    assert not parse_header("shop_week,date_from,date_to,spend").is_calendar


def test_a_retailers_own_names_stand_for_ours() -> None:
    own = {"BASKET_ID": "TransactionID", "SPEND": "amount"}
    assert parse_header("transactionid;AMOUNT;PROD_CODE;QUANTITY", own).names == (
        "BASKET_ID",
        "SPEND",
        "PROD_CODE",
        "QUANTITY",
    )
    # A column of our name beside the mapped one is something else.
    assert standard_names(["amount", "SPEND"], own) == ("SPEND", "SPEND (not mapped)")
    # Tables that have our names already may come as well.
    assert standard_names(["SPEND"], own) == ("SPEND",)

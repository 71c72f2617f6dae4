import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.lines.accepting import clean_table
from basketwise.etl.lines.cleaning import clean
from basketwise.etl.lines.layout import settle_sources
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw import jsonl
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Source

LINE = {
    "basket_id": 994100100532897,
    "PROD_CODE": "PRD0900001",
    "Spend": 1.50,
    "quantity": 2,
    "BASKET_PRICE_SENSITIVITY": "LA",
}


LABEL = "BASKET_PRICE_SENSITIVITY"
UNLABELLED = {key: value for key, value in LINE.items() if key != LABEL}


def source(tmp_path: Path, *lines: Mapping[str, Any] | str | bytes) -> Source:
    parts = [
        line
        if isinstance(line, bytes)
        else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"\n".join(parts))
    (found,) = discover(str(path))
    return found


def read(given: Source, data: DataConfig | None = None) -> pl.DataFrame:
    return pl.concat((raw.frame for raw in read_raw(given, data)), how="diagonal")


def refusal(given: Source) -> str:
    with pytest.raises(InputError) as caught:
        read(given)
    return caught.value.headline


def test_values_are_as_they_are_written(tmp_path: Path) -> None:
    line = '{"BASKET_ID": 994100100532897123, "PROD_CODE": "1\\u00e9", "SPEND": 1.50, '
    line += '"QUANTITY": 0.10, "BASKET_PRICE_SENSITIVITY": null, "CUST_CODE": true, "x": [1]}'
    (row,) = read(source(tmp_path, "\ufeff" + line, "")).to_dicts()
    assert row == {
        "BASKET_ID": "994100100532897123",
        "PROD_CODE": "1é",
        "SPEND": 1.50,
        "QUANTITY": 0.10,
        "BASKET_PRICE_SENSITIVITY": None,
        "CUST_CODE": "true",
    }


@pytest.mark.parametrize(
    ("spends", "read_as"),
    [
        (["1.50", "2", "1e3", "-0.5", "null"], [1.5, 2.0, 1000.0, -0.5, None]),
        (["1.50", "2", '"2"'], [1.5, 2.0, 2.0]),
        (["1", "2"], ["1", "2"]),
        (['"1.50"', "2"], ["1.50", "2"]),
        (["1.50", '"2,5"'], ["1.50", "2,5"]),
        (["1.50", "NaN"], ["1.50", "NaN"]),
    ],
)
def test_amounts_that_are_all_numbers_come_as_such(
    tmp_path: Path, spends: list[str], read_as: list[object]
) -> None:
    lines = [json.dumps(LINE | {"Spend": 0}).replace(": 0,", f": {text},") for text in spends]
    assert read(source(tmp_path, *lines))["SPEND"].to_list() == read_as


def test_the_point_of_a_number_is_no_separator_of_thousands(tmp_path: Path) -> None:
    given = source(tmp_path, LINE | {"Spend": "1.234,50", "quantity": 1.234})
    for rules in (Rules(), Rules(decimal=","), Rules(usual_decimal=",")):
        rules = settle_sources([given], rules, DataConfig())
        lines = clean(read(given), rules, source="lines").lines
        assert lines.select("SPEND", "QUANTITY").row(0) == (1234.5, 1.234)


@pytest.mark.parametrize("own", ["Spend", "Betrag"])
def test_the_point_of_a_number_marks_no_thousands(tmp_path: Path, own: str) -> None:
    lines = [
        {"BASKET_ID": 1, "PROD_CODE": "A", own: 1.234, "QUANTITY": 1, LABEL: "LA"},
        {"BASKET_ID": 1, "PROD_CODE": "1.234", own: "1.234", "QUANTITY": 1, LABEL: "LA"},
    ]
    data = DataConfig.model_validate({"columns": {} if own == "Spend" else {"SPEND": own}})
    cleaned = clean_table(read(source(tmp_path, *lines), data), Rules(decimal=",")).lines
    assert cleaned.sort("SPEND").select("PROD_CODE", "SPEND").rows() == [
        ("A", 1.234),
        ("1.234", 1234),
    ]


def test_packed_and_with_names_of_its_own(tmp_path: Path) -> None:
    line = {("Sku" if key == "PROD_CODE" else key): value for key, value in LINE.items()}
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(json.dumps(line).encode()))
    (found,) = discover(str(path))
    assert read(found, DataConfig(columns={"PROD_CODE": "sku"}))["PROD_CODE"].to_list() == [
        "PRD0900001"
    ]


def test_keys_may_be_absent_and_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "BATCH", 2)
    no_spend = {key: value for key, value in LINE.items() if key != "Spend"}
    lines = [LINE, no_spend, no_spend, LINE | {"CUST_CODE": "C1"}]
    frame = read(source(tmp_path, *lines))
    assert frame["SPEND"].to_list() == [1.5, None, None, 1.5]
    assert frame["CUST_CODE"].to_list() == [None, None, None, "C1"]


def test_the_label_may_be_on_later_lines_alone(tmp_path: Path) -> None:
    given = source(tmp_path, *[UNLABELLED] * 20, LINE)
    labels = [raw.frame[LABEL].to_list() for raw in read_raw(given, block=10 * jsonl.LINE_BYTES)]
    assert labels == [[None] * 10, [None] * 10, ["LA"]]


def test_a_label_that_never_comes_is_missed(tmp_path: Path) -> None:
    given = source(tmp_path, *[UNLABELLED] * 20)
    assert f"lacks the required column {LABEL}." in refusal(given)
    (raw,) = read_raw(given, labelled=False)
    assert LABEL not in raw.frame.columns


def test_a_label_is_named_with_all_that_is_missing(tmp_path: Path) -> None:
    assert f"PROD_CODE, SPEND, QUANTITY, {LABEL}. Found" in refusal(
        source(tmp_path, {"basket_id": 1})
    )


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ('{"BASKET_ID": 1, ', "not valid JSON Lines: line 3, column 17: Expecting"),
        (b'{"PROD_CODE": "\xe9"}', "not valid JSON Lines: line 3: "),
        ("[" * 100_000, "not valid JSON Lines: line 3: "),
        ("[1, 2]", "line 3 is not an object"),
        ("null", "line 3 is not an object"),
        ('"text"', "line 3 is not an object"),
        ('{"SPEND": 1, "SPEND": 2}', "line 3 has a duplicate key"),
        ('{"Spend": {"amount": 1}}', "has a list or an object as Spend in line 3"),
        ('{"Spend": [["a", 1]]}', "has a list or an object as Spend in line 3"),
        ('{"PROD_CODE": "\\ud800"}', "invalid Unicode between lines 1 and 3"),
        ('{"spend": 1}', "has the column SPEND more than once"),
    ],
)
def test_a_bad_line_refuses_the_file_and_is_named(
    tmp_path: Path, bad: str | bytes, words: str
) -> None:
    assert words in refusal(source(tmp_path, LINE, "  ", bad))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LONGEST_LINE", 1_000)
    long = LINE | {"PROD_CODE": "x" * 2_000}
    assert "more than 1,000 bytes in line 2" in refusal(source(tmp_path, LINE, long))


def test_a_required_column_that_is_absent(tmp_path: Path) -> None:
    assert "lacks the required columns" in refusal(source(tmp_path, {"a": 1}))


def test_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(LINE).encode())[:-10])
    (found,) = discover(str(tmp_path))
    assert "'a.jsonl.gz' is a broken gzip" in refusal(found)


def test_rows_are_numbers_of_lines(tmp_path: Path) -> None:
    (raw,) = read_raw(source(tmp_path, "", LINE, "  ", LINE))
    assert raw.rows.to_list() == [2, 4]


def test_nothing_in_it(tmp_path: Path) -> None:
    (raw,) = read_raw(source(tmp_path, "", ""))
    assert raw.frame.is_empty()

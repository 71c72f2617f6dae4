"""A split that the raw files cannot allow is refused; any other, and any broken file, is not."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import basketwise.etl.preview as preview
from basketwise.config import Config
from basketwise.errors import ConfigError, InputError
from basketwise.etl.gold.split import no_customers, one_week
from basketwise.etl.lines import layout
from basketwise.etl.lines.cleaning import NO_WEEK, clean
from basketwise.etl.lines.rules import Rules
from basketwise.etl.preview import check_split
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Source
from basketwise.schema import CUST_CODE, SHOP_WEEK
from tests.cli.till import without
from tests.raw_lines import Delivery, Line, csv_text, deliveries, line, write_csv

Strategy = Literal["time", "customer"]
STRATIFIED = Config.model_validate({"split": {"strategy": "stratified"}})


def refusal(path: Path, strategy: Strategy = "time", encoding: str = "utf-8") -> str:
    """Return what the split is refused with; empty if it passes."""
    try:
        config = {"data": {"encoding": encoding}, "split": {"strategy": strategy}}
        check_split(discover(str(path)), Config.model_validate(config))
    except ConfigError as error:
        return str(error)
    return ""


ONE_WEEK, NO_WEEKS, NO_CUSTOMERS = map(str, (one_week(200607), one_week(NO_WEEK), no_customers()))
PASSES = ""


def weeks(*values: str) -> list[Line]:
    return [line(SHOP_WEEK=value) for value in values]


def codes(*values: str) -> list[Line]:
    return [line(CUST_CODE=value) for value in values]


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("time", "group 'customer' needs customers"),
        ("stratified", "group 'customer' needs customers"),
        ("customer", "needs customer codes"),
    ],
)
def test_a_group_that_needs_customers_is_refused_without_any(
    tmp_path: Path, strategy: str, words: str
) -> None:
    chosen = {"split": {"strategy": strategy}, "features": {"groups": ["basket", "customer"]}}
    config = Config.model_validate(chosen)
    first, second = line(SHOP_WEEK="200607"), line(SHOP_WEEK="200608", CUST_CODE="")
    write_csv(tmp_path / "a.csv", [first, second])
    check_split(discover(str(tmp_path)), config)
    write_csv(tmp_path / "a.csv", [first | {"CUST_CODE": ""}, second])
    with pytest.raises(ConfigError, match=words):
        check_split(discover(str(tmp_path)), config)


def as_csv(folder: Path, lines: list[Line]) -> None:
    write_csv(folder / "a.csv", lines)


def as_semicolons_with_bom_and_crlf(folder: Path, lines: list[Line]) -> None:
    text = csv_text(lines, separator=";", newline="\r\n")
    (folder / "a.csv").write_bytes(text.encode("utf-8-sig"))


def as_gzip(folder: Path, lines: list[Line]) -> None:
    (folder / "a.csv.gz").write_bytes(gzip.compress(csv_text(lines).encode()))


def as_zip(folder: Path, lines: list[Line]) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/lines.csv", csv_text(lines))


def as_parquet(folder: Path, lines: list[Line]) -> None:
    week = pl.col(SHOP_WEEK).cast(pl.Int64)
    table = pl.DataFrame(lines).with_columns(week).rename(str.lower)
    table.write_parquet(folder / "a.parquet", row_group_size=10)


Write = Callable[[Path, list[Line]], None]
FORMATS: list[Write] = [as_csv, as_semicolons_with_bom_and_crlf, as_gzip, as_zip, as_parquet]


@pytest.fixture(params=FORMATS)
def write(request: pytest.FixtureRequest) -> Write:
    chosen: Write = request.param
    return chosen


@pytest.fixture(params=["large pieces", "small pieces"], autouse=True)
def piece_sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "small pieces":
        monkeypatch.setattr(layout, "FIRST_BYTES", 50)
        monkeypatch.setattr("basketwise.etl.raw.text.BLOCK_BYTES", 400)


def test_time_needs_a_second_week_wherever_it_stands(write: Write, tmp_path: Path) -> None:
    write(tmp_path, weeks(*["200607"] * 40))
    assert refusal(tmp_path) == ONE_WEEK
    write(tmp_path, weeks(*["200607"] * 39, "200608"))
    assert refusal(tmp_path) == PASSES


def test_customer_needs_a_code_wherever_it_stands(write: Write, tmp_path: Path) -> None:
    write(tmp_path, codes(*["", " "] * 20))
    assert refusal(tmp_path, "customer") == NO_CUSTOMERS
    write(tmp_path, codes(*["", " "] * 20, "CUST1"))
    assert refusal(tmp_path, "customer") == PASSES


def test_without_the_columns_there_is_no_week_and_no_customer(write: Write, tmp_path: Path) -> None:
    if write is as_parquet:
        pl.DataFrame(
            without(without(without(weeks("200607"), SHOP_WEEK), "SHOP_DATE"), CUST_CODE)
        ).write_parquet(tmp_path / "a.parquet")
    else:
        write(
            tmp_path, without(without(without(weeks("200607"), SHOP_WEEK), "SHOP_DATE"), CUST_CODE)
        )

    assert refusal(tmp_path) == NO_WEEKS
    assert refusal(tmp_path, "customer") == NO_CUSTOMERS


def test_the_second_week_may_be_that_of_another_file(tmp_path: Path) -> None:
    for number, week in enumerate(["200607", "200607", "200608"]):
        write_csv(tmp_path / f"{number}.csv", weeks(week))

    assert refusal(tmp_path) == PASSES
    assert refusal(tmp_path / "[01].csv") == ONE_WEEK


def test_a_file_without_weeks_counts_as_one_as_it_does_after_cleaning(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", weeks("200607"))
    write_csv(tmp_path / "b.csv", without(weeks("200608"), SHOP_WEEK))

    assert refusal(tmp_path) == PASSES


def test_the_code_may_be_in_another_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", without(codes(""), CUST_CODE))
    write_csv(tmp_path / "b.csv", codes("", "CUST1"))

    assert refusal(tmp_path, "customer") == PASSES
    assert refusal(tmp_path / "a.csv", "customer") == NO_CUSTOMERS


@pytest.mark.parametrize("spelling", ["200608", " 200608 ", "200608.0", "2.00608e5"])
def test_a_week_counts_in_every_spelling_that_cleaning_reads(spelling: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", weeks("200607", spelling))
    assert refusal(tmp_path) == PASSES
    write_csv(tmp_path / "a.csv", weeks("200607", spelling.replace("8", "7")))
    assert refusal(tmp_path) == ONE_WEEK


def test_weeks_may_follow_from_dates(tmp_path: Path) -> None:
    lines = without(weeks("200607", "200608"), SHOP_WEEK)
    write_csv(tmp_path / "a.csv", lines)
    assert refusal(tmp_path) == str(one_week(200615))
    lines[1] |= {"SHOP_DATE": "20060417"}
    write_csv(tmp_path / "a.csv", lines)
    assert refusal(tmp_path) == PASSES


@pytest.mark.parametrize("text", ["", " ", "0", "200600", "200655", "999999", "200608.5", "week 8"])
def test_what_cleaning_refuses_is_no_week(text: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", weeks("200607", text))

    assert refusal(tmp_path) == ONE_WEEK


def test_where_no_line_has_a_usable_week_cleaning_has_the_word(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", weeks("", "week 8"))

    assert refusal(tmp_path) == PASSES


def test_the_calendar_contains_no_lines_and_so_no_weeks(tmp_path: Path) -> None:
    (tmp_path / "time.csv").write_text("shop_week,date_from,date_to\n200607,1,2\n200608,3,4\n")
    assert refusal(tmp_path) == PASSES
    assert refusal(tmp_path, "customer") == PASSES

    write_csv(tmp_path / "till.csv", weeks("200607"))
    assert refusal(tmp_path) == ONE_WEEK


def test_separators_inside_of_quotes(tmp_path: Path) -> None:
    tricky = [line(SHOP_WEEK="200607", PROD_CODE='a "1,2", 3,4' * n) for n in range(1, 9)]
    write_csv(tmp_path / "a.csv", tricky)
    assert refusal(tmp_path) == ONE_WEEK
    write_csv(tmp_path / "a.csv", [*tricky, *weeks("200608")])
    assert refusal(tmp_path) == PASSES


def test_text_in_another_encoding(tmp_path: Path) -> None:
    text = csv_text([line(CUST_CODE="", PROD_CODE="Gülle"), line(CUST_CODE="Müller")])
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))

    assert refusal(tmp_path, "customer", "latin-1") == PASSES
    assert refusal(tmp_path, "time", "latin-1") == ONE_WEEK


def test_a_stratified_split_opens_no_file(tmp_path: Path) -> None:
    check_split([Source("a.csv", tmp_path / "a.csv", None, 1)], STRATIFIED)


def cut(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-40])


def cut_gzip(folder: Path) -> None:
    as_gzip(folder, [line(SHOP_WEEK="200607", PROD_CODE=f"PRD{n}") for n in range(400)])
    cut(folder, "a.csv.gz")


def no_gzip(folder: Path) -> None:
    (folder / "a.csv.gz").write_bytes(csv_text(weeks("200607")).encode())


def spoiled_zip(folder: Path) -> None:
    as_zip(folder, [line(SHOP_WEEK="200607", PROD_CODE=f"PRD{n}") for n in range(400)])
    data = bytearray((folder / "a.zip").read_bytes())
    data[200:264] = b"\xff" * 64
    (folder / "a.zip").write_bytes(data)


def cut_parquet(folder: Path) -> None:
    as_parquet(folder, weeks("200607"))
    cut(folder, "a.parquet")


def another_encoding(folder: Path) -> None:
    text = csv_text([line(SHOP_WEEK="200607", PROD_CODE="Gülle")])
    (folder / "a.csv").write_bytes(text.encode("latin-1"))


def text(written: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "a.csv").write_text(written)

    return write


UNREADABLE: list[Callable[[Path], None]] = [
    cut_gzip,
    no_gzip,
    spoiled_zip,
    cut_parquet,
    another_encoding,
    text(""),
    text(csv_text(without(weeks("200607"), "SPEND"))),
    text("household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE\n1,2,1,3,1,1.39\n"),
]


@pytest.mark.parametrize("corrupt", UNREADABLE)
def test_what_cannot_be_read_is_left_to_the_reader(
    corrupt: Callable[[Path], None], tmp_path: Path
) -> None:
    raw, scratch = tmp_path / "raw", tmp_path / "scratch"
    raw.mkdir()
    scratch.mkdir()
    corrupt(raw)

    assert refusal(raw, "time") == PASSES
    with pytest.raises(InputError):
        list(read_raw(discover(str(raw))[0]))


def test_an_empty_parquet_file_is_left_to_the_reader(tmp_path: Path) -> None:
    lines = pl.DataFrame(without(weeks("200607"), SHOP_WEEK)).clear()
    lines.write_parquet(tmp_path / "a.parquet")

    assert refusal(tmp_path, "time") == PASSES


def test_a_second_week_in_the_next_file_costs_some_lines_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "FIRST_BYTES", 1_000)
    pieces: list[int] = []
    values = preview._values

    def counted(raw: RawFrame, column: str, rules: Rules) -> set[Any]:
        pieces.append(raw.records)
        return values(raw, column, rules)

    monkeypatch.setattr(preview, "_values", counted)
    for number, week in enumerate(["200607", "200608", "200609"]):
        write_csv(tmp_path / f"{number}.csv", weeks(*[week] * 200))

    assert refusal(tmp_path) == PASSES
    assert len(pieces) == 2
    assert max(pieces) < 20


def accepted(delivery: Delivery, folder: Path) -> pl.DataFrame:
    """Clean the whole delivery, as the silver stage does."""
    delivery.write(folder)
    frames = [
        clean(
            raw.frame,
            Rules(labelled=True),
            source=source.name,
        ).lines.with_columns(pl.col("BASKET_ID").cast(pl.String))
        for source in discover(str(folder))
        for raw in read_raw(source)
    ]
    return pl.concat(frames)


@settings(max_examples=25)
@given(deliveries(integer_ids=True), st.sampled_from([50, 2**16]))
def test_nothing_is_refused_that_cleaning_leaves_possible(delivery: Delivery, size: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FIRST_BYTES", size)
        patch.setattr("basketwise.etl.raw.text.BLOCK_BYTES", size)
        lines = accepted(delivery, Path(folder))
        if lines[SHOP_WEEK].n_unique() >= 2:
            assert refusal(Path(folder), "time") == PASSES
        if lines[CUST_CODE].count():
            assert refusal(Path(folder), "customer") == PASSES

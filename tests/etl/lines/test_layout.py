from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import polars as pl
import pytest

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.lines import evidence, layout
from basketwise.etl.lines.accepting import clean_table
from basketwise.etl.lines.layout import settle_frame, settle_sources
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.witnesses import witnesses
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.sources import Source
from tests.etl.running import run_intake
from tests.raw_lines import Line, line, write_csv


def settled(path: Path, rules: Rules | None = None) -> Rules:
    return settle_sources(discover(str(path)), rules or Rules(labelled=True), DataConfig())


def dated(*dates: str) -> list[Line]:
    """Return lines without a week, whose dates are text."""
    made = [line(SHOP_DATE=text) for text in dates]
    return [{k: v for k, v in one.items() if k != "SHOP_WEEK"} for one in made]


@pytest.mark.parametrize(
    ("amounts", "decimal"),
    [
        (["1.50", "1,234.50"], "."),
        (["1,50", "1.234,50"], ","),
        (["1,234", "0,5"], ","),
        (["1,234", "0.5"], "."),
        (["1", "2"], ""),
        (["1,234", "2"], ""),
        (["1,50", "1.50"], ".,"),
        (["1,50", "1.50", "1.234"], ".,"),
    ],
)
def test_the_decimal_mark_is_told_by_values(
    tmp_path: Path, amounts: list[str], decimal: str
) -> None:
    write_csv(tmp_path / "a.csv", [line(SPEND=text) for text in amounts])
    assert settled(tmp_path).decimal == decimal


def test_files_with_semicolons_have_decimal_commas_where_values_do_not_tell(
    tmp_path: Path,
) -> None:
    write_csv(tmp_path / "a.csv", [line(SPEND="1,234")], separator=";")
    assert settled(tmp_path).decimal == ","


@pytest.mark.parametrize(("amount", "decimal"), [("1,234", ","), ("1,50", ","), ("1.50", ".")])
def test_the_usual_mark_counts_where_values_do_not_tell(
    tmp_path: Path, amount: str, decimal: str
) -> None:
    write_csv(tmp_path / "a.csv", [line(SPEND=amount)])
    assert settled(tmp_path, Rules(usual_decimal=",")).decimal == decimal


def test_the_setting_comes_first(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [line(SPEND="1,50")])
    assert settled(tmp_path, Rules(decimal=".")).decimal == "."


@pytest.mark.parametrize(
    ("dates", "date_format"),
    [
        (["2025-01-06"], "%Y-%m-%d"),
        (["2025-01-06 13:30:00"], "%Y-%m-%d %H:%M:%S"),
        (["2025-01-06T13:30:00.5Z"], "%Y-%m-%dT%H:%M:%S%.f"),
        (["2025-01-06 13:30:00 -0500"], "%Y-%m-%d %H:%M:%S"),
        (["2025-01-06 13:30:00+01", "2025-01-06 13:30:00-05"], "%Y-%m-%d %H:%M:%S"),
        (["2025-01-06 13:30:00 GMT"], "%Y-%m-%d %H:%M:%S"),
        (["20250106 13:30:00"], "%Y%m%d %H:%M:%S"),
        (["06JAN2025:13:30:00"], "%d%b%Y:%H:%M:%S"),
        (["06Jan2025"], "%d %b %Y"),
        (["06.01.2025", "6.1.2025"], "%d.%m.%Y"),
        (["13/01/2025", "01/02/2025"], "%d/%m/%Y"),
        (["1/13/2025 8:26"], "%m/%d/%Y %H:%M"),
        (["1/13/25 1:05 PM"], "%m/%d/%y %I:%M %p"),
        (["06-Jan-2025"], "%d-%b-%Y"),
        (["20250106"], "%Y%m%d"),
        (["1736170200"], "epoch seconds"),
        (["1736170200000"], "epoch milliseconds"),
        (["05/05/2025", "06/06/2025"], "%d/%m/%Y"),
        (["13/01/2025", "", "NULL", "soon"], "%d/%m/%Y"),
    ],
)
def test_the_format_of_dates_is_told_by_values(
    tmp_path: Path, dates: list[str], date_format: str
) -> None:
    write_csv(tmp_path / "a.csv", dated(*dates))
    assert settled(tmp_path).date_format == date_format


def test_more_lines_are_read_where_the_first_can_be_read_in_two_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "FIRST_BYTES", 100)
    write_csv(tmp_path / "a.csv", dated(*["01/02/2025"] * 50, "13/02/2025"))
    assert settled(tmp_path).date_format == "%d/%m/%Y"


@pytest.mark.parametrize(
    ("first", "decimal", "by_table"),
    [
        ("1,50", ".,", {"a.csv": ",", "b.csv": ".", "c.csv": ","}),
        ("1", ".,", {"a.csv": "", "b.csv": ".", "c.csv": ","}),
        ("1.50", ".", {}),
    ],
)
def test_beginnings_of_all_tables_are_looked_at_where_there_are_decimal_commas(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    decimal: str,
    by_table: dict[str, str],
) -> None:
    monkeypatch.setattr(layout, "FIRST_TABLES", 1)
    write_csv(tmp_path / "a.csv", [line(SPEND=first)])
    write_csv(tmp_path / "b.csv", [line(SPEND="1.50")])
    write_csv(tmp_path / "c.csv", [line(SPEND="1,50")])
    rules = settled(tmp_path)
    assert rules.decimal == decimal
    expected = {table: {"QUANTITY": mark, "SPEND": mark} for table, mark in by_table.items()}
    assert rules.decimal_by_table == expected
    assert "decimal_by_table" not in rules.model_dump()


@pytest.mark.parametrize("door", ["csv", "frame"])
def test_each_column_has_its_own_decimal_mark(tmp_path: Path, door: str) -> None:
    amounts = [("12,50", "0.456"), ("1.234", "1.234"), ("2", "3")]
    lines = [line(SPEND=spend, QUANTITY=quantity) for spend, quantity in amounts]
    if door == "frame":
        made = clean_table(pl.DataFrame(lines)).lines
    else:
        write_csv(tmp_path / "raw/a.csv", lines)
        result = run_intake(tmp_path / "raw", tmp_path / "out", settled(tmp_path / "raw"))
        made = result.accepted
        assert result.intake.warnings() == []
    assert sorted(made.select("SPEND", "QUANTITY").rows()) == [(2, 3), (12.5, 0.456), (1234, 1.234)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(("later", "decimal"), [("12,50", ","), ("12.50", "."), ("12", "")])
def test_more_lines_are_read_where_the_first_amounts_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str, decimal: str, separator: str
) -> None:
    monkeypatch.setattr(layout, "FIRST_BYTES", 100)
    amounts = ["3"] * 50 + [later, "1"]
    lines = [line(SPEND=text, PROD_CODE='12" RULER') for text in amounts]
    write_csv(tmp_path / "a.csv", lines, separator=separator)
    assert settled(tmp_path).decimal == decimal


@pytest.mark.parametrize(
    ("usual", "later", "name", "decimal", "read"),
    [
        ("", "12.50", "RULER", "", []),
        ("", "12.50", '12" RULER', ".", ["b.csv"]),
        ("", "12,50", "RULER", ",", ["b.csv"]),
        (",", "12.50", "RULER", ".", ["a.csv", "b.csv"]),
    ],
)
def test_files_in_which_no_comma_can_be_are_not_read_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    usual: Literal["", ","],
    later: str,
    name: str,
    decimal: str,
    read: list[str],
) -> None:
    monkeypatch.setattr(layout, "FIRST_BYTES", 100)
    names: list[str] = []

    def noting(sources: Iterable[Source], *given: Any, **options: Any) -> Iterator[RawFrame]:
        for source in sources:
            names.append(source.name)
            yield from whole([source], *given, **options)

    whole = layout.whole
    monkeypatch.setattr(layout, "whole", noting)
    write_csv(tmp_path / "a.csv", [line(SPEND="3")] * 20)
    amounts = ["3"] * 20 + [later]
    write_csv(tmp_path / "b.csv", [line(SPEND=text, PROD_CODE=name) for text in amounts])
    assert settled(tmp_path, Rules(labelled=True, usual_decimal=usual)).decimal == decimal
    assert names == read


@pytest.mark.parametrize("weeks", [False, True])
@pytest.mark.parametrize("times", [[""], [f" 09:{n // 60:02d}:{n % 60:02d}" for n in range(70)]])
def test_lines_of_one_day_do_not_tell_day_and_month_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weeks: bool, times: list[str]
) -> None:
    monkeypatch.setattr(layout, "FIRST_BYTES", 100)
    monkeypatch.setattr(evidence, "FEW_DATES", 5)
    first = [f"01/01/2025{time}" for time in times] * 20
    later = [f"01/02/2025{time}" for time in times]
    lines = [one | ({"SHOP_WEEK": "202501"} if weeks else {}) for one in dated(*first, *later)]
    write_csv(tmp_path / "a.csv", lines)
    with pytest.raises(InputError, match=r"'01/02/2025.*', can be read as %d/.* and as %m/"):
        settled(tmp_path)
    write_csv(tmp_path / "b.csv", dated(*first, *later, f"01/13/2025{times[0]}"))
    assert settled(tmp_path / "b.csv").date_format.startswith("%m/%d/%Y")
    write_csv(tmp_path / "b.csv", dated(*first))
    assert settled(tmp_path / "b.csv").date_format.startswith("%d/%m/%Y")


def test_dates_that_can_be_read_in_two_ways_are_asked_about(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", dated("01/02/2025", "03/02/2025"))
    with pytest.raises(InputError, match=r"'01/02/2025', can be read as %d/%m/%Y and as") as error:
        settled(tmp_path)
    assert "data.date_format" in error.value.hint
    # Who asks a server or calls a method of a model has no setting.
    assert "write the dates as YYYY-MM-DD" in error.value.hint
    write_csv(tmp_path / "b.csv", dated("2025-02-01", "2025-02-03"))
    assert settled(tmp_path / "b.csv").date_format == "%Y-%m-%d"
    (tmp_path / "b.csv").unlink()
    assert settled(tmp_path, Rules(date_format="%m/%d/%Y")).date_format == "%m/%d/%Y"


def test_dates_of_no_format_are_named_where_weeks_follow_from_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", dated("some day"))
    with pytest.raises(InputError, match="'some day', have no format that is known"):
        settled(tmp_path)
    write_csv(tmp_path / "a.csv", [line(SHOP_DATE="some day")])
    assert settled(tmp_path).date_format == ""


@pytest.mark.parametrize("weeks", [False, True])
def test_dates_in_several_formats_are_shown_side_by_side(tmp_path: Path, weeks: bool) -> None:
    first, second = dated("2025-01-06", "2025-01-07"), dated("13/01/2025")
    for number, lines in enumerate((first, second, first)):
        given = [one | {"SHOP_WEEK": "202502"} for one in lines] if weeks else lines
        write_csv(tmp_path / f"{number}.csv", given)
    with pytest.raises(InputError, match=r"'2025-01-06' and '13/01/2025', are written") as error:
        settled(tmp_path)
    assert "Write them alike" in error.value.hint
    assert settled(tmp_path, Rules(date_format="%d/%m/%Y")).date_format == "%d/%m/%Y"


def test_of_dates_with_two_readings_the_one_that_fits_no_more_is_shown(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", dated("01/02/2025", "13/02/2025", "02/13/2025"))
    with pytest.raises(InputError, match=r"'01/02/2025' and '02/13/2025', are written"):
        settled(tmp_path)


def test_a_file_of_another_kind_is_looked_at_wherever_it_is(tmp_path: Path) -> None:
    typed = pl.DataFrame(dated("")).with_columns(pl.lit(date(2025, 1, 6)).alias("SHOP_DATE"))
    for number in range(20):
        typed.write_parquet(tmp_path / f"{number:02d}.parquet")
    write_csv(tmp_path / "00b.csv", dated("31.01.2025"))
    assert settled(tmp_path).date_format == "%d.%m.%Y"


@pytest.mark.parametrize("first", ["a", "z"])
def test_a_file_without_a_readable_date_does_not_hide_the_format(
    tmp_path: Path, first: str
) -> None:
    write_csv(tmp_path / f"{first}.csv", dated("soon", "later"))
    write_csv(tmp_path / "m.csv", dated("2025-01-06"))
    assert settled(tmp_path).date_format == "%Y-%m-%d"


def test_a_models_format_is_replaced_where_it_does_not_fit(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", dated("2025-01-13"))
    assert settled(tmp_path, Rules(date_format="%d/%m/%Y")).date_format == "%Y-%m-%d"


@pytest.mark.parametrize(
    "dtype", [pl.Categorical, pl.Binary, pl.Enum(["1.234", "1,5", "6.1.2025"])]
)
def test_text_is_looked_at_in_any_type(dtype: pl.DataType) -> None:
    text = pl.Series(["1.234", "1,5"])
    frame = pl.DataFrame({"SPEND": text, "SHOP_DATE": ["6.1.2025", None]}).cast(dtype)
    rules = settle_frame(frame, Rules())
    assert (rules.decimal, rules.date_format) == (",", "%d.%m.%Y")
    assert settle_frame(witnesses(frame, Rules()), Rules()) == rules


def test_typed_columns_need_no_look() -> None:
    frame = pl.DataFrame({"SPEND": [1.5], "QUANTITY": [1], "SHOP_DATE": [20250106]})
    rules = Rules()
    assert settle_frame(frame, rules) is rules


def test_of_a_parquet_file_some_rows_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    pl.DataFrame([line(SPEND=str(number)) for number in range(2_000)]).write_parquet(path)
    (raw,) = layout.glimpses(discover(str(path)), DataConfig(), block=2**14)
    assert raw.frame.height == 2**14 // layout.LINE_BYTES
    assert raw.frame["SPEND"].to_list() == [str(number) for number in range(raw.frame.height)]


def test_unchanged_files_are_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "lines.csv", [line(SPEND="1,50")])
    looked = mock.Mock(side_effect=layout.glimpses)
    monkeypatch.setattr(layout, "glimpses", looked)
    assert [settled(path).decimal for _ in range(2)] == [",", ","]
    assert looked.call_count == 1
    assert settled(path, Rules(labelled=True, decimal=".")).decimal == "."
    write_csv(path, [line(SPEND="11.50")])
    assert settled(path).decimal == "."
    assert looked.call_count == 3
    sources = discover(str(path))
    path.unlink()
    with pytest.raises(InputError):
        settle_sources(sources, Rules(labelled=True), DataConfig())


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["1.234", "0,5"]), pl.Binary])
def test_the_decimal_mark_is_told_by_text_however_it_is_stored(dtype: pl.DataType) -> None:
    text = pl.DataFrame([line(SPEND="1.234"), line(SPEND="0,5")])
    lines = text.with_columns(pl.col("SPEND").cast(dtype))
    assert settle_frame(lines, Rules()).decimal == ","
    assert clean_table(lines).lines["SPEND"].to_list() == [0.5, 1234]


def test_dates_are_settled_however_text_is_stored() -> None:
    text = pl.DataFrame(dated("25/02/2025", "24/02/2025"))
    assert clean_table(text).lines["SHOP_DATE"].to_list() == [20250224, 20250225]
    for dtype in (pl.Categorical, pl.Binary):
        lines = text.with_columns(pl.col("SHOP_DATE").cast(dtype))
        assert clean_table(lines).lines.equals(clean_table(text).lines)


def test_bytes_that_are_no_text_are_refused_where_they_are_read() -> None:
    text = pl.DataFrame([line(SPEND="1.5"), line(SPEND="0,5")])
    lines = text.with_columns(pl.Series("SPEND", [b"\xff", b"0,5"]))
    assert settle_frame(lines, Rules()).decimal == ""
    with pytest.raises(InputError, match="SPEND as Binary that is not UTF-8"):
        clean_table(lines)

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.lines.cleaning import clean
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw import parquet_reading
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.reading import read_raw
from tests.raw_lines import Line, csv_text, line, write_csv

LINES = [
    line(BASKET_ID=f"{number // 4}", PROD_CODE=f"PRD{number * 7 % 11}", SPEND=f"{number}.25")
    for number in range(40)
]


@pytest.fixture(params=["whole", "in batches"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every test that asks for it reads small files in one piece and in batches."""
    batches = bool(request.param == "in batches")
    if batches:
        in_batches(monkeypatch)
    return batches


def in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_reading, "WHOLE_BELOW", 0)
    monkeypatch.setattr(parquet_reading, "BATCH_ROWS", 7)
    monkeypatch.setattr("basketwise.etl.raw.text.BLOCK_BYTES", 500)


def read(path: Path, *, encoding: str = "utf-8", labelled: bool = True) -> pl.DataFrame:
    (source,) = discover(str(path))
    frames = list(read_raw(source, DataConfig(encoding=encoding), labelled=labelled))
    rows = [row for raw in frames for row in (*raw.rows, *raw.malformed["row"])]
    assert sorted(rows) == list(range(1, len(rows) + 1))
    assert len(rows) == sum(raw.records for raw in frames)
    return pl.concat(raw.frame for raw in frames)


def malformed(path: Path) -> list[tuple[int, str]]:
    (source,) = discover(str(path))
    return [line for raw in read_raw(source) for line in raw.malformed.iter_rows()]


def expected(lines: list[Line]) -> pl.DataFrame:
    return pl.DataFrame(lines).with_columns(pl.col(pl.String).replace("", None))


def as_csv(path: Path) -> Path:
    return write_csv(path.with_suffix(".csv"), LINES)


def as_crlf(path: Path) -> Path:
    path = path.with_suffix(".csv")
    path.write_bytes(csv_text(LINES, newline="\r\n").encode())
    return path


def as_bom(path: Path) -> Path:
    path = path.with_suffix(".csv")
    path.write_bytes(csv_text(LINES).encode("utf-8-sig"))
    return path


def as_semicolons(path: Path) -> Path:
    return write_csv(path.with_suffix(".csv"), LINES, separator=";")


def as_gzip(path: Path) -> Path:
    path = path.with_suffix(".csv.gz")
    path.write_bytes(gzip.compress(csv_text(LINES).encode()))
    return path


def as_zip(path: Path) -> Path:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/lines.csv", csv_text(LINES))
    return path


def as_parquet(path: Path) -> Path:
    path = path.with_suffix(".parquet")
    pl.DataFrame(LINES).rename({"SPEND": "Spend"}).write_parquet(path)
    return path


FORMATS = [as_csv, as_crlf, as_bom, as_semicolons, as_gzip, as_zip, as_parquet]


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.usefixtures("either_way")
def test_every_format_gives_the_same_lines(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    frame = read(write(tmp_path / "lines"))
    assert_frame_equal(
        frame, expected(LINES), check_column_order=False, check_dtypes=False, check_row_order=True
    )


@pytest.mark.parametrize("write", [as_csv, as_gzip, as_parquet])
def test_large_tables_come_in_batches(
    tmp_path: Path, write: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = discover(str(write(tmp_path / "lines")))
    assert len(list(read_raw(source))) == 1
    in_batches(monkeypatch)
    assert len(list(read_raw(source))) > 1


@pytest.mark.parametrize(("separator", "decimal_comma"), [(",", False), (";", True), ("\t", False)])
def test_decimal_commas_may_be_in_files_with_semicolons(
    tmp_path: Path, separator: str, decimal_comma: bool
) -> None:
    path = write_csv(tmp_path / "lines.csv", LINES, separator=separator)
    (frame,) = read_raw(discover(str(path))[0])
    assert frame.decimal_comma is decimal_comma


def test_csv_values_come_as_they_were_delivered(tmp_path: Path) -> None:
    odd = line(BASKET_ID="007", SPEND=" 1,50", QUANTITY="2.0", PROD_CODE='a "quoted", name')
    frame = read(write_csv(tmp_path / "odd.csv", [odd]))
    assert frame.row(0, named=True) == odd


def test_unknown_columns_and_the_vendors_labels_are_left_out(tmp_path: Path) -> None:
    extra = {"BASKET_TYPE": "Top Up", "seg_1": "AZ", "OTHER": "1"}
    frame = read(write_csv(tmp_path / "a.csv", [extra | line(), extra | line()]))
    assert set(frame.columns) == set(line())


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pl.DataFrame(LINES).with_columns(
        pl.col("BASKET_ID").cast(pl.Int64), pl.col("SPEND").cast(pl.Float32)
    )
    table = table.with_columns(pl.col("BASKET_PRICE_SENSITIVITY").cast(pl.Categorical))
    table.write_parquet(tmp_path / "a.parquet")
    frame = read(tmp_path / "a.parquet")
    assert frame.schema["BASKET_ID"] == pl.Int64
    assert frame.schema["SPEND"] == pl.Float32
    assert frame["BASKET_PRICE_SENSITIVITY"].to_list() == ["MM"] * 40


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".zip"])
def test_other_encodings(tmp_path: Path, suffix: str) -> None:
    content = csv_text([*LINES, line(STORE_REGION="Château")]).encode("latin-1")
    path = tmp_path / f"a{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", content)
    else:
        path.write_bytes(content if suffix == ".csv" else gzip.compress(content))
    assert read(path, encoding="latin-1")["STORE_REGION"][-1] == "Château"
    with pytest.raises(InputError, match="is not UTF-8: line 42 contains the byte 0xe2") as caught:
        read(path)
    assert "'latin-1' or 'cp1252'" in caught.value.hint


def test_a_byte_that_the_encoding_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text([*LINES, line(STORE_REGION="?")]).encode().replace(b"?", b"\x81"))
    with pytest.raises(InputError, match="is not CP1252: line 42 contains the byte 0x81"):
        read(path, encoding="cp1252")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (",".join("x" * 19), "too_many_fields"),
        ("200607,20060410", "too_few_fields"),
        ('"200607,20060410', "unclosed_quote"),
    ],
)
def test_a_malformed_line_is_refused_by_itself(tmp_path: Path, bad: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    rest = csv_text(LINES).partition("\n")[2]
    path.write_text(csv_text(LINES) + bad + "\n" + rest)
    assert_frame_equal(read(path), expected(LINES + LINES), check_column_order=False)
    assert malformed(path) == [(41, reason)]


def test_a_table_of_malformed_lines_alone_is_refused_with_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    header, *lines = csv_text(LINES).splitlines()
    path.write_text("\n".join([header, *(f"{text},1" for text in lines)]))
    with pytest.raises(InputError, match=r"'a\.csv' has 18 fields in line 2 .* has 17"):
        read(path)
    path.write_text(f'{header}\n"{lines[0]}\n')
    with pytest.raises(InputError, match=r"no line that can be read; line 2: unclosed quote"):
        read(path)


def test_an_ignored_column_hides_no_field(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    header, first, *rest = csv_text([{"NAME": "Item"} | one for one in LINES]).splitlines()
    path.write_text("\n".join([header, first.replace("Item", "Yoghurt, 4"), *rest]))
    assert_frame_equal(read(path), expected(LINES[1:]), check_column_order=False)
    assert malformed(path) == [(1, "too_many_fields")]


@pytest.mark.parametrize("name", ['5" x', 'Big "x"'])
def test_a_quote_within_a_field_is_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    header, *lines = csv_text([{"NAME": "Item"} | one for one in LINES]).splitlines()
    lines[20] = lines[20].replace("Item", name)
    path.write_text("\n".join([header, *lines]))
    assert_frame_equal(read(path), expected(LINES), check_column_order=False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_columns_that_were_found_are_named_as_they_are_written(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "Week=7"
    folder.mkdir()
    frame = pl.DataFrame({"Receipt No": ["1"], "sku": ["A"], "Spend": ["1.5"]})
    path = folder / f"part{suffix}"
    if suffix == ".csv":
        frame.write_csv(path)
    elif suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_ndjson(path)
    (source,) = discover(str(tmp_path))
    with pytest.raises(InputError, match="Found: Receipt No, sku, Spend, Week") as caught:
        list(read_raw(source, DataConfig(columns={"PROD_CODE": "SKU"})))
    assert "lacks the required columns BASKET_ID, QUANTITY" in caught.value.headline


def test_blank_lines_are_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n" + csv_text(LINES).replace("\n", "\n\n"))
    (raw,) = read_raw(discover(str(path))[0])
    assert_frame_equal(raw.frame, expected(LINES), check_column_order=False)
    assert raw.records == 40
    assert raw.rows.to_list() == list(range(2, 82, 2))


@pytest.mark.parametrize(
    ("write", "encoding"),
    [
        (lambda text: text.replace("\n", "\r").encode(), "utf-8"),
        (lambda text: text.replace("\n", "\r", 1).encode(), "utf-8"),
        (lambda text: text.replace("\n", "\r", 1).replace("\n", "\r\n").encode(), "utf-8"),
        (lambda text: text.replace("\n", "\r").replace("\r", "\n", 1).encode(), "utf-8"),
        (lambda text: text.encode("utf-16"), "utf-8"),
        (lambda text: ("\ufeff" + text).encode("utf-16-be"), "latin-1"),
        (lambda text: text.encode("utf-8-sig"), "cp1252"),
        (lambda text: ("sep=,\n" + text).encode(), "utf-8"),
    ],
)
def test_what_other_programs_write(
    tmp_path: Path, write: Callable[[str], bytes], encoding: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(write(csv_text([*LINES, line(STORE_REGION="Château")])))
    assert read(path, encoding=encoding)["STORE_REGION"][-1] == "Château"


def test_a_line_without_end_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("basketwise.etl.raw.text.LONGEST_LINE", 100)
    monkeypatch.setattr("basketwise.etl.raw.text.BLOCK_BYTES", 1_000)
    path = tmp_path / "a.csv"
    path.write_text(csv_text(LINES) + "x" * 10_000)
    with pytest.raises(InputError, match=r"'a\.csv' has a line of more than .* \(line 42\)"):
        read(path)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("damage", ["truncated", "no end", "flipped", "wrong checksum"])
def test_a_broken_gzip(tmp_path: Path, damage: str) -> None:
    content = bytearray(gzip.compress(csv_text(LINES * 50).encode()))
    if damage == "truncated":
        del content[len(content) // 2 :]
    elif damage == "no end":
        del content[-4:]
    else:
        content[len(content) // 2 if damage == "flipped" else -6] ^= 0xFF
    path = tmp_path / "a.csv.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"'a\.csv\.gz' is a broken gzip") as caught:
        read(path)
    assert "none of it was used" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("position", [0.02, 0.5])
def test_a_broken_zip_member(tmp_path: Path, encoding: str, position: float) -> None:
    path = as_zip(tmp_path / "a")
    content = bytearray(path.read_bytes())
    start = 50 + int(position * len(content))
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"'a\.zip/deep/lines\.csv' is a broken zip"):
        read(path, encoding=encoding)


@pytest.mark.usefixtures("either_way")
def test_a_broken_parquet(tmp_path: Path) -> None:
    path = as_parquet(tmp_path / "a")
    content = bytearray(path.read_bytes())
    content[4:200] = b"\x00" * 196
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"'a\.parquet' cannot be read as Parquet"):
        read(path)
    path.write_bytes(bytes(content[:100]))
    with pytest.raises(InputError, match=r"'a\.parquet' cannot be read as Parquet"):
        read(path)


def test_a_header_alone_gives_an_empty_frame(tmp_path: Path) -> None:
    header = csv_text([line()]).splitlines()[0]
    for end in ("", "\n"):
        (tmp_path / "a.csv").write_text(header + end)
        assert read(tmp_path / "a.csv").shape == (0, 17)
    pl.DataFrame(LINES).clear().write_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").shape == (0, 17)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"'a\.csv' is empty"):
        read(tmp_path / "a.csv")


def test_the_calendar_gives_no_lines(tmp_path: Path) -> None:
    calendar = {"shop_week": "200607", "date_from": "20060410", "date_to": "20060416"}
    write_csv(tmp_path / "time.csv", [calendar])
    pl.DataFrame([calendar]).write_parquet(tmp_path / "time.parquet")
    for source in discover(str(tmp_path)):
        assert list(read_raw(source)) == []


def test_the_label_may_be_absent_from_lines_to_predict(tmp_path: Path) -> None:
    unlabelled = [
        {k: v for k, v in item.items() if k != "BASKET_PRICE_SENSITIVITY"} for item in LINES
    ]
    for path in (
        write_csv(tmp_path / "a.csv", unlabelled),
        tmp_path / "a.parquet",
    ):
        if path.suffix == ".parquet":
            pl.DataFrame(unlabelled).write_parquet(path)
        assert read(path, labelled=False).height == 40
        with pytest.raises(InputError, match="BASKET_PRICE_SENSITIVITY"):
            read(path)


NUMBERS = [
    *("1", "+1", "-1", "007", "-0", "1_000", "0x10", "1e3", "1.", "1.0", ".5", "+.5", "--1", "1f"),
    *("inf", "nan", "NULL", "1e400", "2147483648", "1,5", "1e", "1.5.2", "٣", "'1", ".", "-", "e"),
    *(
        "1230",
        "0930",
        "0012",
        "012",
        "",
        "Mon",
        "200607",
        "1/2",
        "−1",
        "179769313486231580793e289",
        "n/a",
    ),
]


@pytest.mark.parametrize("column", ["SPEND", "QUANTITY", "SHOP_WEEK", "SHOP_WEEKDAY", "SHOP_HOUR"])
def test_numbers_are_the_same_read_as_such_or_as_text(tmp_path: Path, column: str) -> None:
    rules = Rules(labelled=True)
    for number, value in enumerate(NUMBERS):
        path = tmp_path / f"{number}.csv"
        write_csv(path, [line(), line(PROD_CODE="PRD0900002") | {column: value}])
        as_text, as_numbers = (
            clean(pl.concat(raw.frame for raw in frames), rules, source="a")
            for frames in (
                read_raw(discover(str(path))[0], numbers=numbers) for numbers in (False, True)
            )
        )
        assert_frame_equal(as_numbers.lines, as_text.lines)
        assert_frame_equal(as_numbers.rejected, as_text.rejected)


def test_plain_numbers_are_read_as_such_and_others_as_text(tmp_path: Path) -> None:
    plain, comma, blank = ({"SPEND": spend} for spend in ("0.93", '"0,93"', " 0.93"))
    for number, (values, dtype) in enumerate(
        ((plain, pl.Float64), (comma, pl.String), (blank, pl.String))
    ):
        path = tmp_path / f"{number}.csv"
        write_csv(path, [line(), line() | values])
        (raw,) = read_raw(discover(str(path))[0], numbers=True)
        assert {raw.frame.schema["SPEND"], raw.frame.schema["QUANTITY"]} == {dtype}


def test_without_all_of_the_numbers_none_is_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, [{n: v for n, v in line().items() if n != "SHOP_WEEKDAY"}])
    (raw,) = read_raw(discover(str(path))[0], numbers=True)
    assert set(raw.frame.dtypes) == {pl.String}

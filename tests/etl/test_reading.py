import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import basketwise.etl.reading as reading
from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.reading import read_raw
from basketwise.etl.sources import discover
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
        monkeypatch.setattr(reading, "WHOLE_BELOW", 0)
        monkeypatch.setattr(reading, "BATCH_ROWS", 7)
    return batches


def read(path: Path, *, encoding: str = "utf-8", labelled: bool = True) -> pl.DataFrame:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    (source,) = discover(str(path))
    data = DataConfig(encoding=encoding)
    try:
        frames = list(read_raw(source, scratch, data, labelled=labelled))
    finally:
        assert not list(scratch.iterdir())
    counted = 1
    for raw in frames:
        assert raw.first_row == counted
        counted += raw.frame.height
    return pl.concat(raw.frame for raw in frames)


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
    assert len(list(read_raw(source, tmp_path))) == 1
    monkeypatch.setattr(reading, "WHOLE_BELOW", 0)
    monkeypatch.setattr(reading, "BATCH_ROWS", 7)
    assert len(list(read_raw(source, tmp_path))) > 1


@pytest.mark.parametrize(("separator", "decimal_comma"), [(",", False), (";", True), ("\t", False)])
def test_decimal_commas_may_be_in_files_with_semicolons(
    tmp_path: Path, separator: str, decimal_comma: bool
) -> None:
    path = write_csv(tmp_path / "lines.csv", LINES, separator=separator)
    (frame,) = read_raw(discover(str(path))[0], tmp_path)
    assert frame.decimal_comma is decimal_comma


def test_csv_values_come_as_they_were_delivered(tmp_path: Path) -> None:
    odd = line(BASKET_ID="007", SPEND=" 1,50", QUANTITY="2.0", PROD_CODE='a "quoted", name\nof two')
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
def test_a_line_with_too_many_fields_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text(LINES) + ",".join("x" * 19) + "\n" + csv_text(LINES))
    with pytest.raises(InputError, match=r"'a\.csv' has 19 fields in line 42 .* has 17"):
        read(path)


@pytest.mark.usefixtures("either_way")
def test_a_line_with_too_few_fields_is_filled_with_nulls(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text(LINES) + "200607,20060410\n")
    frame = read(path)
    assert frame.height == 41
    assert frame["BASKET_ID"][-1] is None


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
    assert "nothing of it was used" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("place", [0.02, 0.5])
def test_a_broken_zip_member(tmp_path: Path, encoding: str, place: float) -> None:
    path = as_zip(tmp_path / "a")
    content = bytearray(path.read_bytes())
    start = 50 + int(place * len(content))
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


@pytest.mark.usefixtures("either_way")
def test_a_header_alone(tmp_path: Path) -> None:
    header = csv_text([line()]).splitlines()[0]
    for end in ("", "\n"):
        (tmp_path / "a.csv").write_text(header + end)
        with pytest.raises(InputError, match=r"'a\.csv' has a header but no lines"):
            read(tmp_path / "a.csv")
    pl.DataFrame(LINES).clear().write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"'a\.parquet' contains no lines"):
        read(tmp_path / "a.parquet")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"'a\.csv' is empty"):
        read(tmp_path / "a.csv")


def test_the_calendar_gives_no_lines(tmp_path: Path) -> None:
    calendar = {"shop_week": "200607", "date_from": "20060410", "date_to": "20060416"}
    write_csv(tmp_path / "time.csv", [calendar])
    pl.DataFrame([calendar]).write_parquet(tmp_path / "time.parquet")
    for source in discover(str(tmp_path)):
        assert list(read_raw(source, tmp_path)) == []


def test_the_label_may_be_absent_from_lines_to_predict(tmp_path: Path) -> None:
    unlabelled = [
        {k: v for k, v in one.items() if k != "BASKET_PRICE_SENSITIVITY"} for one in LINES
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

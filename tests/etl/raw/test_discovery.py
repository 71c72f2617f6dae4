import bz2
import os
import zipfile
from pathlib import Path

import pytest

from basketwise.errors import InputError
from basketwise.etl.raw.discovery import discover, is_raw, list_files
from basketwise.etl.raw.packing import MAX_RATIO
from basketwise.etl.raw.sources import open_bytes, skipped_texts

HEADER = b"BASKET_ID;PROD_CODE;SPEND;QUANTITY\n"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "week.csv")
    (source,) = discover(str(tmp_path / "week.csv"))
    assert (source.name, source.path, source.member, source.size) == (
        "week.csv",
        tmp_path / "week.csv",
        None,
        1,
    )


def test_a_folder_gives_its_readable_files_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "a.CSV.GZ", "c.parquet", "README.txt", ".hidden.csv", "deeper/d.csv")
    touch(tmp_path, "D.TSV", "e.jsonl.zst", "f.ndjson", "g.csv.bz2", "h.tsv.xz")
    found = discover(str(tmp_path))
    assert [(source.name, source.kind, source.packing) for source in found] == [
        ("D.TSV", "text", ""),
        ("a.CSV.GZ", "text", "gzip"),
        ("b.csv", "text", ""),
        ("c.parquet", "parquet", ""),
        ("e.jsonl.zst", "jsonl", "zst"),
        ("f.ndjson", "jsonl", ""),
        ("g.csv.bz2", "text", "bz2"),
        ("h.tsv.xz", "text", "xz"),
    ]


def test_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "t_200607.csv", "t_200608.csv", "other.csv")
    names = [source.name for source in discover(str(tmp_path / "t_*.csv"))]
    assert names == ["t_200607.csv", "t_200608.csv"]


def test_a_folder_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "raw[1]/week.csv")
    assert [source.name for source in discover(str(tmp_path / "raw[1]"))] == ["week.csv"]


def test_the_csvs_in_a_zip(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "all.zip",
        {
            "deep/b.csv": b"second",
            "a.csv": b"first",
            "notes.txt": b"-",
            "__MACOSX/deep/._b.csv": b"-",
        },
    )
    found = discover(str(path))
    assert [source.name for source in found] == ["all.zip/a.csv", "all.zip/deep/b.csv"]
    with open_bytes(found[1]) as stream:
        assert stream.read() == b"second"


def skipped(data: Path) -> dict[str, str]:
    return {file.name: file.reason for file in list_files(str(data)).skipped}


def test_unknown_format_says_why_it_is_not_read_and_what_is_allowed(tmp_path: Path) -> None:
    touch(tmp_path, "lines.xlsx")
    for data in (tmp_path / "lines.xlsx", tmp_path / "*.xlsx", tmp_path):
        with pytest.raises(InputError, match=r"contains no supported file") as caught:
            discover(str(data))
        assert "lines.xlsx. Export each sheet as CSV UTF-8" in caught.value.hint
        assert "ending in .csv, .tsv" in caught.value.hint


def test_a_path_that_does_not_exist_is_told_from_one_without_raw_files(tmp_path: Path) -> None:
    for data, expected in (
        (tmp_path / "tils", "tils' does not exist."),
        (tmp_path / "*.cvs", "contains no supported file."),
        (tmp_path, "contains no supported file."),
    ):
        with pytest.raises(InputError, match=r"^No raw files found: ") as caught:
            discover(str(data))
        assert caught.value.headline.endswith(expected)


def test_what_is_not_read_is_named_and_bookkeeping_is_not(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv", "b.xlsx", "c.tar.gz", "d.json", "e.avro", "f.gz", "g", "h.csv.Z")
    touch(
        tmp_path, "manual.pdf", "i.parquet.gz", "sub/j.csv", "docs/k.pdf", "ws/silver/intake.json"
    )
    touch(tmp_path, "ws/silver/part.parquet", "_delta/l.csv")
    touch(tmp_path, "_SUCCESS", ".part-0.parquet.crc", "a.csv.sha256", "SHA256SUMS", "LICENSE")
    (tmp_path / "m.csv").symlink_to(tmp_path / "nothing")
    assert skipped(tmp_path) == {
        "b.xlsx": "a spreadsheet",
        "c.tar.gz": "an archive",
        "d.json": "a JSON document",
        "e.avro": "an unsupported format",
        "f.gz": "a compressed file of an unknown format",
        "g": "an unknown extension",
        "h.csv.Z": "an unsupported compression",
        "i.parquet.gz": "a compressed file of an unknown format",
        "m.csv": "a broken link",
        "manual.pdf": "a document",
        "sub/": "a subfolder with raw files",
    }
    data = {file.name for file in list_files(str(tmp_path)).skipped if not file.is_data}
    assert data == {"manual.pdf"}


def test_subfolders_are_read_with_the_pattern_that_is_proposed(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv", "2025/b.csv", "2026/1/b.csv")
    delivery = list_files(str(tmp_path))
    (text,) = skipped_texts(delivery.skipped)
    pattern = str(tmp_path / "**" / "*")
    assert text.endswith(f"2025/, 2026/. To read subfolders, use a pattern: --data {pattern!r}.")
    names = [source.name for source in discover(pattern)]
    assert names == ["2025/b.csv", "2026/1/b.csv", "a.csv"]


def test_a_text_of_prose_is_no_table_unless_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes(HEADER)
    (tmp_path / "notes.txt").write_bytes(b"Delivered on Monday, all weeks.\n")
    assert [source.name for source in discover(str(tmp_path))] == ["lines.txt"]
    assert skipped(tmp_path) == {"notes.txt": "a text without a header"}
    assert len(discover(str(tmp_path / "notes.txt"))) == 1


def test_folders_called_column_and_value_are_read_and_give_columns(tmp_path: Path) -> None:
    touch(tmp_path, "raw/SHOP_WEEK=200607/part-0.parquet", "raw/_SUCCESS")
    touch(tmp_path, "raw/SHOP_WEEK=200608/STORE_REGION=E%2F02/part-0.csv")
    touch(tmp_path, "raw/SHOP_WEEK=__HIVE_DEFAULT_PARTITION__/part-0.csv", "raw/plain/x.csv")
    expected = {
        "SHOP_WEEK=200607/part-0.parquet": {"SHOP_WEEK": "200607"},
        "SHOP_WEEK=200608/STORE_REGION=E%2F02/part-0.csv": {
            "SHOP_WEEK": "200608",
            "STORE_REGION": "E/02",
        },
        "SHOP_WEEK=__HIVE_DEFAULT_PARTITION__/part-0.csv": {"SHOP_WEEK": None},
    }
    raw = tmp_path / "raw"
    assert {source.name: source.partitions for source in discover(str(raw))} == expected
    assert list(skipped(raw)) == ["plain/"]
    for pattern in ("SHOP_WEEK=*", "**/part*"):
        found = discover(str(raw / pattern))
        assert {source.name: source.partitions for source in found} == expected
    (one,) = discover(str(raw / "*" / "*.parquet"))
    assert (one.file, one.partitions) == (
        "SHOP_WEEK=200607/part-0.parquet",
        {"SHOP_WEEK": "200607"},
    )


def test_a_delta_table_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "_delta_log/0.json", "part-0.parquet")
    with pytest.raises(InputError, match="is a Delta table"):
        discover(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.csv", True),
        ("SHOP_WEEK=1/a.csv.gz", True),
        ("2025/a.csv", False),
        (".a.csv", False),
        ("a.xlsx", False),
    ],
)
def test_names_below_a_prefix_are_judged_as_those_of_a_folder(
    tmp_path: Path, name: str, read: bool
) -> None:
    touch(tmp_path, name, "always.csv")
    assert is_raw(name) is read
    assert (name in [source.name for source in discover(str(tmp_path))]) is read


@pytest.mark.parametrize("name", ["[ab].csv", "a*.csv", "what?.csv", "~nobody.csv", "a\nb.csv"])
def test_what_exists_is_no_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    touch(tmp_path, name, "a.csv", "what1.csv")
    monkeypatch.chdir(tmp_path)
    assert [source.name for source in discover(name)] == [name]


def test_a_user_that_does_not_exist_is_no_fault_of_ours() -> None:
    with pytest.raises(InputError, match="No raw files found"):
        discover("~nobody-of-that-name/raw")


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    with pytest.raises(InputError, match=r"caf.\.csv' is not UTF-8"):
        discover(str(tmp_path))


@pytest.mark.parametrize(("data", "kind"), [("", "folder"), ("none.csv", "path"), ("*", "pattern")])
def test_nothing_found_says_where_it_looked(tmp_path: Path, data: str, kind: str) -> None:
    with pytest.raises(InputError, match=f"No raw files found: {kind} .*{tmp_path.name}"):
        discover(str(tmp_path / data))


def test_a_zip_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(b"PK but not really")
    with pytest.raises(InputError, match=r"'all\.zip' is a broken zip"):
        discover(str(tmp_path))


def test_a_zip_with_a_nameless_member(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), "a,b")
    with pytest.raises(InputError, match=r"'all\.zip' is a broken zip"):
        discover(str(tmp_path))


def test_a_zip_without_a_table(tmp_path: Path) -> None:
    pack(tmp_path / "all.zip", {"readme.txt": b"-", "a.xlsx": b"-"})
    with pytest.raises(InputError, match=r"all\.zip' contains no supported file") as caught:
        discover(str(tmp_path / "all.zip"))
    assert "all.zip/a.xlsx" in caught.value.hint


def test_members_of_a_zip_may_be_packed_and_some_are_not_read(tmp_path: Path) -> None:
    members = {"a.csv.bz2": bz2.compress(HEADER), "SHOP_WEEK=1/b.TSV": b"", "c.parquet": b"-"}
    path = pack(tmp_path / "all.zip", members | {"d.zip": b"-", "e.xlsx": b"-"})
    first, second = discover(str(tmp_path))
    assert (first.name, first.partitions) == ("all.zip/SHOP_WEEK=1/b.TSV", {"SHOP_WEEK": "1"})
    with open_bytes(second) as stream:
        assert stream.read() == HEADER
    assert skipped(path) == {
        "all.zip/c.parquet": "a zip or Parquet file inside a zip",
        "all.zip/d.zip": "a zip or Parquet file inside a zip",
        "all.zip/e.xlsx": "a spreadsheet",
    }


def test_a_zip_of_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "all.zip", {"a.csv": HEADER})
    content = bytearray(path.read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 9  # Deflate64
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"all\.zip/a\.csv uses an unsupported compression \(method 9\)"
    ):
        discover(str(path))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    size = 4 * MAX_RATIO * 1024
    path = pack(tmp_path / "bomb.zip", {"lines.csv": b"0" * size})
    with pytest.raises(InputError, match=rf"bomb\.zip/lines\.csv would unpack to {size:,} bytes"):
        discover(str(path))


def test_a_small_member_may_pack_well(tmp_path: Path) -> None:
    path = pack(tmp_path / "small.zip", {"lines.csv": b"0" * (MAX_RATIO * 1024)})
    assert len(discover(str(path))) == 1


def test_a_zip_with_a_password(tmp_path: Path) -> None:
    path = pack(tmp_path / "secret.zip", {"lines.csv": b"a"})
    content = bytearray(path.read_bytes())
    # The flags stand 6 bytes into the local header and 8 bytes into the central one.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"secret\.zip/lines\.csv is protected by a password"):
        discover(str(path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for content in ("first", "second"):
            archive.writestr("t.csv", content)
            archive.writestr("notes.pdf", content)
    with pytest.raises(InputError, match=r"'a\.zip' contains 't\.csv' 2 times"):
        discover(str(tmp_path))

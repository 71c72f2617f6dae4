import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest

from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.etl.sources import MAX_ZIP_RATIO, discover, open_bytes


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
    sources = discover(str(tmp_path))
    assert [source.name for source in sources] == ["a.CSV.GZ", "b.csv", "c.parquet"]
    assert [source.is_gzip for source in sources] == [True, False, False]
    assert [source.is_parquet for source in sources] == [False, False, True]


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
    sources = discover(str(path))
    assert [source.name for source in sources] == ["all.zip/a.csv", "all.zip/deep/b.csv"]
    with open_bytes(sources[1]) as stream:
        assert stream.read() == b"second"


def test_opens_packed_and_plain_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"plain")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"packed"))
    contents = []
    for source in discover(str(tmp_path)):
        with open_bytes(source) as stream:
            contents.append(stream.read())
    assert contents == [b"plain", b"packed"]


def test_unknown_format_names_the_file_and_what_is_allowed(tmp_path: Path) -> None:
    touch(tmp_path, "lines.xlsx")
    for data in (tmp_path / "lines.xlsx", tmp_path / "*.xlsx"):
        with pytest.raises(InputError, match=r"'lines\.xlsx' has an unsupported format") as caught:
            discover(str(data))
        assert ".csv, .csv.gz, .zip, .parquet" in caught.value.hint


@pytest.mark.parametrize(("data", "kind"), [("", "folder"), ("none.csv", "path"), ("*", "pattern")])
def test_nothing_found_says_where_it_looked(tmp_path: Path, data: str, kind: str) -> None:
    with pytest.raises(InputError, match=f"No raw files found: {kind} .*{tmp_path.name}"):
        discover(str(tmp_path / data))


def test_a_zip_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(b"PK but not really")
    with pytest.raises(InputError, match=r"'all\.zip' is a broken zip"):
        discover(str(tmp_path))


def test_a_zip_without_csv(tmp_path: Path) -> None:
    pack(tmp_path / "all.zip", {"readme.txt": b"-"})
    with pytest.raises(InputError, match=r"'all\.zip' contains no \.csv"):
        discover(str(tmp_path))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    size = 4 * MAX_ZIP_RATIO * 1024
    path = pack(tmp_path / "bomb.zip", {"lines.csv": b"0" * size})
    with pytest.raises(InputError, match=rf"bomb\.zip/lines\.csv would unpack to {size:,} bytes"):
        discover(str(path))


def test_a_small_member_may_pack_well(tmp_path: Path) -> None:
    path = pack(tmp_path / "small.zip", {"lines.csv": b"0" * (MAX_ZIP_RATIO * 1024)})
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


def test_digest_is_of_the_bytes_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"lines"))
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()

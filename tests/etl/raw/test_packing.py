import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from basketwise.errors import InputError
from basketwise.etl.raw import packing
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.sources import open_bytes

TEXT = "BASKET_ID,PROD_CODE,SPEND\n1,Käse,2\n\n2,Brot,3\n".encode()


def zst(text: bytes) -> bytes:
    return bytes(pa.compress(text, codec="zstd", asbytes=True))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zst,
}
every_packing = pytest.mark.parametrize("ending", list(PACKERS))
packed = pytest.mark.parametrize("ending", [ending for ending in PACKERS if ending])


def unpacked(path: Path) -> bytes:
    (source,) = discover(str(path))
    with open_bytes(source) as stream:
        return stream.read()


@every_packing
def test_every_packing_gives_the_bytes(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"lines.csv{ending}"
    path.write_bytes(PACKERS[ending](TEXT))
    assert unpacked(path) == TEXT


@every_packing
def test_within_a_zip_too(tmp_path: Path, ending: str) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(f"lines.tsv{ending.upper()}", PACKERS[ending](TEXT))
    assert unpacked(tmp_path / "all.zip") == TEXT


@every_packing
def test_small_reads_give_all_of_a_long_text(tmp_path: Path, ending: str) -> None:
    text = b"".join(b"%d,%d\n" % (number, number * 7) for number in range(60_000))
    path = tmp_path / f"lines.csv{ending}"
    path.write_bytes(PACKERS[ending](text))
    (source,) = discover(str(path))
    with open_bytes(source) as stream:
        assert stream.readline() == b"0,0\n"
        rest = b"".join(iter(lambda: stream.read(20_003), b""))
    assert b"0,0\n" + rest == text


@packed
def test_a_bomb_is_refused_while_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(packing, "SMALL", 1)
    path = tmp_path / f"lines.csv{ending}"
    path.write_bytes(PACKERS[ending](b"1,2,3,4\n" * 400_000))
    with pytest.raises(InputError, match="would unpack to more than 200 times as many bytes"):
        unpacked(path)


@packed
def test_a_file_that_is_cut_off_raises_what_readers_expect(tmp_path: Path, ending: str) -> None:
    text = b"".join(b"%d,%d\n" % (number, number * 7) for number in range(30_000))
    path = tmp_path / f"lines.csv{ending}"
    path.write_bytes(PACKERS[ending](text)[:-9])
    with pytest.raises((OSError, EOFError)):
        unpacked(path)


@pytest.mark.parametrize("content", [b"plain text\n", b""])
def test_a_file_that_is_no_zstandard_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv.zst").write_bytes(content)
    with pytest.raises(OSError, match="not a Zstandard file"):
        unpacked(tmp_path / "a.csv.zst")


def test_zstandard_that_starts_with_other_frames_is_refused_for_that(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv.zst"
    path.write_bytes(b"\x50\x2a\x4d\x18\x04\0\0\0size" + zst(TEXT))
    with pytest.raises(OSError, match="a frame that is no data, as pzstd writes"):
        unpacked(path)


def test_zstandard_of_another_encoding_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv.zst").write_bytes(zst(TEXT.decode().encode("latin-1")))
    with pytest.raises(InputError, match=r"a\.csv\.zst' is not UTF-8") as caught:
        unpacked(tmp_path / "a.csv.zst")
    assert "unzstd" in caught.value.hint

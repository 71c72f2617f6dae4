from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.reading import read_raw
from tests.raw_lines import csv_text, line

LINES = [line(PROD_CODE=f"PRD{number}") for number in range(20)]


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", content)
    return out.getvalue()


def as_parquet(_: bytes) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(LINES).write_parquet(out)
    return out.getvalue()


def refusal(path: Path, encoding: str = "utf-8") -> InputError:
    with pytest.raises(InputError) as caught:
        list(read_raw(discover(str(path))[0], DataConfig(encoding=encoding)))
    return caught.value


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("packed", "what", "hint"),
    [
        (gzip.compress, "is compressed with gzip", ".gz"),
        (bz2.compress, "is compressed with bzip2", ".bz2"),
        (lzma.compress, "is compressed with xz", ".xz"),
        (lambda _: b"\x28\xb5\x2f\xfd" + bytes(60), "is compressed with Zstandard", ".zst"),
        (zipped, "is a zip, or a spreadsheet", ".zip"),
        (as_parquet, "is a Parquet file", ".parquet"),
        (lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is a spreadsheet", "Export"),
        (lambda text: text.decode().encode("utf-32"), "is UTF-32", "UTF-8"),
    ],
)
def test_what_is_no_text_is_named(
    tmp_path: Path, packed: Callable[[bytes], bytes], what: str, hint: str, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed(csv_text(LINES).encode()))
    error = refusal(path)
    assert f"'a{suffix}' {what}" in error.headline
    assert error.headline.endswith(", not text.")
    assert hint in error.hint


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_named(tmp_path: Path, order: str, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(csv_text(LINES).encode(order))
    assert "as UTF-16 without a byte order mark" in refusal(tmp_path / "a.csv", encoding).headline

import errno
from pathlib import Path

import pytest

from basketwise.errors import BasketwiseError, InputError, WorkspaceError
from basketwise.etl.diagnosis import explain
from basketwise.etl.header import parse_header
from basketwise.etl.sources import Source
from tests.raw_lines import csv_text, line


def diagnose(path: Path, content: bytes, error: Exception) -> BasketwiseError:
    path.write_bytes(content)
    header = parse_header(content.decode("utf-8", "replace").splitlines()[0])
    return explain(Source(path.name, path, None, len(content)), header, "utf-8", error)


def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "scratch/a.csv")
    found = diagnose(tmp_path / "a.csv", csv_text([line()]).encode(), full)
    assert isinstance(found, WorkspaceError)
    assert "No room left on the disk while writing scratch/a.csv" in found.headline


@pytest.mark.parametrize("spoilt", ["\udce9", "a,b,c"])
def test_the_first_spoilt_line_is_named_even_after_a_quoted_line_break(
    tmp_path: Path, spoilt: str
) -> None:
    text = csv_text([line(PROD_CODE="two\nlines"), line(STORE_REGION="SPOILT")])
    content = text.replace("SPOILT", spoilt).encode("utf-8", "surrogateescape")
    found = diagnose(tmp_path / "a.csv", content, ValueError("no"))
    assert isinstance(found, InputError)
    assert "line 4" in found.headline


def test_what_cannot_be_found_is_told_in_the_readers_words(tmp_path: Path) -> None:
    found = diagnose(tmp_path / "a.csv", csv_text([line()]).encode(), ValueError("odd\nmore"))
    assert found.headline == "'a.csv' cannot be read: odd."

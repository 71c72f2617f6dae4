from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.config import DataConfig
from basketwise.etl.raw.commas import commas_possible
from basketwise.etl.raw.discovery import discover
from tests.raw_lines import csv_text, line


def possible(path: Path, content: bytes, **settings: str) -> bool:
    path.write_bytes(content)
    (source,) = discover(str(path))
    return commas_possible(source, DataConfig(**settings))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("code", "expected"), [("RULER", False), ('12" RULER', True)])
def test_between_commas_there_must_be_quotes(
    tmp_path: Path, encoding: str, code: str, expected: bool
) -> None:
    text = csv_text([line()] * 3 + [line(PROD_CODE=code)])
    assert possible(tmp_path / "a.csv", text.encode(encoding)) is expected


def test_quotes_of_the_header_do_not_count(tmp_path: Path) -> None:
    header, lines = csv_text([line()]).split("\n", 1)
    quoted = ",".join(f'"{name}"' for name in header.split(","))
    assert possible(tmp_path / "a.csv", f"{quoted}\n{lines}".encode()) is False


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_with_other_separators_no_quotes_are_needed(tmp_path: Path, separator: str) -> None:
    text = csv_text([line()], separator=separator)
    assert possible(tmp_path / "a.csv", text.encode()) is True


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", b"{}\n"), ("a.csv.gz", b"\x1f\x8b\x08")])
def test_what_only_a_reader_can_tell_is_left_to_it(
    tmp_path: Path, name: str, content: bytes
) -> None:
    assert possible(tmp_path / name, content) is True

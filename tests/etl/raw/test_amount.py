"""Whether there is so much to read that processes are worth their start."""

from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.etl.raw import amount
from basketwise.etl.raw.amount import MUCH, PACKED, many, many_below, text_size


@pytest.mark.parametrize(
    ("cores", "files", "size", "expected"),
    [
        (2, 8, MUCH // 8, True),
        (2, 8, MUCH // 8 - 1, False),
        (2, 7, MUCH, False),
        (8, 8, MUCH, False),
        (1, 8, MUCH, False),
    ],
)
def test_much_in_many_files(
    cores: int, files: int, size: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amount, "cores", lambda: cores)
    assert many([size] * files) == expected


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("{}.csv", 800, True),
        ("week={}/part.csv", 800, True),
        ("{}.csv", 790, False),
        ("{}.csv.gz", 800 // PACKED, True),
        ("{}.parquet", 800 // PACKED, True),
        ("{}.xlsx", 800, False),
    ],
)
def test_files_are_judged_by_names_and_sizes(
    name: str, size: int, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amount, "cores", lambda: 2)
    monkeypatch.setattr(amount, "MUCH", 6400)
    for number in range(8):
        path = tmp_path / name.format(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"0" * size)
    assert many_below(str(tmp_path)) == expected


def test_what_is_no_folder_is_not_much() -> None:
    assert not many_below("s3://bucket/raw")


def test_text_of_a_compressed_file_is_larger_than_it() -> None:
    assert (text_size(10, plain=True), text_size(10, plain=False)) == (10, 80)

from __future__ import annotations

import errno
import os
import re
import sqlite3
from pathlib import Path
from unittest import mock

import polars as pl
import pytest

from basketwise import disk
from basketwise.disk import TEMPORARY, full_disk, is_full, unreachable, write_parquet
from basketwise.registry.mlflow.calls import Address, explained


def caused(error: Exception) -> Exception:
    outer = ValueError("outer")
    outer.__cause__ = error
    return outer


def sqlite_full() -> Exception:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def test_no_other_module_writes_parquet_by_itself() -> None:
    root = Path(disk.__file__).parent
    writing = re.compile(r"\.(write|sink)_parquet\(")
    assert [
        path.name
        for path in root.rglob("*.py")
        if writing.search(path.read_text(encoding="utf-8")) and path.name != "disk.py"
    ] == []


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError(errno.EFBIG, "File too large"),
    ValueError("No space left on device (os error 28)"),
    sqlite_full(),
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_a_full_disk_is_told_by_any_error_of_a_chain(error: Exception) -> None:
    assert is_full(error)
    assert is_full(caused(error))
    assert not is_full(caused(OSError(errno.EACCES, "Permission denied")))


def test_the_folder_with_the_least_room_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    room = {Path("ws"): 5_000_000, Path("tmp"): 0}
    monkeypatch.setattr(disk, "_free", room.__getitem__)
    named = [("the workspace", Path("ws")), (TEMPORARY, Path("tmp"))]
    error = full_disk(named)
    assert error.headline == (
        "No room left on the disk of the temporary folder 'tmp': 0 bytes are free."
    )
    assert "TMPDIR" in error.hint
    room[Path("tmp")] = 9_000_000
    assert "the workspace 'ws'" in full_disk(named).headline
    assert "'basketwise clean'" in full_disk(named).hint


def test_a_full_tmpdir_is_not_the_registrys_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_free", lambda folder: 9 if folder == tmp_path else 0)
    error = explained(FULL[0], Address("sqlite:///x", tmp_path), "storing the files")
    assert error.exit_code == 2
    assert "the temporary folder" in error.headline


REFUSED: list[tuple[Exception, str]] = [
    (PermissionError(errno.EACCES, "x", "/a/b"), "'/a/b' cannot be read or written: Permission"),
    (OSError(errno.ESTALE, "x", b"/a"), "'/a' cannot be read or written: Stale file handle."),
    (OSError(errno.EIO, "x"), "A file cannot be read or written: Input/output error."),
    (ValueError("Read-only file system (os error 30): /a/c"), "'/a/c' cannot be read or written"),
]


@pytest.mark.parametrize(("error", "headline"), REFUSED, ids=str)
def test_what_the_system_refuses_names_the_file(error: Exception, headline: str) -> None:
    refused = unreachable(error)
    assert refused is not None
    assert refused.headline.startswith(headline)
    assert refused.exit_code == 2


@pytest.mark.parametrize("error", [FileNotFoundError(2, "x", "/a"), KeyError(1), SystemExit(1)])
def test_any_other_error_is_no_refusal(error: BaseException) -> None:
    assert unreachable(error) is None


def test_it_says_whose_a_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = tmp_path.stat().st_uid
    assert disk.owner(tmp_path) == ""
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    assert disk.owner(tmp_path / "absent") == f"It belongs to the user {tmp_path.owner()}. "
    monkeypatch.setattr(Path, "owner", mock.Mock(side_effect=KeyError))
    assert disk.owner(tmp_path) == f"It belongs to the user with the id {uid}. "
    monkeypatch.setattr(Path, "stat", mock.Mock(side_effect=OSError))
    assert disk.owner(tmp_path) == ""


def test_a_frames_file_does_not_depend_on_its_chunks(tmp_path: Path) -> None:
    whole = pl.DataFrame({"a": range(1000), "b": [str(n % 7) for n in range(1000)]})
    cut = pl.concat([whole[:123], whole[123:800], whole[800:]], rechunk=False)
    assert cut.n_chunks() == 3
    for name, frame in (("whole", whole), ("cut", cut)):
        write_parquet(frame, tmp_path / name)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()

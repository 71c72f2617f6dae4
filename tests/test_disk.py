from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from basketwise import disk
from basketwise.disk import TEMPORARY, full_disk, is_full
from basketwise.registry.mlflow.calls import Address, explained


def caused(error: Exception) -> Exception:
    outer = ValueError("outer")
    outer.__cause__ = error
    return outer


def sqlite_full() -> Exception:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


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


def test_a_full_tmpdir_is_not_the_registrys_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_free", lambda folder: 9 if folder == tmp_path else 0)
    error = explained(FULL[0], Address("sqlite:///x", tmp_path), "storing the files")
    assert error.exit_code == 2
    assert "the temporary folder" in error.headline

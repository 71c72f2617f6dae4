from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from basketwise.errors import WorkspaceError
from basketwise.locking import HeldError, locked
from basketwise.storage.local import LocalStorage


def failing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def acquire(_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)


def test_a_lock_that_is_held_is_not_waited_for_too_long(tmp_path: Path) -> None:
    with (
        locked(tmp_path / ".lock"),
        pytest.raises(HeldError),
        locked(tmp_path / ".lock", timeout=0),
    ):
        pass


def test_a_file_system_that_cannot_lock_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, errno.ENOLCK)
    with pytest.raises(WorkspaceError, match="cannot be locked") as caught, locked(tmp_path / "x"):
        pass
    assert "network file systems" in caught.value.hint


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_workspace_that_cannot_be_written_to_is_not_said_to_lack_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    failing(monkeypatch, number)
    storage = LocalStorage(tmp_path)
    with pytest.raises(WorkspaceError) as caught, storage.exclusive():
        pass
    assert str(tmp_path) in caught.value.headline
    assert "network file systems" not in caught.value.hint
    assert "Free some" in caught.value.hint or "fix the permissions" in caught.value.hint

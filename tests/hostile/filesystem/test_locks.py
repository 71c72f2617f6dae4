"""File systems without locks, with broken ones, and folders of another user."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from basketwise.errors import WorkspaceError
from basketwise.storage.local import LocalStorage
from tests.cli.calling import call


def failing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO, errno.EOPNOTSUPP, errno.ESTALE])
def test_a_lock_that_fails_is_told(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gold").mkdir()
    failing(number, monkeypatch)
    outcome = call("train", "--workspace", tmp_path)
    assert outcome.code == 2, outcome
    assert "cannot be locked" in outcome.err
    assert os.strerror(number) in outcome.err


@pytest.mark.filterwarnings("default::basketwise.locking.LockWarning")
def test_without_locks_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gold").mkdir()
    failing(errno.ENOSYS, monkeypatch)
    outcome = call("train", "--workspace", tmp_path)
    assert outcome.code == 2, outcome
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("warning")]
    assert "has no locks" in line
    assert "UserWarning" not in outcome.err


def test_a_folder_of_another_user_says_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    uid, owner = tmp_path.stat().st_uid, tmp_path.owner()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(WorkspaceError, match="Permission denied") as caught,
        LocalStorage(tmp_path).exclusive(),
    ):
        pass
    assert f"It belongs to the user {owner}. " in caught.value.hint

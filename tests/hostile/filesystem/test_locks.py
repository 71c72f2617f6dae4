"""File systems without locks, with broken ones, and folders of another user."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from pathlib import Path

import pytest

from basketwise.errors import WorkspaceError
from basketwise.storage.local import LocalStorage
from tests.cli.calling import call
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("models", "approve", "1"),
    ("models", "rollback"),
    ("export",),
    ("clean", "--yes"),
    ("models", "reject", "1"),
)


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


def held_by_child(folder: Path) -> int:
    """Start a process that holds the lock of a workspace without flock; return its id."""
    taken, told = os.pipe()
    child = os.fork()
    if child:
        assert os.read(taken, 1)
        return child
    try:
        with LocalStorage(folder).exclusive():
            os.write(told, b"x")
            signal.pause()
    finally:
        os._exit(1)


@pytest.mark.filterwarnings("default::basketwise.locking.LockWarning")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_without_locks_a_killed_holder_is_followed(
    template: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = template.copied(tmp_path / "w")
    failing(errno.ENOSYS, monkeypatch)
    for turn, words in enumerate(COMMANDS[: tried(1, 5)]):
        child = held_by_child(shop.folder)
        try:
            outcome = shop.call(*words)
            assert outcome.code == 2, outcome
            assert "Another run" in outcome.err
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        outcome = shop.call(*words)
        assert outcome.code == 0, (turn, outcome)
        assert shop.is_settled
        assert not (shop.folder / ".lock").exists()


@pytest.mark.filterwarnings("default::basketwise.locking.LockWarning")
def test_without_locks_a_lock_that_nobody_holds_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gold").mkdir()
    # Left by a command that had locks, before the folder was moved.
    (tmp_path / ".lock").touch()
    failing(errno.ENOSYS, monkeypatch)
    outcome = call("train", "--workspace", tmp_path)
    assert outcome.code == 2, outcome
    assert f"if nothing uses it, delete '{tmp_path / '.lock'}'" in outcome.err

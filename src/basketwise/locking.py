"""Locks on files, which the system releases when a process ends, however it ends."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basketwise.errors import WorkspaceError
from basketwise.notices import warn

NOT_WRITABLE = {errno.EROFS, errno.ENOSPC, errno.EDQUOT}


class HeldError(Exception):
    """Another process holds a lock, or has left the file that stands for one."""

    def __init__(self, way_out: str = "") -> None:
        self.way_out = way_out
        super().__init__(way_out)


class LockWarning(UserWarning):
    """A file system has no locks, so that a crash may leave one behind."""


@contextmanager
def locked(path: Path, *, timeout: float = -1) -> Iterator[None]:
    """Hold the lock of a file, which is created; wait up to ``timeout`` seconds, -1: for ever.

    Raises
    ------
    HeldError
        If another process holds it for that long.
    WorkspaceError
        If the file cannot be locked.
    OSError
        If it cannot be written: what it is for, the caller knows better.

    Warns
    -----
    LockWarning
        If the file system has no locks, and a file that is there or not must do.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=timeout)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lock.acquire()
    except Timeout as error:
        way_out = f" The file system has no locks: if nothing uses it, delete {str(path)!r}."
        raise HeldError(way_out if caught else "") from error
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno in NOT_WRITABLE:
            raise
        raise WorkspaceError(
            f"{str(path)!r} cannot be locked: {error.strerror or error}.",
            "Some network file systems have no locks: choose a --workspace on another disk.",
        ) from error
    if caught:
        warn(
            f"The file system of {str(path.parent)!r} has no locks. Should a run be killed, "
            f"{path.name} may have to be deleted by hand.",
            LockWarning,
            stacklevel=3,
        )
    try:
        yield
    finally:
        lock.release()

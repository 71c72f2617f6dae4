"""Full disks: whether an error says so, and which of several folders is on the full one."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from basketwise.errors import WorkspaceError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No space, no space for this user, no space in this file."""

TEMPORARY = "the temporary folder"


def is_full(error: BaseException) -> bool:
    """Whether an error, or a cause of it, says that a disk is full."""
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        code = getattr(cause, "sqlite_errorcode", None)
        # Polars says it in words alone.
        if code == sqlite3.SQLITE_FULL or "No space left on device" in str(cause):
            return True
    return False


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was made from, SQLAlchemy's driver's too."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        original = getattr(error, "orig", None)
        error = original if original is not None else error.__cause__ or error.__context__


def full_disk(folders: Iterable[tuple[str, Path]]) -> WorkspaceError:
    """Return the error for a full disk, which names the one of these folders with the least room.

    Each folder has a name for people: ``("the temporary folder", Path("/tmp"))``.
    """
    name, folder, free = min(
        ((name, folder, _free(folder)) for name, folder in folders), key=lambda room: room[2]
    )
    advice = "Free some disk space there"
    if name == TEMPORARY:
        advice += ", or set TMPDIR to another folder"
    return WorkspaceError(
        f"No room left on the disk of {name} {str(folder)!r}: {free:,} bytes are free.",
        f"{advice}; earlier outputs are as they were.",
    )


def _free(folder: Path) -> int:
    """Return the bytes that this user may still write to a folder's disk."""
    existing = next((f for f in (folder, *folder.parents) if f.exists()), Path("/"))
    if not hasattr(os, "statvfs"):
        import shutil

        return shutil.disk_usage(existing).free
    status = os.statvfs(existing)
    # A disk without room for another file is full, too.
    return 0 if status.f_files and not status.f_favail else status.f_bavail * status.f_frsize

"""What the system refuses: full disks, and files that this user or this machine cannot reach."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from basketwise.errors import WorkspaceError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No space, no space for this user, no space in this file."""

UNREACHABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.ENFILE),
    *(errno.EIO, errno.EBUSY, errno.ESTALE, errno.ENOLCK, errno.ENODEV, errno.ENXIO),
}
"""Rights, limits of the system, and devices or servers that fail: never a bug."""

IN_WORDS = re.compile(r"\(os error (\d+)\)(?:: (\S.*))?")
"""How Polars says what the system answered, and of which file."""

ALMOST_FULL = 64 * 2**10
"""Bytes free on a disk on which a file could not be finished."""

ROW_GROUP = 2**17
"""Rows of a file that is not written from one chunk of memory: fixed, because otherwise they follow
from how many threads there are."""

TEMPORARY = "the temporary folder"
WORKSPACE = "the workspace"


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


def unreachable(error: BaseException) -> WorkspaceError | None:
    """Return an error for people if the system refuses a file; None if it is any other error."""
    if not isinstance(error, Exception):
        return None
    number, path, why = getattr(error, "errno", None), getattr(error, "filename", None), ""
    if words := IN_WORDS.search(str(error)):
        number, path = int(words[1]), words[2] or path
    if number not in UNREACHABLE:
        return None
    why = os.strerror(number)
    if path is None:
        return WorkspaceError(f"A file cannot be read or written: {why}.", _ADVICE)
    name = os.fsdecode(path) if isinstance(path, str | bytes) else str(path)
    return WorkspaceError(
        f"{name!r} cannot be read or written: {why}.", f"{owner(Path(name))}{_ADVICE}"
    )


_ADVICE = (
    "Fix the permissions, or the disk or the network that it is on, or choose another --workspace; "
    "earlier outputs are as they were."
)


def owner(path: Path) -> str:
    """Return a sentence on whose file or folder it is, if it is not this user's; else nothing."""
    with suppress(OSError, AttributeError):
        number = _nearest(path).stat().st_uid
        if number != os.geteuid():
            with suppress(KeyError, ImportError, OSError):
                return f"It belongs to the user {_nearest(path).owner()}. "
            return f"It belongs to the user with the id {number}. "
    return ""


def _nearest(path: Path) -> Path:
    """Return a path itself, or the folder above it that this user may look at."""
    for candidate in (path, *path.parents):
        with suppress(OSError):
            candidate.stat()
            return candidate
    return path


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was made from, SQLAlchemy's driver's too."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        original = getattr(error, "orig", None)
        error = original if original is not None else error.__cause__ or error.__context__


def named(folder: Path) -> tuple[str, Path]:
    """Return a folder with a name for people, as :func:`full_disk` takes it."""
    temporary = Path(tempfile.gettempdir())
    if folder.resolve().is_relative_to(temporary.resolve()):
        return TEMPORARY, temporary
    return "the folder", folder


def write_parquet(table: Any, path: Path, **options: Any) -> None:
    """Write a frame of Polars, or the result of a lazy one, to a Parquet file.

    Polars may not say that a disk is full, but that its own output is damaged.

    Raises
    ------
    OSError
        If the disk is full.
    """
    lazy = hasattr(table, "sink_parquet")
    # A frame's row groups follow its chunks, of which there are as many as threads have made.
    _write(table.sink_parquet if lazy else table.rechunk().write_parquet, path, options)


def write_arrow(table: Any, path: Path) -> None:
    """Write a frame of Polars as Arrow's own file, for what is read again at once.

    Raises
    ------
    OSError
        If the disk is full.
    """
    _write(table.write_ipc, path, {"compression": "uncompressed"})


def _write(write: Callable[..., object], path: Path, options: dict[str, Any]) -> None:
    try:
        write(path, **options)
    except Exception as error:
        if "transport error" in str(error) and _free(path.parent) < ALMOST_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


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
    elif name == WORKSPACE:
        advice += ", for example with 'basketwise clean'"
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

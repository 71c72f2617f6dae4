"""Temporary folders that have an owner, so that those of a killed process can be removed.

The owner holds a lock on a file in the folder, which the system releases when the process ends,
however it ends. Every command removes what nobody owns any more.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from basketwise import clock
from basketwise.disk import is_full
from basketwise.errors import WorkspaceError

NAME = "basketwise-"
"""What the name of a folder below TMPDIR begins with."""

HIDDEN = ".basketwise-tmp-"
"""What the name of any other folder begins with."""

MADE = re.compile(rf"({re.escape(NAME)}|{re.escape(HIDDEN)})[a-z0-9_]{{8}}")
"""Such a name, as ``tempfile`` ends it."""

FILES = "files"
"""The folder in it that its user gets."""

OWNER = ".owner"
"""The file that the owner holds a lock on."""

DAY = 86_400.0
"""So old is what nobody can own, in seconds, where a lock cannot tell."""


@contextmanager
def scratch(beside: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder, which is removed at the end: below ``beside``, or else below TMPDIR.

    TMPDIR is used where ``beside`` is no folder that can be written to. Folders there that no
    process owns any more are removed first.

    Raises
    ------
    WorkspaceError
        If TMPDIR cannot be written to either.
    """
    folder, owner = _made(beside)
    files = folder / FILES
    try:
        files.mkdir()
        yield files
    finally:
        _remove(folder, owner)


def _remove(folder: Path, owner: int | None) -> None:
    # The owner's file last: without it, nobody knows whose folder it is.
    shutil.rmtree(folder / FILES, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    if owner is not None:
        os.close(owner)
        # NFS keeps the owner's file, and so the folder, while it is open.
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> list[Path]:
    """Remove the folders of this user in ``parent`` that no process owns; return which."""
    swept = []
    for folder, owner in _orphans(parent):
        _remove(folder, owner)
        swept.append(folder)
    return swept


def orphans(parent: Path) -> list[Path]:
    """Return what :func:`sweep` would remove."""
    listed = []
    for folder, owner in _orphans(parent):
        os.close(owner)
        listed.append(folder)
    return listed


def is_scratch(folder: Path) -> bool:
    """Whether a folder is what :func:`scratch` yields."""
    return folder.name == FILES and (folder.parent / OWNER).exists()


def _made(beside: Path | None) -> tuple[Path, int | None]:
    if beside is not None:
        with suppress(OSError):
            return _make(beside, HIDDEN)
    parent = Path(tempfile.gettempdir())
    try:
        return _make(parent, NAME)
    except OSError as error:
        raise WorkspaceError(
            f"The temporary folder {str(parent)!r} cannot be written to: "
            f"{error.strerror or error}.",
            "Free some space there, or set TMPDIR to another folder.",
        ) from error


def _make(parent: Path, prefix: str) -> tuple[Path, int | None]:
    sweep(parent)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            descriptor = os.open(folder / OWNER, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if is_full(error):
                raise
            continue
        locked = _lock(descriptor)
        if locked is False:
            # A file system without locks: its age will tell.
            return folder, descriptor
        # A sweep may have come between, and hold the lock still, or have removed the folder.
        with suppress(OSError):
            if locked and os.path.samestat((folder / OWNER).stat(), os.fstat(descriptor)):
                return folder, descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock a file; False where the system knows no locks, None if another process holds it."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return False
    except OSError as error:
        return None if error.errno in (errno.EAGAIN, errno.EACCES) else False
    return True


def _is_name(name: str, parent: Path) -> bool:
    """Whether :func:`_make` may have given a name to a folder in ``parent``."""
    match = MADE.fullmatch(name)
    if match is None:
        return False
    return match[1] == HIDDEN or parent.samefile(tempfile.gettempdir())


def _is_made(entry: os.DirEntry[str]) -> bool:
    """Whether a folder contains what :func:`scratch` makes, and nothing else."""
    names = (inner.name for inner in os.scandir(entry.path))
    # NFS renames what is removed while it is open.
    present = {name for name in names if not name.startswith(".nfs")}
    # A removal may have been cut off.
    is_owned = OWNER in present or not present or entry.name.startswith(HIDDEN)
    return is_owned and present <= {OWNER, FILES}


def _orphans(parent: Path) -> Iterator[tuple[Path, int]]:
    """Yield folders that no process owns, with a descriptor that holds their lock.

    A name alone proves nothing: the workspace itself is called ``basketwise-workspace``. So what
    contains anything else than a folder of :func:`scratch` does, stays.
    """
    try:
        entries = [entry for entry in os.scandir(parent) if _is_name(entry.name, parent)]
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            mine = not hasattr(os, "geteuid") or os.geteuid() == status.st_uid
            if not (stat.S_ISDIR(status.st_mode) and mine):
                continue
            if not _is_made(entry):
                continue
            age = clock.now().timestamp() - status.st_mtime
            if age < -DAY:
                # A clock was set back: from now on it ages as the others do.
                os.utime(entry.path)
            old = age > DAY
            flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
            try:
                descriptor = os.open(Path(entry.path, OWNER), flags)
            except FileNotFoundError:
                if not old:
                    # It may just be in the making.
                    continue
                descriptor = os.open(Path(entry.path, OWNER), flags | os.O_CREAT, 0o600)
            locked = _lock(descriptor)
            if locked or (locked is False and old):
                yield Path(entry.path), descriptor
            else:
                os.close(descriptor)

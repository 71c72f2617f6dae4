"""sha256 of files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple


class Fingerprint(NamedTuple):
    """What tells, without reading a file, whether it was written to or replaced."""

    size: int
    modified: int
    """Nanoseconds."""
    inode: int


def fingerprint(path: Path) -> Fingerprint:
    """Return a file's fingerprint; an OSError if there is no such file."""
    status = path.stat()
    return Fingerprint(status.st_size, status.st_mtime_ns, status.st_ino)


def sha256_of_input(path: Path) -> str:
    """Return the hex digest of a file that nobody is to write to, which is read once.

    It is read again if its fingerprint has changed.
    """
    return _sha256_of_input(path, fingerprint(path))


@lru_cache(maxsize=100_000)
def _sha256_of_input(path: Path, given: Fingerprint) -> str:
    return sha256(path)


def sha256(path: Path) -> str:
    """Return the hex digest of a file's bytes on disk."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file below a folder, by its relative name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}

"""sha256 of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from basketwise.concurrency import worker_pool


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


class InputDigest(NamedTuple):
    """The hex sha256 of an input, and its fingerprint before it was read."""

    fingerprint: Fingerprint
    sha256: str


_known: dict[Path, InputDigest] = {}


def sha256_of_input(path: Path) -> str:
    """Return the hex digest of a file that nobody is to write to, which is read once.

    It is read again if its fingerprint has changed.
    """
    given = fingerprint(path)
    known = _known.get(path)
    if known is None or known.fingerprint != given:
        known = _known[path] = InputDigest(given, sha256(path))
    return known.sha256


def known_digest(path: Path) -> InputDigest | None:
    """Return what is known of an input, for another process; None if it has not been read."""
    return _known.get(path)


def learn_digest(path: Path, digest: InputDigest) -> None:
    """Take over what another process knows of an input."""
    _known[path] = digest


def sha256(path: Path) -> str:
    """Return the hex digest of a file's bytes on disk."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the hex sha256 of some files below a folder by name; they are read side by side."""
    names = list(names)
    with worker_pool() as pool:
        digests = pool.map(sha256, [folder / name for name in names])
        return dict(zip(names, digests, strict=True))


def content(folder: Path) -> dict[str, str]:
    """Return the hex sha256 of each file below a folder by its relative name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return digests_of(folder, [path.relative_to(folder).as_posix() for path in files])

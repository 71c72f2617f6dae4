"""Storage of a workspace: byte-level verbs, the same for a folder and for a bucket.

Keys are relative, with ``/``. Every write is whole or not at all: whoever reads a key gets the old
bytes or the new ones, never a part. Stages work on local folders; :meth:`Storage.replace` publishes
a finished one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

SAME_TIME = timedelta(seconds=2)
"""Storages tell times to the second at worst."""


class Storage(Protocol):
    """Stores the files of a workspace.

    Raises
    ------
    InputError
        From any method, for a key that is absolute or leads outside.
    WorkspaceError
        If the storage is full or not writable.
    """

    @property
    def location(self) -> str:
        """Its path or address, as users write it."""

    @property
    def scratch(self) -> Path:
        """Return a local folder for unfinished files, from which :meth:`replace` is fast."""

    def read(self, key: str) -> bytes:
        """Return the bytes of a key; InputError if there is no such key."""

    def read_each(self, keys: Collection[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that exist, as of one moment."""

    def write(self, key: str, data: bytes) -> None:
        """Write a key, replacing what was there."""

    def exists(self, key: str) -> bool:
        """Whether a key, or any key below it, exists."""

    def keys(self, prefix: str) -> list[str]:
        """List all keys below a prefix, sorted; none is no error."""

    def folders(self, prefix: str) -> list[str]:
        """List the names directly below a prefix that keys are below, sorted."""

    def newest(self, prefix: str) -> list[str]:
        """List the keys below a prefix that were written last: within ``SAME_TIME``, sorted."""

    def delete(self, *prefixes: str) -> None:
        """Delete keys and all below them; none is no error."""

    def digests(self, prefix: str) -> dict[str, str]:
        """Return the sha256 of each file below a prefix, by its name there.

        Nothing is copied to this machine if they are known without.
        """

    def replace(self, folder: Path, prefix: str, keep: Collection[str] = ()) -> None:
        """Replace everything below a prefix by a local folder's files, and remove the folder.

        The files there that ``keep`` names, relative to the prefix, stay as they are; a
        WorkspaceError says that one of them is missing, and nothing was changed.
        """

    def local(self, prefix: str) -> Path:
        """Return a local path with the current files below a prefix; read only."""

    def edit(self, prefix: str) -> AbstractContextManager[Path]:
        """Yield a local folder with a prefix's files; changes are stored at the end."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Return a context manager that holds the workspace's lock."""


def written_last(times: Mapping[str, datetime]) -> list[str]:
    """Return the keys whose time is within ``SAME_TIME`` of the last, sorted.

    Examples
    --------
    >>> from datetime import UTC
    >>> written_last({"b": datetime(2026, 2, 3, tzinfo=UTC), "a": datetime(2026, 2, 1, tzinfo=UTC)})
    ['b']
    """
    last = max(times.values(), default=None)
    return sorted(key for key, at in times.items() if last and last - at <= SAME_TIME)

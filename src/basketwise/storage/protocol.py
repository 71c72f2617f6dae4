"""Where a workspace lies: byte-level verbs, the same for a folder and for a bucket.

Keys are relative, with ``/``. Every write is whole or not at all: whoever reads a key gets the old
bytes or the new ones, never a part. Stages work on local folders; :meth:`Storage.adopt` brings a
finished folder in.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """A place for a workspace's files.

    Raises
    ------
    InputError
        From any method, for a key that is absolute or leads outside.
    WorkspaceError
        If the place is full or not writable.
    """

    @property
    def location(self) -> str:
        """Where it lies, as people write it."""
        ...

    @property
    def workplace(self) -> Path:
        """Return a local folder for what is not finished; :meth:`adopt` from there is quick."""
        ...

    def read(self, key: str) -> bytes:
        """Return the bytes of a key; InputError if there is no such key."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Write a key, replacing what was there."""
        ...

    def exists(self, key: str) -> bool:
        """Whether a key, or any key below it, exists."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """List all keys below a prefix, sorted; none is no error."""
        ...

    def delete(self, prefix: str) -> None:
        """Delete a key and all below it; none is no error."""
        ...

    def adopt(self, folder: Path, prefix: str) -> None:
        """Replace all below a prefix by a local folder's files; the folder is gone afterwards."""
        ...

    def local(self, prefix: str) -> Path:
        """Return a local path with the current files below a prefix; not to be written to."""
        ...

    def edited(self, prefix: str) -> AbstractContextManager[Path]:
        """Give a local folder with a prefix's files; changes are brought back at the end."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Return a context manager that keeps every other run out while it is open."""
        ...

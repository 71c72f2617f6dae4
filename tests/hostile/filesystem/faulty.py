"""File systems that fail now and then, as NFS does: the system's functions, with errors."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OPERATIONS: dict[str, tuple[Any, str]] = {
    "open": (io, "open"),
    "list": (os, "scandir"),
    "replace": (os, "replace"),
    "rename": (os, "rename"),
    "unlink": (os, "unlink"),
    "sync": (os, "fsync"),
}
"""What pathlib, and whoever uses it, calls."""


class Faults:
    """Lets calls of an operation below a folder fail, ``times`` times after ``skipped`` calls."""

    def __init__(
        self, operation: str, number: int, folder: Path, times: float, skipped: int = 0
    ) -> None:
        self.owner, self.name = OPERATIONS[operation]
        self.number, self.folder, self.left = number, folder, times
        self.failed, self.skipped = 0, skipped

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real: Callable[..., Any] = getattr(self.owner, self.name)

        def call(*arguments: Any, **options: Any) -> Any:
            concerns = self._concerns(arguments[0])
            if concerns and self.skipped:
                self.skipped -= 1
            elif concerns and self.left:
                self.left -= 1
                self.failed += 1
                raise OSError(self.number, os.strerror(self.number), arguments[0])
            return real(*arguments, **options)

        monkeypatch.setattr(self.owner, self.name, call)

    def _concerns(self, target: Any) -> bool:
        if isinstance(target, int):
            # A descriptor: of what, Linux alone tells.
            return self.name == "fsync"
        return str(self.folder) in os.fsdecode(target)


class SillyRenames:
    """Keeps files that are busy under another name when they are removed, as NFS does."""

    def __init__(self, *busy: str) -> None:
        self.busy = set(busy)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        unlink, numbers = os.unlink, iter(range(1_000_000))

        def keep(path: Any, *, dir_fd: int | None = None) -> None:
            target = Path(os.fsdecode(path))
            if target.name.startswith(".nfs") and self.busy:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
            if target.name in self.busy:
                kept = target.with_name(f".nfs{next(numbers):024x}")
                os.rename(path, kept, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            else:
                unlink(path, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", keep)


def rest(folder: Path) -> Iterator[str]:
    """Yield the names of unfinished files and replaced folders, which should not be there."""
    for path in folder.rglob("*"):
        if path.name.endswith(".tmp") or path.name.startswith(".basketwise-old-"):
            yield path.relative_to(folder).as_posix()

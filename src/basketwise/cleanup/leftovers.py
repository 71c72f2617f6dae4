"""What may be removed of a workspace, wherever that is, and how a run's folder is recognised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from basketwise.files import MANIFEST
from basketwise.storage.protocol import Storage

RUN = re.compile(r"(run|scheduled)-[A-Za-z0-9-]+")
"""Names of runs, and of those that a schedule starts."""

MARKER = re.compile(rf"{re.escape(MANIFEST)}|step-[a-z]+\.json")
"""Files that only Basketwise writes to the folder of a run."""


@dataclass(frozen=True)
class Folder:
    """A folder of a workspace: key, bytes by file, newest write."""

    key: str
    files: Mapping[str, int]
    newest: datetime

    @property
    def root(self) -> str:
        """The folder of the workspace that it is in."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """Its own name."""
        return self.key.partition("/")[2]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(self.files.values())


@dataclass(frozen=True)
class Leftover:
    """A folder of the workspace, by its key, or a resource, by its name, that may be removed.

    It was created or last changed at ``since``. Of a folder, the ``keys`` are deleted, each with
    all below it; a resource has none.
    """

    kind: str
    name: str
    since: datetime
    why: str
    size: int = 0
    keys: tuple[str, ...] = ()


class Cleaned(NamedTuple):
    """What was removed, and what was kept because it had changed meanwhile."""

    removed: tuple[Leftover, ...] = ()
    skipped: tuple[Leftover, ...] = ()


def remove_agreed(
    storage: Storage,
    listed: Callable[[], Iterable[Leftover]],
    agreed: Iterable[Leftover],
    report: Callable[[Leftover], None],
    remove: Callable[[Leftover], None] = lambda _: None,
    at_once: int = 1,
) -> Cleaned:
    """Remove what was agreed to, if it is still listed, and report each removal.

    Everything is listed again while the lock of the workspace is held: what has changed meanwhile
    is skipped. ``remove`` removes a leftover that is not stored in the workspace. What was reported
    is removed, wherever the process ends. The files of ``at_once`` leftovers are deleted together.
    """
    removed: list[Leftover] = []
    skipped: list[Leftover] = []
    with storage.exclusive():
        current = {(leftover.kind, leftover.name): leftover for leftover in listed()}
        present: list[Leftover] = []
        for leftover in agreed:
            candidate = current.get((leftover.kind, leftover.name))
            (skipped if candidate is None else present).append(candidate or leftover)
        for start in range(0, len(present), at_once):
            part = present[start : start + at_once]
            storage.delete(*(key for candidate in part for key in candidate.keys))
            for candidate in part:
                remove(candidate)
                removed.append(candidate)
                report(candidate)
    return Cleaned(tuple(removed), tuple(skipped))


def rejected_why(versions: set[str]) -> str:
    """Say that all versions of a run are rejected."""
    numbers = sorted(versions, key=int)
    return f"version{'s' * (len(numbers) > 1)} {', '.join(numbers)} rejected"

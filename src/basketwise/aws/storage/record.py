"""What the lock object says: who holds the workspace, until when, and what is being replaced."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from basketwise.aws.s3 import is_below
from basketwise.storage.scheme import OWN
from basketwise.terminal import replaced

INCOMING = f"{OWN}/incoming"
MAX_BYTES = 10_000
MAX_LEASE = 3600.0
DEFAULT_LEASE = 60.0
"""Seconds until the lock of a killed run may be taken."""

NAMED_BYTES = MAX_BYTES // 2
"""Of the keys that one removal names."""

ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Replacement:
    """A committed but unfinished replacement of a prefix by this number of staged files.

    One without files is a removal, and may be of other prefixes too.
    """

    id: str
    prefix: str
    files: int
    others: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """The key below which the new files are staged."""
        return f"{INCOMING}/{self.id}"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """All keys below which it replaces what there is."""
        return (self.prefix, *self.others)

    def staged(self, key: str) -> str:
        """Return the key at which the new object of a key is staged."""
        return self.root + key.removeprefix(self.prefix)

    def touches(self, key: str) -> bool:
        """Whether it replaces a key or anything below it."""
        return self.covers(key) or any(is_below(prefix, key) for prefix in self.prefixes)

    def covers(self, key: str) -> bool:
        """Whether a key is one of those that it replaces."""
        return any(is_below(key, prefix) for prefix in self.prefixes)


@dataclass(frozen=True)
class State:
    """What is published: readers that see the same state twice have seen one version between."""

    generation: str = ""
    """The id of what was committed last."""
    pending: Replacement | None = None


@dataclass(frozen=True)
class Holder:
    """Who wrote the lock: a random token, and what to tell others who want it."""

    token: str = ""
    host: str = "unknown"
    process: int = 0
    since: str = "unknown"
    lease: float = DEFAULT_LEASE
    """Seconds for which it is held after it was written; 0 if it was released."""


@dataclass(frozen=True)
class Record:
    """The body of the lock object."""

    holder: Holder
    state: State = field(default_factory=State)
    is_damaged: bool = False
    """Not written by Basketwise: a lock that expires, without any pending replacement."""

    def dump(self, number: int) -> bytes:
        """Return the bytes; with another number, and so with another ETag, for each write."""
        return json.dumps(asdict(self.holder) | asdict(self.state) | {"number": number}).encode()

    def released(self) -> Record:
        """Return the record of a lock that anybody may take."""
        return replace(self, holder=replace(self.holder, lease=0.0))


def parse_record(data: bytes, etag: str) -> Record:
    """Parse the body of the lock object, whatever somebody has put there."""
    try:
        body = json.loads(data)
        lease = float(body["lease"])
        if not math.isfinite(lease):
            raise ValueError(lease)
        holder = Holder(
            token=_printable(body["token"]),
            host=_printable(body["host"]),
            process=int(body["process"]),
            since=_printable(body["since"]),
            lease=min(max(lease, 0.0), MAX_LEASE),
        )
        pending = body["pending"]
        state = State(str(body["generation"]), parse_replacement(pending) if pending else None)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        return Record(Holder(), State(f"damaged {etag}"), is_damaged=True)
    return Record(holder, state)


def parse_replacement(body: Mapping[str, Any]) -> Replacement:
    """Parse a replacement; raises ValueError, TypeError or LookupError if it is none of ours."""
    # Earlier versions removed one prefix at a time.
    others = tuple(str(prefix) for prefix in body["others"]) if "others" in body else ()
    replacement = Replacement(str(body["id"]), str(body["prefix"]), int(body["files"]), others)
    if not ID.fullmatch(replacement.id) or replacement.files < 0 or (others and replacement.files):
        raise ValueError(replacement)
    for prefix in replacement.prefixes:
        if {"", ".", ".."} & set(prefix.split("/")):
            raise ValueError(replacement)
        if is_below(INCOMING, prefix) or is_below(prefix, INCOMING):
            raise ValueError(replacement)
    return replacement


def named_at_once(prefixes: Sequence[str]) -> list[list[str]]:
    """Split keys into parts, each of which the lock object can name.

    Examples
    --------
    >>> [len(part) for part in named_at_once([f"artifacts/run-{n:04}" for n in range(1_000)])]
    [227, 227, 227, 227, 92]
    """
    parts: list[list[str]] = []
    room = 0
    for prefix in prefixes:
        size = len(json.dumps(prefix)) + len(", ")
        if size > room:
            parts.append([])
            room = NAMED_BYTES
        parts[-1].append(prefix)
        room -= size
    return parts


def _printable(value: object) -> str:
    """Return a text without control characters: others' locks are shown on the terminal."""
    return replaced(str(value)[:100], mark="?")

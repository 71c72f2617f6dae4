"""The history of a version as text, and what follows from it.

A registry stores one entry per change and never edits one. State, champion and the sentence under
a version's description are all *derived* from the entries, so they cannot contradict each other
after a crash between two writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from basketwise import clock
from basketwise.errors import DependencyError
from basketwise.redaction import redacted
from basketwise.registry.protocol import ApprovalState, Change

ENTRY = "basketwise.change."
"""What the key of every entry starts with."""

ENTRY_LENGTH = 5000
"""Characters of one entry: MLflow servers before 3.2 keep no more in a tag."""

DESCRIPTION_LENGTH = 5000
"""Maximum length of a description, in MLflow's database column."""

UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError)
"""Errors of stored texts that are not what Basketwise wrote."""

DAMAGED = "It was damaged, or changed by hand: restore a backup of the registry."

WHO_LENGTH = 250
REGISTERED = "registered"


def shorten(text: str, length: int) -> str:
    """Return ``text`` within ``length`` characters, saying how many were left out.

    Examples
    --------
    >>> shorten("abc", 40)
    'abc'
    >>> shorten("a" * 60, 40)
    'aaaaaaaaaaaaaa … [46 characters cut]'
    """
    if len(text) <= length:
        return text
    # The marker is at most 26 characters with a count of up to eight digits.
    end = max(0, length - 26)
    return f"{text[:end]} … [{len(text) - end} characters cut]"


def storable(text: str) -> str:
    """Return ``text`` as something every database takes, and everybody may read.

    Lone surrogates are spelled out, secrets taken out.
    """
    return redacted(text).encode("utf-8", "backslashreplace").decode("utf-8")


def next_moment(history: Iterable[Change]) -> datetime:
    """Return the time (UTC) of the change to be made now.

    Always later than every change so far, by a microsecond if clocks disagree: otherwise a change
    made on a machine whose clock is behind would have no effect.
    """
    now = clock.now()
    return max([now, *(change.at + timedelta(microseconds=1) for change in history)])


def entry_key(change: Change) -> str:
    """Return a key for the change that sorts by time and that nobody else can have chosen."""
    return f"{ENTRY}{change.at:%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}"


def entry_text(change: Change) -> str:
    """Return the change as JSON of at most ``ENTRY_LENGTH`` characters; only ``why`` gives way."""
    why = storable(change.why)
    room = len(why)
    while True:
        text = json.dumps(
            {
                "at": change.at.isoformat(timespec="microseconds"),
                "old": change.old,
                "new": change.new,
                "who": shorten(storable(change.who), WHO_LENGTH),
                "why": shorten(why, room),
                **({"made_in": change.made_in} if change.made_in else {}),
            },
            ensure_ascii=False,
        )
        excess = len(text) - ENTRY_LENGTH
        if excess <= 0:
            return text
        room -= excess


def read_entries(version: str, tags: Mapping[str, str]) -> list[Change]:
    """Return a version's changes, oldest first; other tags are passed over.

    Raises
    ------
    DependencyError
        If an entry was damaged, or changed by hand.
    """
    changes = []
    for key in sorted(key for key in tags if key.startswith(ENTRY)):
        try:
            changes.append(change_of(version, tags[key]))
        except UNREADABLE as error:
            raise DependencyError(
                f"The registry's entry {key!r} of version {version} cannot be read: {error}.",
                DAMAGED,
            ) from error
    return changes


def change_of(version: str, text: str) -> Change:
    """Return the change that an entry's text describes; raises what is in ``UNREADABLE``."""
    entry = json.loads(text)
    return Change(
        at=datetime.fromisoformat(entry["at"]).astimezone(UTC),
        version=version,
        old=ApprovalState(entry["old"]) if entry["old"] else None,
        new=ApprovalState(entry["new"]),
        who=str(entry["who"]),
        why=str(entry["why"]),
        made_in=str(entry.get("made_in", "")),
    )


def state_after(history: list[Change]) -> ApprovalState:
    """Return the state that a version's changes, oldest first, leave it in."""
    return history[-1].new if history else ApprovalState.PENDING


def leading(histories: Mapping[str, list[Change]]) -> str | None:
    """Return the version approved last of those still approved, ``None`` if there is none."""
    approved = [
        (history[-1].at, int(version))
        for version, history in histories.items()
        if state_after(history) is ApprovalState.APPROVED
    ]
    return str(max(approved)[1]) if approved else None


def described(change: Change) -> str:
    """Return a change in one line, without its time.

    Examples
    --------
    >>> at, old, new = datetime(2026, 2, 3, tzinfo=UTC), ApprovalState.PENDING, "Approved"
    >>> described(Change(at, "2", old, ApprovalState(new), "zoe", "looks fine", "SageMaker"))
    'version 2  PendingManualApproval → Approved  by zoe in SageMaker: looks fine'
    """
    # The gate's first decision often leaves the state as it was.
    old = f"{change.old} → " if change.old not in (None, change.new) else ""
    where = f" in {change.made_in}" if change.made_in else ""
    return f"version {change.version}  {old}{change.new}  by {change.who}{where}: {change.why}"


def describe(description: str, history: list[Change]) -> str:
    """Return the description a version was registered with, and below it what became of it."""
    last = history[-1] if history else None
    if last is None or last.old is None:
        return shorten(storable(description), DESCRIPTION_LENGTH)
    by = f"{last.who} in {last.made_in}" if last.made_in else last.who
    sentence = f"{last.new} by {by} on {last.at:%Y-%m-%d %H:%M} UTC: {last.why}"
    return shorten(storable(f"{description}\n\n{sentence}"), DESCRIPTION_LENGTH)

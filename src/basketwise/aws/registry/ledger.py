"""The history of a version whose approval status SageMaker shows, and others may change there.

SageMaker stores one status and one comment, the last. The history is a row of entries in the
bucket, one object a change, and an entry is written *before* SageMaker's status is set. Each
entry records the status and comment that SageMaker had before it, and the comment that goes
with a status names its entry. So whoever reads can tell apart, without any clock,

- a status that was not set yet, as somebody is just doing it or was cut off: the entry counts;
- a status that belongs to an earlier entry, as two people wrote at once: the last entry counts;
- a status that somebody set in SageMaker itself: that is one more change, by ``SageMaker``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from basketwise.errors import DependencyError
from basketwise.registry import ledger
from basketwise.registry.protocol import ApprovalState, Change

SAGEMAKER = "SageMaker"
"""Who made a change that was not made through Basketwise."""

COMMENT_LENGTH = 512
"""Characters of a comment. SageMaker takes 1,024, but counts some characters twice."""


@dataclass(frozen=True)
class Shown:
    """What SageMaker shows of a version: changed last ``at`` (UTC) by ``who`` ("" if unknown)."""

    status: ApprovalState
    comment: str
    at: datetime
    who: str


@dataclass(frozen=True)
class Entry:
    """One change, and the status and comment that SageMaker showed before it."""

    name: str
    """Sorts by time; empty for the registration, which no comment can name."""
    change: Change
    status: ApprovalState
    comment: str


def registration(version: str, at: datetime, who: str) -> Entry:
    """Return a version's first entry; SageMaker shows it as pending and without a comment."""
    pending = ApprovalState.PENDING
    change = Change(at, version, None, pending, who, ledger.REGISTERED)
    return Entry("", change, pending, "")


def entry_of(change: Change, shown: Shown) -> Entry:
    """Return a new entry for a change that is made while SageMaker shows ``shown``.

    A change that was made in SageMaker gets the same name from everybody who sees it.
    """
    name = ledger.entry_key(change).removeprefix(ledger.ENTRY)
    if change.who == SAGEMAKER:
        name = f"{name.partition('-')[0]}-sagemaker"
    return Entry(name, change, shown.status, shown.comment)


def entry_bytes(entry: Entry) -> bytes:
    """Return an entry as it is stored."""
    seen = {"status": str(entry.status), "comment": entry.comment}
    return json.dumps(json.loads(ledger.entry_text(entry.change)) | {"seen": seen}).encode()


def read_entry(version: str, name: str, data: bytes) -> Entry:
    """Return a stored entry; raises DependencyError if it is none."""
    try:
        text = data.decode()
        (change,) = ledger.read_entries(version, {ledger.ENTRY: text})
        seen = json.loads(text)["seen"]
        return Entry(name, change, ApprovalState(seen["status"]), str(seen["comment"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DependencyError(
            f"The change {name} of version {version} in the registry cannot be read: {error}.",
            "It was damaged or is not from Basketwise: move it out of the registry's prefix.",
        ) from error


def comment_of(entry: Entry) -> str:
    """Return the comment that SageMaker shows with an entry's status: one line, with its name."""
    said = " ".join(f"{entry.change.who}: {entry.change.why}".split())
    mark = f" [{entry.name}]"
    return ledger.shorten(ledger.storable(said), COMMENT_LENGTH - len(mark)) + mark


def found_outside(entries: Sequence[Entry], shown: Shown) -> Change | None:
    """Return the change that somebody made in SageMaker after the last entry, if there is one."""
    last = entries[-1]
    state = last.change.new
    untouched = (shown.status, shown.comment) == (last.status, last.comment)
    named = [entry for entry in entries if entry.name and f"[{entry.name}]" in shown.comment]
    ours = any(
        shown.comment.endswith(f"[{entry.name}]") and shown.status == entry.change.new
        for entry in named
    )
    if shown.status == state or untouched or ours:
        return None
    # The console may leave our comment beside a status that it does not explain.
    said = "" if named else shown.comment
    by = f" by {shown.who}" if shown.who else ""
    return Change(
        at=max(shown.at, last.change.at + timedelta(microseconds=1)),
        version=last.change.version,
        old=state,
        new=shown.status,
        who=SAGEMAKER,
        why=f"changed outside Basketwise{by}{f': {said}' if said else ''}",
    )

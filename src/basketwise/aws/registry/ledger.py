"""The history of a version whose approval status SageMaker shows, and others may change there.

SageMaker stores only the last status and comment. The history is a sequence of entries in the
bucket, one object per change, and an entry is written *before* SageMaker's status is set. Each
entry records the status and comment that SageMaker had before it, and the comment of a status
names its entry. So a reader can distinguish, without any clock,

- a status that is not set yet, because a writer is at work or was interrupted: the entry counts;
- a status of an earlier entry, because two people wrote at the same time: the last entry counts;
- a status that was set in SageMaker itself: that is one more change, by ``SageMaker``.
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
class Approval:
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


def entry_of(change: Change, approval: Approval) -> Entry:
    """Return a new entry for a change that is made while SageMaker shows ``approval``.

    A change that was made in SageMaker gets the same name from every reader.
    """
    name = ledger.entry_key(change).removeprefix(ledger.ENTRY)
    if change.who == SAGEMAKER:
        name = f"{name.partition('-')[0]}-sagemaker"
    return Entry(name, change, approval.status, approval.comment)


def entry_bytes(entry: Entry) -> bytes:
    """Return an entry as it is stored."""
    before = {"status": str(entry.status), "comment": entry.comment}
    return json.dumps(json.loads(ledger.entry_text(entry.change)) | {"seen": before}).encode()


def read_entry(version: str, name: str, data: bytes) -> Entry:
    """Return a stored entry; raises DependencyError if it is not valid."""
    try:
        text = data.decode()
        change = ledger.change_of(version, text)
        before = json.loads(text)["seen"]
        return Entry(name, change, ApprovalState(before["status"]), str(before["comment"]))
    except ledger.UNREADABLE as error:
        raise DependencyError(
            f"The change {name} of version {version} in the registry cannot be read: {error}.",
            "It was damaged or is not from Basketwise: move it out of the registry's prefix.",
        ) from error


def comment_of(entry: Entry) -> str:
    """Return the comment that SageMaker shows with an entry's status: one line, with its name."""
    text = " ".join(f"{entry.change.who}: {entry.change.why}".split())
    mark = f" [{entry.name}]"
    return ledger.shorten(ledger.storable(text), COMMENT_LENGTH - len(mark)) + mark


def outside_change(entries: Sequence[Entry], approval: Approval) -> Change | None:
    """Return the change that somebody made in SageMaker after the last entry, if there is one."""
    last = entries[-1]
    state = last.change.new
    untouched = (approval.status, approval.comment) == (last.status, last.comment)
    named = [entry for entry in entries if entry.name and f"[{entry.name}]" in approval.comment]
    is_ours = any(
        approval.comment.endswith(f"[{entry.name}]") and approval.status == entry.change.new
        for entry in named
    )
    if approval.status == state or untouched or is_ours:
        return None
    # The console may leave our comment beside a status that it does not explain.
    text = "" if named else approval.comment
    by = f" by {approval.who}" if approval.who else ""
    return Change(
        at=max(approval.at, last.change.at + timedelta(microseconds=1)),
        version=last.change.version,
        old=state,
        new=approval.status,
        who=SAGEMAKER,
        why=f"changed outside Basketwise{by}{f': {text}' if text else ''}",
    )

"""The history of a version whose approval status SageMaker shows, and others may change there.

SageMaker stores only the last status and comment. The history is a sequence of entries in the
bucket, one object per change, and an entry is written *before* SageMaker's status is set. Each
entry records the status and comment that SageMaker had before it, and the comment of a status
names its entry. So a reader can distinguish, without any clock,

- a status that is not set yet, because a writer is at work or was interrupted: the entry counts;
- a status of an earlier entry, because two people wrote at the same time: the last entry counts;
- a status that was set in SageMaker itself: that is one more change, by whom SageMaker names;
- a status that was set with Basketwise in another workspace of the same group, whose entries are
  stored there: one more change, by whom and when its comment says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from basketwise.errors import DependencyError
from basketwise.registry import ledger
from basketwise.registry.protocol import ApprovalState, Change

SAGEMAKER = "SageMaker"
"""Where a change was made that was not made with Basketwise."""

SOMEBODY = "somebody"
"""Who made a change, if SageMaker does not say."""

DELETED = "the model package was deleted"
REMOVAL = "-deleted"
"""End of the name of the entry which says that the version does not exist any more."""

COMMENT_LENGTH = 512
"""Characters of a comment. SageMaker takes 1,024, but counts some characters twice."""

WORKSPACE_LENGTH = 200
"""Characters; the address of a workspace is left out of a comment if it is longer."""

NAME_FORMAT = "%Y%m%dT%H%M%S%f"
MARK = re.compile(
    r"(?P<text>.*) \[(?P<name>\d{8}T\d{12}-[0-9a-f]{8}) (?P<status>[A-Za-z]+)"
    r"(?: (?P<workspace>s3://\S+))?\]",
    re.DOTALL,
)
"""A comment of Basketwise's."""

LAST_NAME = re.compile(r"\[([^\[\] ]+)[^\[\]]*\]$")
"""Of the entry that a comment of Basketwise's names; 0.1 wrote nothing behind it."""

TICK = timedelta(microseconds=1)


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


def registration(version: str, at: datetime, who: str, made_in: str = "") -> Entry:
    """Return a version's first entry; SageMaker shows it as pending and without a comment."""
    pending = ApprovalState.PENDING
    change = Change(at, version, None, pending, who, ledger.REGISTERED, made_in)
    return Entry("", change, pending, "")


def entry_of(change: Change, approval: Approval) -> Entry:
    """Return a new entry for a change that is made while SageMaker shows ``approval``.

    A change that was made elsewhere gets the same name from every reader.
    """
    name = ledger.entry_key(change).removeprefix(ledger.ENTRY)
    if change.made_in:
        mark = MARK.fullmatch(approval.comment)
        other = mark["name"] if mark and change.made_in != SAGEMAKER else ""
        name = other or f"{name.partition('-')[0]}-sagemaker"
    return Entry(name, change, approval.status, approval.comment)


def removal(entries: Sequence[Entry], at: datetime) -> Entry | None:
    """Return the entry for the deletion of a version, noticed at ``at``; None if it is stored."""
    last = entries[-1]
    if last.name.endswith(REMOVAL):
        return None
    change = Change(
        at=max(at, last.change.at + TICK),
        version=last.change.version,
        old=last.change.new,
        new=ApprovalState.REJECTED,
        who=SOMEBODY,
        why=DELETED,
        made_in=SAGEMAKER,
    )
    return Entry(f"{change.at:{NAME_FORMAT}}{REMOVAL}", change, last.change.new, "")


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


def comment_of(entry: Entry, workspace: str) -> str:
    """Return the comment that SageMaker shows with an entry's status, in one line.

    It ends with the entry's name, status and workspace: what another workspace needs to know.
    """
    text = " ".join(f"{entry.change.who}: {entry.change.why}".split())
    fits = len(workspace) <= WORKSPACE_LENGTH and not set(workspace) & set(" []")
    where = f" {workspace}" if workspace and fits else ""
    mark = f" [{entry.name} {entry.change.new}{where}]"
    return ledger.shorten(ledger.storable(text), COMMENT_LENGTH - len(mark)) + mark


def outside_change(entries: Sequence[Entry], approval: Approval) -> Change | None:
    """Return the change that was made elsewhere after the last entry, if there is one."""
    last = entries[-1]
    state = last.change.new
    untouched = (approval.status, approval.comment) == (last.status, last.comment)
    named = [entry for entry in entries if entry.name and f"[{entry.name}" in approval.comment]
    shown = LAST_NAME.search(approval.comment)
    is_ours = any(
        shown and shown[1] == entry.name and approval.status == entry.change.new for entry in named
    )
    if approval.status == state or untouched or is_ours:
        return None
    made = Change(
        at=max(approval.at, last.change.at + TICK),
        version=last.change.version,
        old=state,
        new=approval.status,
        who=approval.who or SOMEBODY,
        # The console may leave our comment beside a status that it does not explain.
        why=("" if named else approval.comment) or "no comment",
        made_in=SAGEMAKER,
    )
    mark = None if named else MARK.fullmatch(approval.comment)
    if mark is None:
        return made
    if mark["status"] != approval.status:
        return replace(made, why="no comment")
    who, _, why = mark["text"].partition(": ")
    with suppress(ValueError):
        at = datetime.strptime(mark["name"].partition("-")[0], NAME_FORMAT).replace(tzinfo=UTC)
        made = replace(made, at=max(at, last.change.at + TICK))
    return replace(made, who=who, why=why, made_in=mark["workspace"] or "another workspace")

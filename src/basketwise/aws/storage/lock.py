"""The lock of a workspace in a bucket: an object that is only ever written by compare-and-swap.

S3 releases nothing when a process ends, so the lock expires: its owner renews it three times per
lease, and anyone may take a lock that is older than its lease. The age is measured with the
server's clock alone (``Date`` minus ``Last-Modified``), so the clocks of machines need not agree.
Where that says nothing, because it went back, the lock is watched for as long as its lease.

Every write requires the ETag of the owner's previous one. So an owner whose lock was taken cannot
renew, commit or release anything, however long it slept. The object contains the replacement that
is committed but unfinished (:mod:`basketwise.aws.storage.replacement`): it is committed by the
owner alone, and whoever takes the lock takes it over.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from math import inf
from threading import Event, Lock, Thread
from typing import Any, NamedTuple
from uuid import uuid4

from basketwise import clock
from basketwise.aws.errors import CHANGED, Meaning, call
from basketwise.aws.s3 import Bucket, read_body
from basketwise.aws.storage.record import (
    DEFAULT_LEASE,
    MAX_BYTES,
    Holder,
    Record,
    Replacement,
    State,
    parse_record,
)
from basketwise.errors import BasketwiseError, WorkspaceError
from basketwise.storage.scheme import OWN

LOCK = f"{OWN}/lock"
ATTEMPTS = 5
WATCHES = 12
"""Times that a lock of unknown age is read in its lease."""


class StoredRecord(NamedTuple):
    """The lock as it is in the bucket, with its age in seconds of the server's clock.

    An age below -1, a time in the future, or -inf, no time at all, says nothing.
    """

    record: Record
    etag: str
    age: float


def read_lock(bucket: Bucket) -> StoredRecord | None:
    """Read the lock object, None if the workspace was never locked."""

    def read() -> StoredRecord:
        answer = bucket.client.get_object(Bucket=bucket.name, Key=bucket.full(LOCK))
        now = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        age = -inf
        if now:
            # Times are whole seconds; one second of tolerance protects a live owner.
            age = (parsedate_to_datetime(now) - answer["LastModified"]).total_seconds() - 1
        record = parse_record(read_body(answer, MAX_BYTES), answer["ETag"])
        return StoredRecord(record, answer["ETag"], age)

    return call(f"read the lock of {bucket.location}", read, Meaning.NO_KEY)


def read_state(bucket: Bucket) -> State:
    """Read what is published, and what is being replaced."""
    stored = read_lock(bucket)
    return stored.record.state if stored else State()


class Lease:
    """The lock on a workspace, valid for ``seconds`` after it was last written.

    Attributes
    ----------
    state : State
        As the lock object has it; changes only with it.
    follows_damage : bool
        Whether the lock that was taken could not be read.
    """

    def __init__(self, bucket: Bucket, seconds: float = DEFAULT_LEASE) -> None:
        self.bucket = bucket
        since = f"{clock.now():%Y-%m-%d %H:%M:%S} UTC"
        self.holder = Holder(uuid4().hex, socket.gethostname(), os.getpid(), since, seconds)
        self.state = State()
        self.follows_damage = self.lost = False
        self._etag = ""
        """Of our last write; empty if it is not known whether that write was made."""
        self._count = 0
        self._writing = Lock()

    def acquire(self) -> None:
        """Create the lock, or take a free one; WorkspaceError if another run holds it."""
        for _ in range(ATTEMPTS):
            stored = read_lock(self.bucket)
            if stored is None:
                if self._put(Record(self.holder), IfNoneMatch="*"):
                    return
                continue
            holder = stored.record.holder
            if holder.token == self.holder.token:
                # Written by us: a retry followed a lost response.
                self._etag, self.state = stored.etag, stored.record.state
                return
            held = holder.lease and stored.age <= holder.lease
            if held and (stored.age >= -1 or self._is_alive(stored)):
                raise self._in_use(holder)
            self.follows_damage = stored.record.is_damaged
            if self._put(Record(self.holder, stored.record.state), IfMatch=stored.etag):
                return
        raise self._in_use(None)

    def renew(self) -> None:
        """Renew the lock; WorkspaceError if it was taken, DependencyError if S3 refuses."""
        self._swap(lambda state: state)

    def pending(self) -> Replacement | None:
        """Return the replacement that is to be finished before anything else is changed."""
        if not self._etag:
            # The response to our last write was lost: it may have been a commit.
            self.renew()
        return self.state.pending

    def commit(self, replacement: Replacement) -> None:
        """Make a replacement's staged files the current ones.

        Raises WorkspaceError if the lock was taken. After any error the replacement may be
        committed nevertheless: the response may be lost, and the lock be taken since.
        """
        self._swap(lambda _: State(replacement.id, replacement))

    def complete(self) -> None:
        """Record that the pending replacement is finished; WorkspaceError if the lock was taken."""
        self._swap(lambda state: State(state.generation))

    def release(self) -> None:
        """Let others take the lock at once, if it is still ours."""
        # A lock that is not released expires; the outcome of the run matters more.
        with suppress(BasketwiseError):
            self._swap(lambda state: state, release=True)

    def renew_until(self, done: Event) -> None:
        """Renew until ``done`` is set; a renewal that fails is tried again."""
        while not done.wait(self.holder.lease / 3) and not self.lost:
            with suppress(BasketwiseError):
                self.renew()

    def _swap(self, change: Callable[[State], State], *, release: bool = False) -> None:
        """Write the lock if nobody else has written it since; ``change`` may be called twice."""
        with self._writing:
            for _ in range(ATTEMPTS):
                if not self._etag and not self._resume():
                    break
                record = Record(self.holder, change(self.state))
                if self._put(record.released() if release else record, IfMatch=self._etag):
                    return
        self.lost = True
        raise WorkspaceError(
            f"The lock of the workspace {self.bucket.location!r} was lost while it was in use.",
            "The machine slept or was offline for too long, and another run has taken over. "
            "Nothing is published in part. Run the command again.",
        )

    def _resume(self) -> bool:
        """Read back what our last write has made of the lock; False if it is not ours any more."""
        stored = read_lock(self.bucket)
        if stored is None or stored.record.holder.token != self.holder.token:
            return False
        self._etag, self.state = stored.etag, stored.record.state
        return True

    def _put(self, record: Record, **condition: str) -> bool:
        self._count += 1
        self._etag = ""
        request: Any = {
            "Bucket": self.bucket.name,
            "Key": self.bucket.full(LOCK),
            "Body": record.dump(self._count),
            "ContentType": "application/json",
            "ChecksumAlgorithm": "SHA256",
            **condition,
        }
        put, location = self.bucket.client.put_object, self.bucket.location
        answer = call(f"lock the workspace {location}", lambda: put(**request), *CHANGED)
        if answer is None:
            return False
        self._etag, self.state = answer["ETag"], record.state
        return True

    def _is_alive(self, stored: StoredRecord) -> bool:
        """Whether a lock whose age says nothing is renewed within its lease."""
        end = time.monotonic() + stored.record.holder.lease
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, stored.record.holder.lease / WATCHES))
            seen = read_lock(self.bucket)
            if seen is None or seen.etag != stored.etag:
                return True
        return False

    def _in_use(self, holder: Holder | None) -> WorkspaceError:
        owner = (
            f" ({holder.host}, process {holder.process}, since {holder.since})" if holder else ""
        )
        seconds = (holder or self.holder).lease
        return WorkspaceError(
            f"Another run is using the workspace {self.bucket.location!r}{owner}.",
            "Wait until it has finished, or choose another --workspace. If it was killed, its lock "
            f"expires within {seconds:.0f} seconds.",
        )


@contextmanager
def leased(lease: Lease) -> Iterator[Lease]:
    """Hold a lock while the block lasts, and renew it in the background."""
    lease.acquire()
    done = Event()
    renewing = Thread(target=lease.renew_until, args=(done,), name="workspace-lock", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        done.set()
        renewing.join(lease.holder.lease)
        lease.release()

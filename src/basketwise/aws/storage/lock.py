"""One run at a time in a bucket: an object that only one writer can make, with a lease.

S3 frees nothing when a process ends, so the lock is held on a lease: its owner writes it again
three times a lease, and who finds it older than that may take it. Age is told by the server's clock
alone (``Date`` less ``Last-Modified``), so machines need not agree on the time.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from basketwise.aws.errors import CHANGED, Meaning, call
from basketwise.errors import BasketwiseError, WorkspaceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEASE = 60.0
"""Seconds until the lock of a killed run may be taken."""

LONGEST = 3600.0
TRIES = 5


@dataclass
class Lease:
    """A lock on the workspace at ``location``, valid for ``seconds`` after it was last written."""

    client: S3Client
    bucket: str
    key: str
    location: str
    seconds: float
    token: str = field(default_factory=lambda: uuid4().hex)
    since: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
    etag: str = ""
    written: float = 0.0
    taken: bool = False
    _count: int = 0
    _tried: float = 0.0
    _writing: Lock = field(default_factory=Lock)

    def check(self) -> None:
        """Raise WorkspaceError if the lock was taken, or could not be renewed in time."""
        if self.taken or _now() - self.written > self.seconds:
            raise WorkspaceError(
                f"The lock of the workspace {self.location!r} was lost while it was in use.",
                "The machine slept or was cut off for too long; nothing was published. "
                "Start the command again.",
            )

    def acquire(self) -> None:
        """Make the lock, or take an expired one; WorkspaceError if another run holds it."""
        for _ in range(TRIES):
            if self._put(IfNoneMatch="*"):
                return
            stored = self._stored()
            if stored is None:
                continue
            if stored["token"] == self.token:
                # Our own request, answered twice because the first answer was lost.
                self._is_ours(stored)
            elif stored["age"] <= stored["lease"] or not self._put(IfMatch=stored["etag"]):
                raise self._busy(stored)
            return
        raise self._busy({})

    def renew(self) -> None:
        """Write the lock again, or note that it is taken; raises DependencyError if S3 refuses."""
        with self._writing:
            if self._put(IfMatch=self.etag):
                return
            stored = self._stored()
            if stored is not None and stored["token"] == self.token:
                self._is_ours(stored)
            else:
                self.taken = True

    def release(self) -> None:
        """Remove the lock, if it is still ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        # What cannot be removed ends with its lease; the run's own outcome matters more.
        with suppress(BotoCoreError, ClientError):
            self.client.delete_object(Bucket=self.bucket, Key=self.key, IfMatch=self.etag)

    def renew_until(self, done: Event) -> None:
        """Renew until told that it is done; what fails on the way is tried again."""
        while not done.wait(self.seconds / 3) and not self.taken:
            with suppress(BasketwiseError):
                self.renew()

    def _put(self, **condition: str) -> bool:
        self._count += 1
        body = {
            "token": self.token,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": self.since,
            "lease": self.seconds,
            "renewed": self._count,
        }
        self._tried = _now()
        request: Any = {
            "Bucket": self.bucket,
            "Key": self.key,
            "Body": json.dumps(body).encode(),
            "ContentType": "application/json",
            "ChecksumAlgorithm": "SHA256",
            **condition,
        }
        put = self.client.put_object
        answer = call(f"lock the workspace {self.location}", lambda: put(**request), *CHANGED)
        if answer is None:
            return False
        # Counted from before the request, so that we give up before anybody else may take over.
        self.etag, self.written = answer["ETag"], self._tried
        return True

    def _stored(self) -> dict[str, Any] | None:
        def read() -> dict[str, Any]:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key)
            now = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            clock = parsedate_to_datetime(now) if now else datetime.now(UTC)
            # Times have whole seconds: one more, so that a live owner is never thought dead.
            age = (clock - answer["LastModified"]).total_seconds() - 1
            return {**_parsed(answer["Body"].read(10_000)), "etag": answer["ETag"], "age": age}

        return call(f"read the lock of {self.location}", read, Meaning.NO_KEY)

    def _is_ours(self, stored: dict[str, Any]) -> None:
        self.etag, self.written = stored["etag"], self._tried

    def _busy(self, stored: dict[str, Any]) -> WorkspaceError:
        owner = f" ({stored['host']}, process {stored['process']}, since {stored['since']})"
        return WorkspaceError(
            f"Another run is using the workspace {self.location!r}{owner if stored else ''}.",
            "Wait until it has finished, or choose another --workspace. If it was killed, its lock "
            f"ends by itself within {stored.get('lease', self.seconds):.0f} seconds.",
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
        renewing.join(lease.seconds)
        lease.release()


def _now() -> float:
    """Return seconds on a clock that goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
        return {
            **{name: str(body[name]) for name in ("token", "host", "since")},
            "process": int(body["process"]),
            "lease": min(max(float(body["lease"]), 0.0), LONGEST),
        }
    except (ValueError, TypeError, KeyError):
        # Not one of ours; it ends like any other.
        return {"token": "", "host": "unknown", "process": 0, "since": "unknown", "lease": LEASE}

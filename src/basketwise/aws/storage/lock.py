"""The lock of a workspace in a bucket: an object that only one writer can create, with a lease.

S3 releases nothing when a process ends, so the lock expires: its owner renews it three times per
lease, and anyone may take a lock that is older than its lease. The age is measured with the
server's clock alone (``Date`` minus ``Last-Modified``), so the clocks of machines need not agree.
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

MAX_LEASE = 3600.0
ATTEMPTS = 5


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
    renewed_at: float = 0.0
    lost: bool = False
    _count: int = 0
    _attempted_at: float = 0.0
    _writing: Lock = field(default_factory=Lock)

    def check(self) -> None:
        """Raise WorkspaceError if the lock was taken, or could not be renewed in time."""
        if self.lost or _now() - self.renewed_at > self.seconds:
            raise WorkspaceError(
                f"The lock of the workspace {self.location!r} was lost while it was in use.",
                "The machine slept or was offline for too long; nothing was published. "
                "Run the command again.",
            )

    def acquire(self) -> None:
        """Create the lock, or take an expired one; WorkspaceError if another run holds it."""
        for _ in range(ATTEMPTS):
            if self._put(IfNoneMatch="*"):
                return
            stored = self._stored()
            if stored is None:
                continue
            if stored["token"] == self.token:
                # Created by this process: a retry followed a lost response.
                self._confirm(stored)
            elif stored["age"] <= stored["lease"] or not self._put(IfMatch=stored["etag"]):
                raise self._in_use(stored)
            return
        raise self._in_use({})

    def renew(self) -> None:
        """Renew the lock, or record that it is lost; raises DependencyError if S3 refuses."""
        with self._writing:
            if self._put(IfMatch=self.etag):
                return
            stored = self._stored()
            if stored is not None and stored["token"] == self.token:
                self._confirm(stored)
            else:
                self.lost = True

    def release(self) -> None:
        """Remove the lock, if it is still ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        # A lock that is not removed expires; the outcome of the run matters more.
        with suppress(BotoCoreError, ClientError):
            self.client.delete_object(Bucket=self.bucket, Key=self.key, IfMatch=self.etag)

    def renew_until(self, done: Event) -> None:
        """Renew until ``done`` is set; a renewal that fails is tried again."""
        while not done.wait(self.seconds / 3) and not self.lost:
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
        self._attempted_at = _now()
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
        self.etag, self.renewed_at = answer["ETag"], self._attempted_at
        return True

    def _stored(self) -> dict[str, Any] | None:
        def read() -> dict[str, Any]:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key)
            now = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            clock = parsedate_to_datetime(now) if now else datetime.now(UTC)
            # Times are whole seconds; one second of tolerance protects a live owner.
            age = (clock - answer["LastModified"]).total_seconds() - 1
            return {**_parsed(answer["Body"].read(10_000)), "etag": answer["ETag"], "age": age}

        return call(f"read the lock of {self.location}", read, Meaning.NO_KEY)

    def _confirm(self, stored: dict[str, Any]) -> None:
        self.etag, self.renewed_at = stored["etag"], self._attempted_at

    def _in_use(self, stored: dict[str, Any]) -> WorkspaceError:
        owner = f" ({stored['host']}, process {stored['process']}, since {stored['since']})"
        return WorkspaceError(
            f"Another run is using the workspace {self.location!r}{owner if stored else ''}.",
            "Wait until it has finished, or choose another --workspace. If it was killed, its lock "
            f"expires within {stored.get('lease', self.seconds):.0f} seconds.",
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
    """Return seconds of a clock that also runs while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
        return {
            **{name: str(body[name]) for name in ("token", "host", "since")},
            "process": int(body["process"]),
            "lease": min(max(float(body["lease"]), 0.0), MAX_LEASE),
        }
    except (ValueError, TypeError, KeyError):
        # Not written by Basketwise; it expires like any other lock.
        return {"token": "", "host": "unknown", "process": 0, "since": "unknown", "lease": LEASE}

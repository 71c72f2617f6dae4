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

from basketwise.aws.errors import ask, changed, no_object
from basketwise.errors import BasketwiseError, WorkspaceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

LEASE = 60.0
"""Seconds until the lock of a killed run may be taken."""

LONGEST = 3600.0
TRIES = 5


@dataclass
class Lease:
    """A lock that this process holds.

    Attributes
    ----------
    location
        The workspace, for messages.
    seconds
        How long it lasts after it was last written.
    """

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
        """Refuse to go on once somebody else may hold the lock.

        Raises
        ------
        WorkspaceError
            If it was taken, or could not be renewed in time.
        """
        if self.taken or _now() - self.written > self.seconds:
            raise WorkspaceError(
                f"The lock of the workspace {self.location!r} was lost while it was in use.",
                "The machine slept or was cut off for too long; nothing was published. "
                "Start the command again.",
            )

    def acquire(self) -> None:
        """Make the lock, or take one whose lease has ended.

        Raises
        ------
        WorkspaceError
            If another run holds it.
        """
        for _ in range(TRIES):
            if self._put(IfNoneMatch="*"):
                return
            found = self._found()
            if found is None:
                continue
            if found["token"] == self.token:
                # Our own request, answered twice because the first answer was lost.
                self._is_ours(found)
                return
            if found["age"] <= found["lease"] or not self._put(IfMatch=found["etag"]):
                raise self._busy(found)
            return
        raise self._busy({})

    def renew(self) -> None:
        """Write the lock again; note when it is no longer ours.

        Raises
        ------
        DependencyError
            If S3 refuses or cannot be reached: nobody knows then whose it is.
        """
        with self._writing:
            if self._put(IfMatch=self.etag):
                return
            found = self._found()
            if found is not None and found["token"] == self.token:
                self._is_ours(found)
            else:
                self.taken = True

    def release(self) -> None:
        """Remove the lock, if it is still ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        # What cannot be removed ends with its lease; the run's own outcome matters more.
        with suppress(BotoCoreError, ClientError):
            self.client.delete_object(Bucket=self.bucket, Key=self.key, IfMatch=self.etag)

    def keep(self, done: Event) -> None:
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
        answer = ask(
            f"lock the workspace {self.location}",
            lambda: self.client.put_object(**request),
            changed,
        )
        if answer is None:
            return False
        # Counted from before the request, so that we give up before anybody else may take over.
        self.etag, self.written = answer["ETag"], self._tried
        return True

    def _found(self) -> dict[str, Any] | None:
        def read() -> tuple[GetObjectOutputTypeDef, bytes]:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key)
            return answer, answer["Body"].read(10_000)

        present = ask(f"read the lock of {self.location}", read, no_object)
        if present is None:
            return None
        answer, data = present
        said = _parsed(data)
        now = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        clock = parsedate_to_datetime(now) if now else datetime.now(UTC)
        # Times have whole seconds: one more, so that a live owner is never thought dead.
        age = (clock - answer["LastModified"]).total_seconds() - 1
        return {**said, "etag": answer["ETag"], "age": age}

    def _is_ours(self, found: dict[str, Any]) -> None:
        self.etag, self.written = found["etag"], self._tried

    def _busy(self, found: dict[str, Any]) -> WorkspaceError:
        owner = f" ({found['host']}, process {found['process']}, since {found['since']})"
        return WorkspaceError(
            f"Another run is using the workspace {self.location!r}{owner if found else ''}.",
            "Wait until it has finished, or choose another --workspace. If it was killed, its lock "
            f"ends by itself within {found.get('lease', self.seconds):.0f} seconds.",
        )


@contextmanager
def leased(lease: Lease) -> Iterator[Lease]:
    """Hold a lock while the block lasts, and renew it in the background."""
    lease.acquire()
    done = Event()
    keeper = Thread(target=lease.keep, args=(done,), name="workspace-lock", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        done.set()
        keeper.join(lease.seconds)
        lease.release()


def _now() -> float:
    """Return seconds on a clock that goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data)
        return {
            "token": str(said["token"]),
            "host": str(said["host"]),
            "process": int(said["process"]),
            "since": str(said["since"]),
            "lease": min(max(float(said["lease"]), 0.0), LONGEST),
        }
    except (ValueError, TypeError, KeyError):
        # Not one of ours; it ends like any other.
        return {"token": "", "host": "unknown", "process": 0, "since": "unknown", "lease": LEASE}

"""A workspace in a bucket.

Keys are what they are in a local workspace, so ``gold/`` of the workspace is ``gold/`` of the
bucket, and jobs and other programs read it directly.

Many files are replaced at once: :mod:`basketwise.aws.storage.replacement`. What Basketwise itself
needs to know is stored below ``.basketwise/``.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from basketwise.aws.address import OWN
from basketwise.aws.at_once import Thing, each
from basketwise.aws.s3 import Bucket, ChangedError, S3Object, is_below
from basketwise.aws.storage.lock import LEASE, Lease, leased
from basketwise.aws.storage.mirror import Mirror
from basketwise.aws.storage.replacement import begin, current, finish, pending, recover
from basketwise.errors import InputError, WorkspaceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCK = f"{OWN}/lock"
LOOKS = 10


class S3Storage:
    """A workspace below a prefix of a bucket; see :class:`basketwise.storage.protocol.Storage`.

    Parameters
    ----------
    s3, bucket, prefix
        As of a :class:`basketwise.aws.s3.Bucket`.
    cache : Path
        Folder of this machine for :meth:`local`.
    lease : float
        Seconds after which the lock of a killed run may be taken.
    """

    def __init__(
        self, s3: S3Client, bucket: str, prefix: str, *, cache: Path, lease: float = LEASE
    ) -> None:
        self.bucket, self.cache, self.lease = Bucket(s3, bucket, prefix), cache, lease
        self._mirror = Mirror(cache)
        self._held: Lease | None = None

    @property
    def location(self) -> str:
        """The workspace as the user gives it."""
        return self.bucket.location

    @property
    def scratch(self) -> Path:
        """A folder of this machine; there while the workspace is held."""
        return self.cache / "work"

    def read(self, key: str) -> bytes:
        """Return the bytes of a key."""
        self._check(key)

        def once() -> bytes:
            decided, source = pending(self.bucket), key
            for replacement in decided:
                if is_below(key, replacement.prefix):
                    source = replacement.sent(key)
            data = self.bucket.get(source)
            if data is not None:
                return data
            if pending(self.bucket) != decided:
                raise ChangedError
            raise InputError(f"There is no {key} in {self.location!r}.", "Run the stage before.")

        return unchanged(self.location, once)

    def write(self, key: str, data: bytes) -> None:
        """Write a key, replacing what was there."""
        self._settle(key)
        self._still_held()
        self.bucket.put(key, data)

    def exists(self, key: str) -> bool:
        """Whether a key, or any key below it, exists."""
        return bool(self._files(key))

    def keys(self, prefix: str) -> list[str]:
        """List all keys below a prefix, sorted."""
        return sorted(key for key in self._files(prefix) if key != prefix)

    def delete(self, prefix: str) -> None:
        """Delete a key and all below it."""
        self._settle(prefix)
        self._still_held()
        self.bucket.remove(self.bucket.below(prefix))

    def replace(self, folder: Path, prefix: str) -> None:
        """Replace all below a prefix by a local folder's files; the folder is gone afterwards.

        If it fails before the last file has been sent, or if somebody else writes there meanwhile
        or has taken the lock (WorkspaceError), the old files stay and so does the folder.
        """
        if not folder.is_dir():
            raise WorkspaceError(f"There is no folder {str(folder)!r} to publish.")
        self._settle(prefix)
        files = {
            path: f"{prefix}/{path.relative_to(folder).as_posix()}"
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        for key in files.values():
            self._check(key)
        old = self.bucket.below(prefix)
        # A job's outputs are in the bucket before they are taken over: those are not sent again.
        same = self._mirror.same({key: path for path, key in files.items()}, old)
        here = {key: old[key] for key in same}
        new = [path for path, key in files.items() if key not in same]
        try:
            if len(new) <= 1 and not old.keys() - set(files.values()):
                # One object is replaced whole by itself.
                self._surely_held()
                if here and self.bucket.below(prefix) != old:
                    raise ChangedError
                each(lambda path: self.bucket.send(path, files[path]), new)
            else:
                replacement = begin(self.bucket, prefix, files, here, self._surely_held)
                finish(self.bucket, replacement, self._still_held)
        except ChangedError as error:
            raise WorkspaceError(
                f"Somebody else wrote below {prefix} in {self.location!r} while it was published.",
                "Nothing was published. See that nobody else writes there, and run again.",
            ) from error
        shutil.rmtree(folder, ignore_errors=True)

    def local(self, prefix: str) -> Path:
        """Return a local copy of the current files; only what has changed is fetched."""

        def once() -> Path:
            return self._mirror.fetch(prefix, self._files(prefix), self.bucket.fetch)

        return unchanged(self.location, once)

    @contextmanager
    def edit(self, prefix: str) -> Iterator[Path]:
        """Give a folder with a prefix's files; at the end it replaces them, if it has changed.

        Nobody else changes them in between: the workspace's lock is held. After an error nothing
        is stored.
        """
        with nullcontext() if self._held else self.exclusive():
            source, folder = self.local(prefix), self.scratch / f"edited-{uuid4().hex}"
            try:
                if source.exists():
                    shutil.copytree(source, folder)
                before = _digests(folder)
                yield folder
                after = _digests(folder)
                if after and after != before:
                    self.replace(folder, prefix)
                elif after != before:
                    self.delete(prefix)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the workspace's lock; a killed run's ends with its lease."""
        key = self.bucket.full(LOCK)
        wanted = Lease(self.bucket.client, self.bucket.name, key, self.location, self.lease)
        with leased(wanted) as lease:
            self._held = lease
            try:
                self._make_scratch()
                recover(self.bucket, lease.check)
                yield
            finally:
                self._held = None

    def _check(self, key: str) -> None:
        self._mirror.files.local(key)
        if "." in key.split("/"):
            raise InputError(
                f"{key!r} is not a key of a workspace.", "Give relative names with '/'."
            )

    def _make_scratch(self) -> None:
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"The folder {str(self.scratch)!r} cannot be made: {error.strerror or error}.",
                "Fix its permissions, or set XDG_CACHE_HOME to another folder.",
            ) from error

    def _still_held(self) -> None:
        if self._held is not None:
            self._held.check()

    def _surely_held(self) -> None:
        """Ask S3 who has the lock, before what cannot be taken back."""
        if self._held is not None:
            self._held.renew()
        self._still_held()

    def _files(self, prefix: str) -> dict[str, S3Object]:
        """List a key and all below it, all of one moment."""
        self._check(prefix)

        def once() -> dict[str, S3Object]:
            before = current(self.bucket, prefix)
            # A replacement may have begun and ended between two requests of one listing: only two
            # listings that agree show a moment that was.
            if current(self.bucket, prefix) != before:
                raise ChangedError
            return before[1]

        return unchanged(self.location, once)

    def _settle(self, key: str) -> None:
        self._check(key)
        for replacement in pending(self.bucket):
            if replacement.touches(key):
                finish(self.bucket, replacement, self._still_held)


def unchanged(location: str, attempt: Callable[[], Thing]) -> Thing:
    """Try again what was disturbed by somebody's write."""
    for _ in range(LOOKS):
        with suppress(ChangedError):
            return attempt()
    raise WorkspaceError(
        f"{location!r} is changed faster than it can be read.",
        "Wait until whoever writes there has finished.",
    )


def _digests(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).digest() for path in files}

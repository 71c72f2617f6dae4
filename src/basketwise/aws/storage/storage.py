"""A workspace in a bucket.

Keys are what they are in a local workspace, so ``gold/`` of the workspace is ``gold/`` of the
bucket, and jobs and other programs read it directly.

Many files are replaced at once: :mod:`basketwise.aws.storage.replacement`. Basketwise's own
objects are stored below ``.basketwise/``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from basketwise.aws.address import OWN
from basketwise.aws.parallel import Item, for_each
from basketwise.aws.s3 import Bucket, ChangedError, S3Object, is_below
from basketwise.aws.storage.lock import LEASE, Lease, leased
from basketwise.aws.storage.mirror import Mirror
from basketwise.aws.storage.replacement import commit, current_files, finish, pending, recover
from basketwise.digests import content
from basketwise.errors import InputError, WorkspaceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCK = f"{OWN}/lock"
ATTEMPTS = 10


class S3Storage:
    """A workspace below a prefix of a bucket; see :class:`basketwise.storage.protocol.Storage`.

    Parameters
    ----------
    s3, bucket, prefix
        Those of a :class:`basketwise.aws.s3.Bucket`.
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
        self._active_lease: Lease | None = None

    @property
    def location(self) -> str:
        """The workspace as the user gives it."""
        return self.bucket.location

    @property
    def scratch(self) -> Path:
        """A folder of this machine; exists while the workspace is locked."""
        return self.cache / "work"

    def read(self, key: str) -> bytes:
        """Return the bytes of a key."""
        self._check(key)

        def attempt() -> bytes:
            committed, source = pending(self.bucket), key
            for replacement in committed:
                if is_below(key, replacement.prefix):
                    source = replacement.staged(key)
            data = self.bucket.get(source)
            if data is not None:
                return data
            if pending(self.bucket) != committed:
                raise ChangedError
            raise InputError(f"There is no {key} in {self.location!r}.", "Run the stage before.")

        return retry_if_changed(self.location, attempt)

    def write(self, key: str, data: bytes) -> None:
        """Write a key, replacing what was there."""
        self._finish_pending(key)
        self._check_lease()
        self.bucket.put(key, data)

    def exists(self, key: str) -> bool:
        """Whether a key, or any key below it, exists."""
        return bool(self._files(key))

    def keys(self, prefix: str) -> list[str]:
        """List all keys below a prefix, sorted."""
        return sorted(key for key in self._files(prefix) if key != prefix)

    def delete(self, prefix: str) -> None:
        """Delete a key and all below it."""
        self._finish_pending(prefix)
        self._check_lease()
        self.bucket.remove(self.bucket.below(prefix))

    def replace(self, folder: Path, prefix: str) -> None:
        """Replace all below a prefix by a local folder's files, and remove the folder.

        If it fails before the last file is uploaded, or if somebody else writes there meanwhile
        or has taken the lock (WorkspaceError), the old files and the folder are kept.
        """
        if not folder.is_dir():
            raise WorkspaceError(f"There is no folder {str(folder)!r} to publish.")
        self._finish_pending(prefix)
        files = {
            path: f"{prefix}/{path.relative_to(folder).as_posix()}"
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        for key in files.values():
            self._check(key)
        old = self.bucket.below(prefix)
        # The outputs of a job are in the bucket already: they are not uploaded again.
        unchanged_keys = self._mirror.unchanged({key: path for path, key in files.items()}, old)
        existing = {key: old[key] for key in unchanged_keys}
        new = [path for path, key in files.items() if key not in unchanged_keys]
        try:
            if len(new) <= 1 and not old.keys() - set(files.values()):
                # S3 replaces a single object atomically.
                self._renew_lease()
                if existing and self.bucket.below(prefix) != old:
                    raise ChangedError
                for_each(lambda path: self.bucket.upload(path, files[path]), new)
            else:
                replacement = commit(self.bucket, prefix, files, existing, self._renew_lease)
                finish(self.bucket, replacement, self._check_lease)
        except ChangedError as error:
            raise WorkspaceError(
                f"Somebody else wrote below {prefix} in {self.location!r} while it was published.",
                "Nothing was published. Make sure that nobody else writes there, and run again.",
            ) from error
        shutil.rmtree(folder, ignore_errors=True)

    def local(self, prefix: str) -> Path:
        """Return a local copy of the current files; only changed files are downloaded."""

        def attempt() -> Path:
            return self._mirror.fetch(prefix, self._files(prefix), self.bucket.fetch)

        return retry_if_changed(self.location, attempt)

    @contextmanager
    def edit(self, prefix: str) -> Iterator[Path]:
        """Yield a folder with a prefix's files; at the end it replaces them if it was changed.

        The workspace's lock is held, so nobody else changes them meanwhile. After an error nothing
        is stored.
        """
        with nullcontext() if self._active_lease else self.exclusive():
            source, folder = self.local(prefix), self.scratch / f"edited-{uuid4().hex}"
            try:
                if source.exists():
                    shutil.copytree(source, folder)
                before = content(folder)
                yield folder
                after = content(folder)
                if after and after != before:
                    self.replace(folder, prefix)
                elif after != before:
                    self.delete(prefix)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the workspace's lock; that of a killed run expires with its lease."""
        key = self.bucket.full(LOCK)
        request = Lease(self.bucket.client, self.bucket.name, key, self.location, self.lease)
        with leased(request) as lease:
            self._active_lease = lease
            try:
                self._make_scratch()
                recover(self.bucket, lease.check)
                yield
            finally:
                self._active_lease = None

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

    def _check_lease(self) -> None:
        if self._active_lease is not None:
            self._active_lease.check()

    def _renew_lease(self) -> None:
        """Confirm with S3 that the lock is held, before a change that cannot be undone."""
        if self._active_lease is not None:
            self._active_lease.renew()
        self._check_lease()

    def _files(self, prefix: str) -> dict[str, S3Object]:
        """List a key and all below it, as of one moment."""
        self._check(prefix)

        def attempt() -> dict[str, S3Object]:
            before = current_files(self.bucket, prefix)
            # A replacement may start and finish between two requests of one listing: only two
            # listings that agree are consistent.
            if current_files(self.bucket, prefix) != before:
                raise ChangedError
            return before[1]

        return retry_if_changed(self.location, attempt)

    def _finish_pending(self, key: str) -> None:
        self._check(key)
        for replacement in pending(self.bucket):
            if replacement.touches(key):
                finish(self.bucket, replacement, self._check_lease)


def retry_if_changed(location: str, attempt: Callable[[], Item]) -> Item:
    """Retry an attempt that is disturbed by another writer."""
    for _ in range(ATTEMPTS):
        with suppress(ChangedError):
            return attempt()
    raise WorkspaceError(
        f"{location!r} is changed faster than it can be read.",
        "Wait until whoever writes there has finished.",
    )

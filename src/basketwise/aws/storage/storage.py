"""A workspace in a bucket.

Keys are what they are in a local workspace, so ``gold/`` of the workspace is ``gold/`` of the
bucket, and jobs and other programs read it directly.

Many files are replaced at once: :mod:`basketwise.aws.storage.replacement`. Basketwise's own
objects are stored below ``.basketwise/``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from basketwise.aws.parallel import Item, results_of
from basketwise.aws.s3 import COPY_IN_PARTS, Bucket, ChangedError, S3Object
from basketwise.aws.storage.known import known_digests
from basketwise.aws.storage.lock import Lease, leased, read_state
from basketwise.aws.storage.mirror import Mirror
from basketwise.aws.storage.record import DEFAULT_LEASE, named_at_once
from basketwise.aws.storage.replacement import (
    commit,
    current_files,
    current_folders,
    finish,
    publish_file,
    recover,
)
from basketwise.digests import content, sha256
from basketwise.errors import InputError, WorkspaceError
from basketwise.storage.protocol import written_last

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 10

FEW = 8
"""Files that are downloaded one after the other; more of them, with all others in their folder."""


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
        self, s3: S3Client, bucket: str, prefix: str, *, cache: Path, lease: float = DEFAULT_LEASE
    ) -> None:
        self.bucket, self.cache, self.lease = Bucket(s3, bucket, prefix), cache, lease
        self._mirror = Mirror(cache)
        self._active_lease: Lease | None = None
        self.downloaded = 0
        """Bytes that :meth:`local` has downloaded."""
        self._counting = Lock()

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
        data = self.read_each([key]).get(key)
        if data is None:
            raise InputError(f"There is no {key} in {self.location!r}.", "Run the stage before.")
        return data

    def read_each(self, keys: Collection[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that exist, as of one moment: a request for each."""
        for key in keys:
            self._check(key)

        def attempt() -> dict[str, bytes]:
            state = read_state(self.bucket)
            pending = state.pending
            sources = [
                pending.staged(key) if pending and pending.covers(key) else key for key in keys
            ]
            found = zip(keys, results_of(self.bucket.get, sources), strict=True)
            if read_state(self.bucket) != state:
                raise ChangedError
            return {key: data for key, data in found if data is not None}

        return retry_if_changed(self.location, attempt)

    def write(self, key: str, data: bytes) -> None:
        """Write a key, replacing what was there."""
        with self._changing(key) as lease:
            publish_file(self.bucket, lease, key, lambda staged: self.bucket.put(staged, data))

    def exists(self, key: str) -> bool:
        """Whether a key, or any key below it, exists."""
        return bool(self._files(key))

    def keys(self, prefix: str) -> list[str]:
        """List all keys below a prefix, sorted."""
        return sorted(key for key in self._files(prefix) if key != prefix)

    def folders(self, prefix: str) -> list[str]:
        """List the names directly below a prefix that keys are below, sorted."""
        self._check(prefix)
        return retry_if_changed(self.location, lambda: current_folders(self.bucket, prefix))

    def newest(self, prefix: str) -> list[str]:
        """List the keys below a prefix that were written last, sorted."""
        files = self._files(prefix).items()
        return written_last({key: item.modified for key, item in files if item.modified})

    def delete(self, *prefixes: str) -> None:
        """Delete keys and all below them; as many at once as the lock object can name."""
        for prefix in prefixes:
            self._check(prefix)
        for part in named_at_once(prefixes):
            with self._changing(part[0]) as lease:
                if len(part) > 1 or self.bucket.below(part[0]):
                    commit(self.bucket, lease, part[0], {}, {}, part[1:])
                    finish(self.bucket, lease)
                else:
                    # Who lost the lock may have listed what another run was publishing.
                    lease.renew()

    def digests(self, prefix: str) -> dict[str, str]:
        """Return the sha256 of each file below a prefix; files are downloaded if need be."""

        def attempt() -> dict[str, str]:
            listed = self._files(prefix)
            digests = known_digests(self.bucket, listed)
            unknown = listed.keys() - digests.keys()
            if len(unknown) > FEW:
                self._mirror.fetch(prefix, listed, self._fetch)
            for key in sorted(unknown):
                path = self._mirror.fetch(key, {key: listed[key]}, self._fetch)
                digests[key] = sha256(path)
            return {key.removeprefix(f"{prefix}/"): sha for key, sha in digests.items()}

        return retry_if_changed(self.location, attempt)

    def replace(self, folder: Path, prefix: str, keep: Collection[str] = ()) -> None:
        """Replace all below a prefix but what is to stay, and remove the folder.

        If it fails before the last file is uploaded, or if somebody else writes there meanwhile
        or has taken the lock (WorkspaceError), the old files and the folder are kept.
        """
        if not folder.is_dir():
            raise WorkspaceError(f"There is no folder {str(folder)!r} to publish.")
        files = {
            path: f"{prefix}/{path.relative_to(folder).as_posix()}"
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        for key in files.values():
            self._check(key)
        try:
            with self._changing(prefix) as lease:
                self._replace(lease, files, prefix, {f"{prefix}/{name}" for name in keep})
        except ChangedError as error:
            raise WorkspaceError(
                f"Somebody else wrote below {prefix} in {self.location!r} while it was published.",
                "Nothing was published. Make sure that nobody else writes there, and run again.",
            ) from error
        shutil.rmtree(folder, ignore_errors=True)

    def _replace(
        self, lease: Lease, files: Mapping[Path, str], prefix: str, kept: set[str]
    ) -> None:
        old = self.bucket.below(prefix)
        if missing := sorted(kept - old.keys()):
            raise WorkspaceError(f"{missing[0]} is missing from {self.location!r}.")
        # The outputs of a job are in the bucket already: they are not uploaded again.
        unchanged_keys = self._mirror.unchanged({key: path for path, key in files.items()}, old)
        existing = {key: old[key] for key in unchanged_keys | kept}
        new = [path for path, key in files.items() if key not in unchanged_keys]
        is_small = all(path.stat().st_size <= COPY_IN_PARTS for path in new)
        if len(new) <= 1 and is_small and not old.keys() - set(files.values()) - kept:
            # S3 replaces a single object atomically.
            if existing and self.bucket.below(prefix) != old:
                raise ChangedError
            if not new:
                lease.renew()
            for path in new:
                publish_file(self.bucket, lease, files[path], partial(self.bucket.upload, path))
        else:
            # What stays has no local file: it is copied within the bucket.
            all_files = {**files, **{Path(key): key for key in kept}}
            commit(self.bucket, lease, prefix, all_files, existing)
            finish(self.bucket, lease)

    def local(self, prefix: str) -> Path:
        """Return a local copy of the current files; only changed files are downloaded."""

        def attempt() -> Path:
            return self._mirror.fetch(prefix, self._files(prefix), self._fetch)

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
        with self._leased():
            yield

    @contextmanager
    def _leased(self) -> Iterator[Lease]:
        with leased(Lease(self.bucket, self.lease)) as lease:
            self._active_lease = lease
            try:
                self._make_scratch()
                recover(self.bucket, lease)
                yield lease
            finally:
                self._active_lease = None

    @contextmanager
    def _changing(self, key: str) -> Iterator[Lease]:
        """Hold the lock for one change, if it is not held already, with nothing left to finish."""
        self._check(key)
        active = self._active_lease
        with nullcontext(active) if active else self._leased() as lease:
            finish(self.bucket, lease)
            yield lease

    def _fetch(self, listed: S3Object, path: Path) -> None:
        self.bucket.fetch(listed, path)
        with self._counting:
            self.downloaded += listed.size

    def _check(self, key: str) -> None:
        self._mirror.files.local(key)

    def _make_scratch(self) -> None:
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"The folder {str(self.scratch)!r} cannot be made: {error.strerror or error}.",
                "Fix its permissions, or set XDG_CACHE_HOME to another folder.",
            ) from error

    def _files(self, prefix: str) -> dict[str, S3Object]:
        """List a key and all below it, as of one moment."""
        self._check(prefix)
        return retry_if_changed(self.location, lambda: current_files(self.bucket, prefix))


def retry_if_changed(location: str, attempt: Callable[[], Item]) -> Item:
    """Retry an attempt that is disturbed by another writer."""
    for _ in range(ATTEMPTS):
        with suppress(ChangedError):
            return attempt()
    raise WorkspaceError(
        f"{location!r} is changed faster than it can be read.",
        "Wait until whoever writes there has finished.",
    )

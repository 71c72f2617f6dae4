"""A local copy of objects in a bucket: only those that have changed are downloaded."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from basketwise.aws.parallel import for_each
from basketwise.aws.s3 import S3Object
from basketwise.errors import InputError, WorkspaceError
from basketwise.locking import locked
from basketwise.storage.local import LocalStorage

MAX_NAME = 255
"""Bytes of the name of a file, or of a folder, on the usual file systems."""

Fetch = Callable[[S3Object, Path], None]
"""Writes an object's bytes to a new file."""


class Mirror:
    """Files of one workspace in a folder, created when first needed; processes may share it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = LocalStorage(root / "files")

    def fetch(self, prefix: str, objects: Mapping[str, S3Object], fetch: Fetch) -> Path:
        """Make the files below a prefix match the objects, and return their folder.

        Without objects there is no folder, as in a local workspace. Everything new is downloaded,
        in several threads, before the first file is replaced or removed; a failed download leaves
        the mirror as it was.

        Raises InputError if a key leads outside or cannot be a file's, WorkspaceError if the folder
        is full or not writable.
        """
        folder = self.files.local(prefix)
        check_names(objects)
        targets = {self.files.local(key): listed for key, listed in objects.items()}
        try:
            try:
                self._fetch_locked(folder, targets, fetch)
            except FileNotFoundError:
                # Somebody deleted the cache while it was filled.
                self._fetch_locked(folder, targets, fetch)
        except OSError as error:
            raise WorkspaceError(
                f"The cache {str(self.root)!r} cannot be written to: {error.strerror or error}.",
                "Free some space, or set XDG_CACHE_HOME to another folder.",
            ) from error
        return folder

    def unchanged(self, files: Mapping[str, Path], listed: Mapping[str, S3Object]) -> set[str]:
        """Return the keys whose objects are known to have the same bytes as these files.

        Known are objects that were downloaded and have not changed since; nothing is downloaded.
        """
        index, unchanged = self._read_index(), set()
        for key, file in files.items():
            path = self.files.local(key)
            if key not in listed or index.get(str(path)) != _fingerprint(path, listed[key]):
                continue
            # Another process that shares the cache may remove it while we read.
            with suppress(FileNotFoundError):
                if filecmp.cmp(path, file, shallow=False):
                    unchanged.add(key)
        return unchanged

    def _fetch_locked(self, folder: Path, objects: Mapping[Path, S3Object], fetch: Fetch) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".lock"):
            self._fetch(folder, objects, fetch)

    def _fetch(self, folder: Path, objects: Mapping[Path, S3Object], fetch: Fetch) -> None:
        index = self._read_index()
        changed = {
            path: listed
            for path, listed in objects.items()
            if index.get(str(path)) != _fingerprint(path, listed)
        }
        downloads = self.root / f".fetched-{uuid4().hex}"
        downloads.mkdir()
        try:
            parts = {path: downloads / str(number) for number, path in enumerate(changed)}
            for_each(lambda path: fetch(changed[path], parts[path]), changed)
            for path in [folder, *folder.rglob("*")]:
                if (path.is_file() or path.is_symlink()) and path not in objects:
                    path.unlink()
                    index.pop(str(path), None)
            _remove_empty(folder)
            for path, part in parts.items():
                self._make_parent(path)
                part.replace(path)
                index[str(path)] = _fingerprint(path, changed[path])
            # A unique name: if the folder was deleted, so was another writer's lock file.
            scratch = self.root / f"index-{uuid4().hex}.tmp"
            scratch.write_text(json.dumps(index))
            scratch.replace(self.root / "index.json")
        finally:
            shutil.rmtree(downloads, ignore_errors=True)

    def _make_parent(self, path: Path) -> None:
        """Create the folder of a file, in place of a file of that name; the reverse is done."""
        for parent in path.parents:
            if parent == self.files.root:
                break
            if parent.is_symlink() or parent.is_file():
                parent.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)

    def _read_index(self) -> dict[str, list[object]]:
        try:
            index = json.loads((self.root / "index.json").read_text())
        except (OSError, ValueError):
            return {}
        return index if isinstance(index, dict) else {}


def check_names(keys: Collection[str]) -> None:
    """Raise InputError if keys of a bucket cannot be those of files in one folder.

    A bucket can have objects ``a`` and ``a/b``, and longer names than a file system.
    """
    for key in keys:
        if any(len(os.fsencode(name)) > MAX_NAME for name in key.split("/")):
            raise InputError(
                f"{key!r} is too long: names of files have {MAX_NAME} bytes at most.",
                "Rename the object, or leave it out of the address.",
            )
        parent = key
        while parent := parent.rpartition("/")[0]:
            if parent in keys:
                raise InputError(
                    f"The bucket has {parent!r} and {key!r}: a name cannot be that of a file and "
                    "of a folder.",
                    "Rename one of the objects.",
                )


def cache_folder() -> Path:
    """Return the folder that the user's caches are in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "basketwise"


def _fingerprint(path: Path, listed: S3Object) -> list[object]:
    # The times show whether a file was changed since its download; tools may set the first of them
    # back, but not the second.
    try:
        now = path.stat()
    except OSError:
        return [listed.etag, listed.size, -1]
    return [listed.etag, listed.size, now.st_size, now.st_mtime_ns, now.st_ctime_ns]


def _remove_empty(root: Path) -> None:
    for folder in sorted([root, *root.rglob("*")], reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

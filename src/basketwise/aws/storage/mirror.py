"""A local copy of what is in a bucket: only what has changed is fetched."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from basketwise.aws.at_once import each
from basketwise.aws.s3 import S3Object
from basketwise.errors import WorkspaceError
from basketwise.storage.local import LocalStorage

Fetch = Callable[[S3Object, Path], None]
"""Writes an object's bytes to a new file."""


class Mirror:
    """Files of one workspace in a folder, made when first needed; processes may share it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = LocalStorage(root / "files")

    def fetch(self, prefix: str, wanted: Mapping[str, S3Object], fetch: Fetch) -> Path:
        """Make the files below a prefix those that are wanted, and return their folder.

        With no files there is no folder, as in a local workspace. Everything new is fetched, in
        several threads, before the first file is replaced or removed; a fetch that fails leaves
        the mirror as it was.

        Raises
        ------
        InputError
            If a key leads outside.
        WorkspaceError
            If the folder is full or not writable.
        """
        folder = self.files.local(prefix)
        objects = {self.files.local(key): listed for key, listed in wanted.items()}
        try:
            try:
                self._fetch_alone(folder, objects, fetch)
            except FileNotFoundError:
                # Somebody deleted the cache while it was filled.
                self._fetch_alone(folder, objects, fetch)
        except OSError as error:
            raise WorkspaceError(
                f"The cache {str(self.root)!r} cannot be written to: {error.strerror or error}.",
                "Free some space, or set XDG_CACHE_HOME to another folder.",
            ) from error
        return folder

    def same(self, files: Mapping[str, Path], there: Mapping[str, S3Object]) -> set[str]:
        """Return the keys whose objects have the bytes of these files, as far as is known here.

        Known is what was fetched and is still what the bucket contains; nothing is fetched for it.
        """
        known, same = self._known(), set()
        for key, file in files.items():
            path = self.files.local(key)
            if key not in there or known.get(str(path)) != _mark(path, there[key]):
                continue
            # Another process that shares the cache may remove it while we read.
            with suppress(FileNotFoundError):
                if filecmp.cmp(path, file, shallow=False):
                    same.add(key)
        return same

    def _fetch_alone(self, folder: Path, wanted: Mapping[Path, S3Object], fetch: Fetch) -> None:
        from filelock import FileLock

        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / ".lock"):
            self._fetch(folder, wanted, fetch)

    def _fetch(self, folder: Path, wanted: Mapping[Path, S3Object], fetch: Fetch) -> None:
        known = self._known()
        changed = {
            p: listed for p, listed in wanted.items() if known.get(str(p)) != _mark(p, listed)
        }
        fresh = self.root / f".fetched-{uuid4().hex}"
        fresh.mkdir()
        try:
            parts = {path: fresh / str(number) for number, path in enumerate(changed)}
            each(lambda path: fetch(changed[path], parts[path]), changed)
            for path in [folder, *folder.rglob("*")]:
                if (path.is_file() or path.is_symlink()) and path not in wanted:
                    path.unlink()
                    known.pop(str(path), None)
            _remove_empty(folder)
            for path, part in parts.items():
                self._make_room(path)
                part.replace(path)
                known[str(path)] = _mark(path, changed[path])
            # A name of its own: where the folder was deleted, so was the lock of whoever writes.
            scratch = self.root / f"index-{uuid4().hex}.tmp"
            scratch.write_text(json.dumps(known))
            scratch.replace(self.root / "index.json")
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _make_room(self, path: Path) -> None:
        """Make a file's folder, also where a file was until now; the reverse is done before."""
        for above in path.parents:
            if above == self.files.root:
                break
            if above.is_symlink() or above.is_file():
                above.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)

    def _known(self) -> dict[str, list[object]]:
        try:
            known = json.loads((self.root / "index.json").read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def cache_folder() -> Path:
    """Return the folder that the user's caches are in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "basketwise"


def _mark(path: Path, listed: S3Object) -> list[object]:
    # The times tell a file that somebody has changed here from the one that was fetched; tools may
    # set the first of them back, but not the second.
    try:
        now = path.stat()
    except OSError:
        return [listed.etag, listed.size, -1]
    return [listed.etag, listed.size, now.st_size, now.st_mtime_ns, now.st_ctime_ns]


def _remove_empty(root: Path) -> None:
    for folder in sorted([root, *root.rglob("*")], reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

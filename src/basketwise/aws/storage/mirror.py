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
    """Files of one workspace in a folder of this machine.

    Parameters
    ----------
    root : Path
        The folder; made when first needed. Processes may share it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = LocalStorage(root / "files")

    def fetch(self, prefix: str, wanted: Mapping[str, S3Object], fetch: Fetch) -> Path:
        """Make the files below a prefix those that are wanted, and return their folder.

        With no files there is no folder, as in a local workspace.

        Everything new is fetched before the first file is replaced; a fetch that fails leaves the
        mirror as it was.

        Parameters
        ----------
        prefix : str
            A key; what is below it and is not wanted is removed.
        wanted : Mapping[str, S3Object]
            By key.
        fetch : Fetch
            Called from several threads.

        Raises
        ------
        InputError
            If a key leads outside.
        WorkspaceError
            If the folder is full or not writable.
        """
        place = self.files.local(prefix)
        found = {self.files.local(key): one for key, one in wanted.items()}
        try:
            try:
                self._fetch_alone(place, found, fetch)
            except FileNotFoundError:
                # Somebody deleted the cache while it was filled.
                self._fetch_alone(place, found, fetch)
        except OSError as error:
            raise WorkspaceError(
                f"The cache {str(self.root)!r} cannot be written to: {error.strerror or error}.",
                "Free some space, or set XDG_CACHE_HOME to another folder.",
            ) from error
        return place

    def same(self, files: Mapping[str, Path], there: Mapping[str, S3Object]) -> set[str]:
        """Return the keys whose objects have the bytes of these files, as far as is known here.

        Known is what was fetched and is still what the bucket holds; nothing is fetched for this.
        """
        known, found = self._known(), set()
        for key, file in files.items():
            path = self.files.local(key)
            if key not in there or known.get(str(path)) != _mark(path, there[key]):
                continue
            # Another process that shares the cache may remove it while we look.
            with suppress(FileNotFoundError):
                if filecmp.cmp(path, file, shallow=False):
                    found.add(key)
        return found

    def _fetch_alone(self, place: Path, wanted: Mapping[Path, S3Object], fetch: Fetch) -> None:
        from filelock import FileLock

        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / ".lock"):
            self._fetch(place, wanted, fetch)

    def _fetch(self, place: Path, wanted: Mapping[Path, S3Object], fetch: Fetch) -> None:
        known = self._known()
        changed = {p: found for p, found in wanted.items() if known.get(str(p)) != _mark(p, found)}
        fresh = self.root / f".fetched-{uuid4().hex}"
        fresh.mkdir()
        try:
            parts = {path: fresh / str(number) for number, path in enumerate(changed)}
            each(lambda path: fetch(changed[path], parts[path]), changed)
            for path in _files(place) - set(wanted):
                path.unlink()
                known.pop(str(path), None)
            _remove_empty(place)
            for path, part in parts.items():
                self._make_room(path)
                part.replace(path)
                known[str(path)] = _mark(path, changed[path])
            self._remember(known)
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

    def _remember(self, known: Mapping[str, list[object]]) -> None:
        # A name of its own: where the folder was deleted, so was the lock of whoever writes now.
        scratch = self.root / f"index-{uuid4().hex}.tmp"
        scratch.write_text(json.dumps(known))
        scratch.replace(self.root / "index.json")


def cache_folder() -> Path:
    """Return the folder that the user's caches are in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "basketwise"


def _mark(path: Path, found: S3Object) -> list[object]:
    # The times tell a file that somebody has changed here from the one that was fetched; tools may
    # set the first of them back, but not the second.
    try:
        now = path.stat()
    except OSError:
        return [found.etag, found.size, -1]
    return [found.etag, found.size, now.st_size, now.st_mtime_ns, now.st_ctime_ns]


def _files(place: Path) -> set[Path]:
    found = [place, *place.rglob("*")]
    return {path for path in found if path.is_file() or path.is_symlink()}


def _remove_empty(place: Path) -> None:
    folders = [path for path in [place, *place.rglob("*")] if path.is_dir()]
    for folder in sorted(folders, reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()

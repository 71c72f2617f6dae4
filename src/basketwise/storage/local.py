"""A workspace in a folder of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from basketwise.digests import content
from basketwise.disk import owner
from basketwise.errors import InputError, WorkspaceError, writing
from basketwise.files import again_if_stale, discard, finish_discards, move, write_whole
from basketwise.locking import HeldError, locked
from basketwise.storage.protocol import written_last

OLD = ".basketwise-old-"
"""Prefix of a folder that is being replaced; see :meth:`LocalStorage.recover`."""


class LocalStorage:
    """A workspace in a local folder, which is made when it is first written to."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self.root)

    @property
    def scratch(self) -> Path:
        """The folder itself: what is finished is moved by a rename."""
        return self.root

    def read(self, key: str) -> bytes:
        """Return the bytes of a key."""
        path = self._path(key)
        if not path.is_file():
            raise InputError(
                f"There is no {key} in {str(self.root)!r}.", "Run the preceding stage first."
            )
        with self._reading():
            return again_if_stale(path.read_bytes)

    def read_each(self, keys: Collection[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that exist."""
        present = [key for key in keys if self._path(key).is_file()]
        return {key: self.read(key) for key in present}

    def write(self, key: str, data: bytes) -> None:
        """Write a key, replacing what was there."""
        path = self._path(key)
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)

    def exists(self, key: str) -> bool:
        """Whether a key, or any key below it, exists."""
        return self._path(key).is_file() or bool(self.keys(key))

    def keys(self, prefix: str) -> list[str]:
        """List all keys below a prefix, sorted."""
        folder = self._path(prefix)

        def listed() -> list[str]:
            if folder.is_dir():
                # What may not be read would be passed over below.
                os.scandir(folder).close()
            files = (path for path in folder.rglob("*") if path.is_file())
            return sorted(path.relative_to(self.root).as_posix() for path in files)

        with self._reading():
            return again_if_stale(listed)

    def folders(self, prefix: str) -> list[str]:
        """List the names directly below a prefix that keys are below, sorted."""
        start = len(f"{prefix}/")
        below = (key[start:] for key in self.keys(prefix))
        return sorted({name.partition("/")[0] for name in below if "/" in name})

    def newest(self, prefix: str) -> list[str]:
        """List the keys below a prefix that were written last, sorted."""

        def times() -> dict[str, datetime]:
            files = {key: (self.root / key).stat().st_mtime for key in self.keys(prefix)}
            return {key: datetime.fromtimestamp(at, UTC) for key, at in files.items()}

        return written_last(again_if_stale(times))

    def delete(self, *prefixes: str) -> None:
        """Delete keys and all below them: each at once for readers, however long it takes.

        A link is deleted, not what it leads to.
        """
        for path in [self._path(prefix) for prefix in prefixes]:
            with self._writing():
                if path.is_dir() and not path.is_symlink():
                    discard(path, self.root)
                else:
                    again_if_stale(partial(path.unlink, missing_ok=True))

    def digests(self, prefix: str) -> dict[str, str]:
        """Return the sha256 of each file below a prefix, by its name there."""
        with self._reading():
            return again_if_stale(lambda: content(self._path(prefix)))

    def replace(self, folder: Path, prefix: str, keep: Collection[str] = ()) -> None:
        """Replace all below a prefix by a local folder's files, and those that are to stay.

        A folder cannot be swapped for another in one step everywhere, so the old one steps aside
        first; :meth:`recover` puts it back if the process ends between the two renames.
        """
        target = self._path(prefix)
        aside = target.with_name(f"{OLD}{target.name}")
        with self._writing():
            target.parent.mkdir(parents=True, exist_ok=True)
            for name in keep:
                if not (target / name).is_file():
                    raise WorkspaceError(f"{prefix}/{name} is missing from {str(self.root)!r}.")
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(target / name, folder / name)
            if target.exists():
                target.rename(aside)
            move(folder, target)
            discard(aside, self.root)

    def recover(self) -> None:
        """Finish or undo a replacement that was cut off, and finish deletions."""
        with self._writing():
            finish_discards(self.root)
            for aside in list(self.root.rglob(f"{OLD}*")):
                target = aside.with_name(aside.name.removeprefix(OLD))
                if target.exists():
                    discard(aside, self.root)
                else:
                    aside.rename(target)

    def local(self, prefix: str) -> Path:
        """Return the path itself."""
        return self._path(prefix)

    @contextmanager
    def edit(self, prefix: str) -> Iterator[Path]:
        """Yield the folder itself; it may not exist yet."""
        yield self._path(prefix)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the workspace's lock; the system releases it when the process ends or crashes."""
        with self._writing():
            self.root.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                with self._writing():
                    held.enter_context(locked(self.root / ".lock", timeout=0))
            except HeldError as error:
                raise WorkspaceError(
                    f"Another run is using the workspace {str(self.root)!r}.",
                    f"Wait until it has finished, or choose another --workspace.{error.way_out}",
                ) from error
            self.recover()
            yield

    def _writing(self) -> AbstractContextManager[None]:
        return writing(
            f"The workspace {str(self.root)!r} cannot be written to",
            f"{owner(self.root)}Free some space, fix the permissions, or choose another "
            "--workspace.",
        )

    def _reading(self) -> AbstractContextManager[None]:
        return writing(
            f"The workspace {str(self.root)!r} cannot be read",
            f"{owner(self.root)}Fix the permissions, or choose another --workspace.",
        )

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        # "." would be another name of the same file, and no file system knows "\0".
        if {"", ".", ".."} & {*parts} or "\\" in key or "\0" in key:
            raise InputError(
                f"{key!r} is not a key of a workspace.", "Give relative names with '/'."
            )
        return self.root.joinpath(*parts)

"""A workspace's layout, and how a run's outputs get into it: all together, or none.

Stages write into a staging folder beside the outputs. Only when the last of them has finished are
the folders moved to their places, so a run that fails or is stopped leaves everything as it was.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from basketwise.config import AwsConfig
from basketwise.errors import InputError, WorkspaceError
from basketwise.files import discard
from basketwise.storage.opening import open_storage
from basketwise.storage.protocol import Storage

SILVER, GOLD, ARTIFACTS = "silver", "gold", "artifacts"
CHECKPOINTS = "checkpoints"
STAGING = ".staging"
LEFT = ".interrupted"
REPRODUCTION = ".reproduce-"
"""What a folder's name begins with in which a run is made again."""

RUN_FORMAT = "run-%Y%m%d-%H%M%S"
RUN_NAME = re.compile(r"(run-\d{8}-\d{6})(?:-(\d{1,9}))?(?:-.*)?")
"""The time of a run, and of several of one time the number from 2 on."""

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""Before it no zip file can be written, as models are."""


@dataclass(frozen=True)
class Staging:
    """Empty folders of one run, to be filled by its stages."""

    silver: Path
    gold: Path
    artifacts: Path
    scratch: Path
    left: Path
    """What a run that was killed had staged: folders of the same names; or it is absent."""


@dataclass(frozen=True)
class Workspace:
    """The runs and the data in a storage."""

    storage: Storage

    @contextmanager
    def staged(self) -> Iterator[Staging]:
        """Lock the workspace and yield empty folders; unpublished files are removed afterwards."""
        with self.storage.exclusive():
            root, left = (self.storage.scratch / name for name in (STAGING, LEFT))
            if any(root.glob("*/step-*.json")):
                # Of a process that was killed: nobody else can be using it, we hold the lock.
                discard(left, self.storage.scratch)
                root.rename(left)
            # Nothing in it was finished; what a run before it had finished may still be there.
            discard(root, self.storage.scratch)
            for copy in self.storage.scratch.glob(f"{REPRODUCTION}*"):
                shutil.rmtree(copy, ignore_errors=True)
            staging = Staging(root / SILVER, root / GOLD, root / ARTIFACTS, root / "scratch", left)
            try:
                for folder in (staging.silver, staging.gold, staging.artifacts, staging.scratch):
                    folder.mkdir(parents=True)
                yield staging
            finally:
                for folder in (root, left):
                    with suppress(OSError):
                        discard(folder, self.storage.scratch)

    def copied(self, name: str, files: Iterable[str], target: Path) -> Path:
        """Copy a few files of a folder of the workspace, those that exist, to ``target``."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for file in files:
            path = self.storage.local(f"{name}/{file}")
            if path.is_file():
                shutil.copyfile(path, target / file)
        return target

    def publish(self, folder: Path, key: str) -> Path:
        """Move a finished folder into the workspace, and return where it is now."""
        self.storage.replace(folder, key)
        return self.folder(key)

    @contextmanager
    def checkpoints(self, run: str) -> Iterator[Path]:
        """Give the folder for a run's finished pieces; it is removed when the training is done.

        What an interrupted run left becomes this run's: pieces that do not fit are passed over.
        """
        root = self.storage.scratch / CHECKPOINTS
        folder = root / run
        left = sorted(path for path in root.glob("run-*") if path.is_dir() and path != folder)
        if left:
            left.pop().rename(folder)
        for other in left:
            shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            # Other files in it are not ours.
            root.rmdir()

    def new_run(self, now: datetime, started: Iterable[str] = ()) -> str:
        """Name a run after the time it started (UTC), so that it comes after all others.

        If another run has that time, or a later one because the clock went back, the new one has
        the time of that run and the next number. ``started`` are runs that may not have artifacts.

        Raises
        ------
        WorkspaceError
            If the clock has not been set.
        """
        if now < EARLIEST:
            raise WorkspaceError(
                f"This machine's clock says {now:%Y-%m-%d %H:%M} UTC.",
                "Set the clock, then run the command again.",
            )
        name = now.astimezone(UTC).strftime(RUN_FORMAT)
        others = (run for run in {*self.runs(), *started} if RUN_NAME.fullmatch(run))
        last, number, _ = max(map(run_order, others), default=("", 0, ""))
        return name if last < name else f"{last}-{number + 1}"

    def runs(self) -> list[str]:
        """List the runs that left artifacts, oldest first; at the end those with other names."""
        names = self.storage.folders(ARTIFACTS)
        return sorted((name for name in names if name.startswith("run-")), key=run_order)

    def run_folder(self, run: str | None) -> tuple[str, Path]:
        """Return a run's name and artifacts, the latest run's by default.

        Raises
        ------
        InputError
            If there is no such run, or none at all.
        """
        runs = self.runs()
        if not runs:
            raise InputError(
                f"The workspace {self.storage.location!r} contains no training.",
                "Run 'basketwise run --data PATH', or 'basketwise train' after 'basketwise etl'.",
            )
        name = run or runs[-1]
        if name not in runs:
            raise InputError(
                f"There is no run {name!r}.", f"Existing runs: {', '.join(runs[-10:])}."
            )
        return name, self.folder(f"{ARTIFACTS}/{name}")

    def folder(self, name: str) -> Path:
        """Return a local path with the current files of one of the workspace's folders."""
        return self.storage.local(name)

    def address(self, *parts: str) -> str:
        """Return the address of something in the workspace, as people write it."""
        return "/".join((self.storage.location.rstrip("/"), *parts))


def run_order(run: str) -> tuple[str, int, str]:
    """Return what sorts the names of runs by their start; a name without a time is as it is.

    Examples
    --------
    >>> run_order("run-20260203-120005-12")
    ('run-20260203-120005', 12, 'run-20260203-120005-12')
    """
    match = RUN_NAME.fullmatch(run)
    return (match[1], int(match[2] or 1), run) if match else (run, 0, run)


def time_of(run: str) -> datetime:
    """Return the time (UTC) in the name of a run that :meth:`Workspace.new_run` returned."""
    return datetime.strptime(run_order(run)[0], RUN_FORMAT).replace(tzinfo=UTC)


def open_workspace(location: str, config: AwsConfig | None = None) -> Workspace:
    """Open a workspace by its location, as :func:`basketwise.storage.opening.open_storage` does."""
    return Workspace(open_storage(location, config or AwsConfig()))

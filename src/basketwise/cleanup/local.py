"""The leftovers of a workspace on this machine: the rules, and the removal under its lock.

Everything that no rule selects is kept, and so is everything in doubt: a folder that contains a
file which Basketwise did not write, or that is reached through a link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from basketwise.cleanup.contents import (
    ATTACHED,
    CHECKPOINT_FILES,
    MODEL_FILES,
    RUN_FILES,
    names_in,
    read_folder,
    recorded_files,
)
from basketwise.cleanup.leftovers import (
    MARKER,
    RUN,
    Cleaned,
    Folder,
    Leftover,
    rejected_why,
    remove_agreed,
)
from basketwise.cleanup.registries import Registered, ask_registries
from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.files import DEPLOYMENT_CONFIGS, MANIFEST, WORKSPACE_FOLDERS
from basketwise.registry.mlflow.registry import ARTIFACTS as STORED
from basketwise.registry.opening import REGISTRY
from basketwise.run.reproduce import read_manifest
from basketwise.run.workspace import (
    ARTIFACTS,
    CHECKPOINTS,
    LEFT,
    REPRODUCTION,
    STAGING,
    Workspace,
    run_order,
)
from basketwise.scratch import orphans

LEAST = timedelta(days=1)
"""Younger files may be somebody's who holds no lock of the workspace."""

DRAFT = re.compile(r"\.[0-9a-f]{32}\.tmp")
"""Names of files and folders that were not written to their end."""

IDENTIFIER = re.compile(r"(m-)?[0-9a-f]{32}")
"""Names that MLflow gives to runs and models."""


@dataclass(frozen=True)
class Limits:
    """What is kept: the newest runs, and what is younger than an age at a time."""

    now: datetime
    older_than: timedelta
    runs: int

    @property
    def cutoff(self) -> datetime:
        """What has changed since is kept."""
        return self.now - self.older_than


@dataclass
class Listing:
    """What may be removed, in the order of removal, and what was left out of that, and why."""

    leftovers: list[Leftover] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_leftovers(workspace: Workspace, config: Config, limits: Limits) -> Listing:
    """List what may be removed from a workspace in a folder.

    Raises
    ------
    InputError
        If the folder does not exist, or is no workspace.
    WorkspaceError
        If another run is using the workspace.
    """
    root = workspace.storage.scratch
    if not _is_workspace(root):
        return Listing()
    with workspace.storage.exclusive():
        return _listed(workspace, config, limits)


def remove_leftovers(
    workspace: Workspace,
    config: Config,
    limits: Limits,
    agreed: Iterable[Leftover],
    report: Callable[[Leftover], None],
) -> Cleaned:
    """Remove what was agreed to, if it still may be removed, and report each removal.

    Everything is listed again while the lock is held. If the process is killed, what was reported
    is removed, and the next command that takes the lock finishes the one it was at.
    """
    return remove_agreed(
        workspace.storage, lambda: _listed(workspace, config, limits).leftovers, agreed, report
    )


def _is_workspace(root: Path) -> bool:
    """Whether there can be leftovers; InputError if the folder is something else."""
    if not root.is_dir():
        raise InputError(
            f"There is no workspace {str(root)!r}.", "Give the --workspace to clean up."
        )
    names = names_in(root)
    if names and not set(names) & {*WORKSPACE_FOLDERS, STAGING, LEFT, ".lock"}:
        raise InputError(
            f"{str(root)!r} is not a workspace: it contains no outputs of a run.",
            "Give the --workspace to clean up.",
        )
    return bool(names)


def _listed(workspace: Workspace, config: Config, limits: Limits) -> Listing:
    listing, root = Listing(), workspace.storage.scratch
    registered = ask_registries(config, workspace.storage)
    if registered.unknown:
        listing.notes.append(
            f"no folder of {ARTIFACTS} or {REGISTRY} is removed, because nothing is known of their "
            f"versions: {registered.unknown}"
        )
    else:
        _list_runs(root, registered, limits, listing)
        _list_registrations(root, registered, limits, listing)
    for folder in _folders(root, CHECKPOINTS, listing):
        is_old = RUN.fullmatch(folder.name) and folder.newest < limits.cutoff
        if is_old and _is_ours(folder, CHECKPOINT_FILES, listing):
            _add(listing, "checkpoints", folder, "its training has not been resumed")
    for name in (STAGING, LEFT):
        unfinished = read_folder(root, name, with_links=True)
        if unfinished is not None and unfinished.newest < limits.cutoff:
            _add(listing, "unfinished", unfinished, "its run was killed")
    for path in (*orphans(root), *sorted(root.glob(f"{REPRODUCTION}*"))):
        scratch = read_folder(root, path.name, with_links=True)
        if scratch is not None:
            _add(listing, "scratch", scratch, "its command was killed")
    _list_drafts(root, limits, listing)
    return listing


def _list_runs(root: Path, registered: Registered, limits: Limits, listing: Listing) -> None:
    runs = [
        folder
        for folder in _folders(root, ARTIFACTS, listing)
        if RUN.fullmatch(folder.name) and any(map(MARKER.fullmatch, folder.files))
    ]
    runs.sort(key=lambda folder: run_order(folder.name))
    for folder in runs[: -limits.runs]:
        run = folder.name
        if folder.newest >= limits.cutoff or registered.needs(run):
            continue
        if not _is_ours(folder, RUN_FILES, listing, recorded_files(root / folder.key)):
            continue
        versions = registered.numbers(run)
        elsewhere = "" if versions else _registry_of(root / folder.key)
        if elsewhere not in registered.registries:
            listing.notes.append(
                f"{folder.key} is kept: it may be a version in {elsewhere}, which is not the "
                "registry of the configuration"
            )
            continue
        why = rejected_why(versions) if versions else "its run never became a version"
        _add(listing, ARTIFACTS, folder, why)


def _registry_of(folder: Path) -> str:
    """Return the address of the registry that a run was to be registered in."""
    if not (folder / MANIFEST).is_file():
        return ""
    try:
        return str(read_manifest(folder)["config"]["registry"]["uri"])
    except (InputError, LookupError, TypeError):
        return "an unknown registry"


def _list_registrations(
    root: Path, registered: Registered, limits: Limits, listing: Listing
) -> None:
    stored = f"{REGISTRY}/{STORED}"
    cutoff = min(limits.cutoff, limits.now - LEAST)
    for run, models in registered.unregistered:
        names = (run, *models)
        if any(registered.names(name) or not IDENTIFIER.fullmatch(name) for name in names):
            continue
        folders = [(f"{stored}/{run}", ATTACHED)]
        folders += [(f"{stored}/models/{model}", MODEL_FILES) for model in models]
        for key, files in folders:
            folder = read_folder(root, key)
            if folder and folder.newest < cutoff and _is_ours(folder, files, listing):
                _add(listing, REGISTRY, folder, "no version needs it")


def _list_drafts(root: Path, limits: Limits, listing: Listing) -> None:
    cutoff = min(limits.cutoff, limits.now - LEAST)
    for parent in ("", f"{ARTIFACTS}/", f"{DEPLOYMENT_CONFIGS}/"):
        folder = root / parent
        if folder.is_symlink() or not folder.is_dir():
            continue
        for name in filter(DRAFT.fullmatch, names_in(folder)):
            draft = read_folder(root, f"{parent}{name}", with_links=True)
            if draft is not None and draft.newest < cutoff:
                _add(listing, "scratch", draft, "it was not written to its end")


def _folders(root: Path, parent: str, listing: Listing) -> Iterator[Folder]:
    """Yield the folders right below one of the workspace's."""
    folder = root / parent
    if folder.is_symlink():
        listing.notes.append(f"{parent} is a link to another place, where nothing is removed")
    elif folder.is_dir():
        for name in names_in(folder):
            child = read_folder(root, f"{parent}/{name}")
            if child is not None and (folder / name).is_dir():
                yield child


def _is_ours(
    folder: Folder, files: re.Pattern[str], listing: Listing, recorded: set[str] | None = None
) -> bool:
    """Whether Basketwise wrote all of a folder; if not, a note says so."""
    others = [
        name for name in folder.files if not files.fullmatch(name) and name not in (recorded or ())
    ]
    if others:
        listing.notes.append(f"{folder.key} is kept: {min(others)} in it is not of Basketwise")
    return not others


def _add(listing: Listing, kind: str, folder: Folder, why: str) -> None:
    leftover = Leftover(kind, folder.key, folder.newest, why, folder.size, (folder.key,))
    listing.leftovers.append(leftover)

"""Checks before a run: what is ready, what is not, and how to mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from basketwise.config import Config
from basketwise.errors import BasketwiseError
from basketwise.workspace import REGISTRY, Workspace

DISK_PER_RAW_BYTE = 4
"""Room that silver, gold and scratch need, in sizes of the raw files (gzip counts eightfold)."""

MEMORY_FLOOR = 3 * 2**30
"""Bytes of memory that any run is at ease with."""

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    state: State
    text: str
    mend: str = ""


def examine(
    workspace: Workspace, config: Callable[[], Config], data: str | None
) -> Iterator[Check]:
    """Look at everything that a local run needs, one after the other.

    Parameters
    ----------
    workspace : Workspace
        Where outputs would lie.
    config : callable
        Loads the configuration; its error is a finding like any other.
    data : str or None
        Raw files; None leaves them out.
    """
    try:
        settings = config()
    except BasketwiseError as error:
        yield Check("config", "failed", error.headline, error.hint)
        return
    yield Check("config", "ok", "all settings are known and in range")
    yield _guarded("workspace", lambda: _workspace(workspace))
    if data is not None:
        yield _guarded("data", lambda: _data(data, settings))
        yield _guarded("disk", lambda: _disk(workspace, data))
    yield _memory()
    yield _guarded("registry", lambda: _registry(workspace, settings))


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except BasketwiseError as error:
        return Check(name, "failed", error.headline, error.hint)


def _workspace(workspace: Workspace) -> Check:
    root = workspace.storage.workplace
    existed = root.exists()
    with workspace.storage.exclusive():
        workspace.storage.write(".doctor", b"")
        workspace.storage.delete(".doctor")
    if not existed:
        shutil.rmtree(root)
    return Check("workspace", "ok", f"{workspace.storage.location} is writable and not in use")


def _data(data: str, config: Config) -> Check:
    from basketwise.silver.cleaning import REASON, clean
    from basketwise.silver.preview import check_split
    from basketwise.silver.reading import read_raw
    from basketwise.silver.sources import discover

    sources = discover(data)
    first = sources[0]
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        raw = next(read_raw(first, Path(scratch), encoding=config.data.encoding), None)
    check_split(sources, config.split.strategy, config.data.encoding)
    if raw is None:
        return Check("data", "warning", f"{first.name} holds no till lines", "Look at the others.")
    cleaned = clean(raw, config.data.labels, source_name=first.name, labelled=True)
    refused = cleaned.height - cleaned[REASON].null_count()
    text = f"{len(sources)} files; {first.name}: {cleaned.height:,} lines, {refused:,} unusable"
    if refused == cleaned.height:
        reasons = ", ".join(cleaned[REASON].drop_nulls().unique().sort())
        return Check("data", "failed", f"{text} ({reasons})", "Look at what the reasons name.")
    return Check("data", "warning" if refused else "ok", text)


def _disk(workspace: Workspace, data: str) -> Check:
    from basketwise.silver.sources import discover

    needed = DISK_PER_RAW_BYTE * sum(
        source.size * (8 if source.is_gzip or source.member else 1) for source in discover(data)
    )
    root = workspace.storage.workplace.absolute()
    existing = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:.1f} GB free, about {needed / 1e9:.1f} GB needed at most"
    if free < needed:
        return Check("disk", "warning", text, "Free some space or choose another --workspace.")
    return Check("disk", "ok", text)


def _memory() -> Check:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Check("memory", "ok", "size unknown on this system")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    text = f"{total / 2**30:.1f} GiB, {os.cpu_count()} cores"
    if total < MEMORY_FLOOR:
        return Check("memory", "warning", text, "3 GiB are needed for large data.")
    return Check("memory", "ok", text)


def _registry(workspace: Workspace, config: Config) -> Check:
    from basketwise.registry.opening import DATABASE, open_registry

    folder = workspace.folder(REGISTRY)
    if not config.registry.uri and not (folder / DATABASE).is_file():
        return Check("registry", "ok", "embedded; the first run makes it")
    registry = open_registry(config.registry, folder)
    versions = registry.versions()
    leads = next((version.version for version in versions if version.champion), "none")
    where = config.registry.uri or "embedded"
    return Check("registry", "ok", f"{where}: {len(versions)} versions, champion: {leads}")

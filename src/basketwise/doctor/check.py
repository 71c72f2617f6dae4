"""Checks before a run: what is ready, what is not, and how to mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from basketwise.config import Config, without_password
from basketwise.errors import BasketwiseError
from basketwise.registry.opening import DATABASE, SAGEMAKER, on_sagemaker, open_registry
from basketwise.run.workspace import REGISTRY, Workspace, open_workspace

DISK_PER_RAW_BYTE = 4
"""Room that silver, gold and scratch need, in sizes of the raw files (gzip counts eightfold)."""

MEMORY_FLOOR = 3 * 2**30
"""Bytes of memory that any run is at ease with."""

PROBE = ".doctor"

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes
    ----------
    exit_code
        What a command ends with if this has failed.
    """

    name: str
    state: State
    text: str
    mend: str = ""
    exit_code: int = 2


def examine(
    location: str, config: Callable[[], Config], data: str | None, *, aws: bool = False
) -> Iterator[Check]:
    """Look at everything that a run needs, one after the other.

    Parameters
    ----------
    location : str
        The workspace: where outputs would lie. If that is a bucket, AWS is looked at too.
    config : callable
        Loads the configuration; its error is a finding like any other.
    data : str or None
        Raw files; None leaves them out.
    aws : bool
        Look at AWS whatever the location; one that is no bucket gives way to the project's.
    """
    try:
        settings = config()
    except BasketwiseError as error:
        yield Check("config", "failed", error.headline, error.hint)
        return
    yield Check("config", "ok", "all settings are known and in range")
    if aws or location.startswith("s3://"):
        yield from _on_aws(location, settings, data)
        return
    workspace = None
    try:
        workspace = open_workspace(location)
    except BasketwiseError as error:
        yield Check("workspace", "failed", error.headline, error.hint)
    else:
        yield guarded("workspace", lambda: _workspace(workspace))
    yield from _machine(workspace, settings, data)
    if workspace or settings.registry.uri:
        yield _registry(workspace, settings, location)


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """Make a check; an error is its finding."""
    try:
        return check()
    except BasketwiseError as error:
        return Check(name, "failed", error.headline, error.hint)


def _on_aws(location: str, config: Config, data: str | None) -> Iterator[Check]:
    from basketwise.aws.checks import account as cloud
    from basketwise.aws.checks.quotas import quotas
    from basketwise.aws.checks.role import role

    region = yield from cloud.region(config)
    if not region:
        yield from _machine(None, config, data)
        return
    names = yield from cloud.account(config, region, location)
    if names is None:
        yield from _machine(None, config, data)
        yield cloud.image(config, region)
        return
    if not location.startswith("s3://"):
        location = names.uri().rstrip("/")
    workspace = None
    try:
        # Nothing is asked yet: only an address that cannot be is found out.
        workspace = open_workspace(location, config.aws)
    except BasketwiseError as error:
        yield cloud.failure("workspace", error)
    if workspace and (yield from cloud.bucket(config, names)):
        yield cloud.guarded("workspace", lambda: _workspace(workspace))
        yield from cloud.contents(config, names)
    yield from _machine(workspace, config, data)
    if workspace or config.registry.uri:
        yield _registry(workspace, config, location)
    if on_sagemaker(config.registry, location):
        yield cloud.group(config, names)
    yield from role(config, names)
    yield from quotas(config, region)
    yield cloud.image(config, region)


def _workspace(workspace: Workspace) -> Check:
    storage = workspace.storage
    root = storage.workplace
    existed = root.exists()
    with storage.exclusive():
        storage.write(PROBE, b"")
        storage.read(PROBE)
        storage.delete(PROBE)
    if not existed:
        shutil.rmtree(root)
    return Check("workspace", "ok", f"{storage.location} is writable and not in use")


def _machine(workspace: Workspace | None, config: Config, data: str | None) -> Iterator[Check]:
    """Look at the raw files and at this machine; without a workspace, not at its disk."""
    if data is not None:
        yield guarded("data", lambda: _data(data, config))
        if workspace:
            yield guarded("disk", lambda: _disk(workspace, data))
    yield _memory()


def _data(data: str, config: Config) -> Check:
    from basketwise.etl.cleaning import REASON, clean
    from basketwise.etl.preview import check_split
    from basketwise.etl.reading import read_raw
    from basketwise.etl.sources import discover

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
    from basketwise.etl.sources import discover

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


def _registry(workspace: Workspace | None, config: Config, location: str) -> Check:
    # A server, and SageMaker, need no folder.
    folder = workspace.storage.workplace / REGISTRY if workspace else Path(REGISTRY)
    in_cloud = on_sagemaker(config.registry, location)
    where = SAGEMAKER if in_cloud else without_password(config.registry.uri) or "embedded"

    def look() -> Check:
        if where == "embedded" and not (folder / DATABASE).is_file():
            return Check("registry", "ok", "embedded; the first run makes it")
        registry = open_registry(config.registry, folder, config.aws, location)
        versions = registry.versions()
        leads = next((version.version for version in versions if version.champion), "none")
        return Check("registry", "ok", f"{where}: {len(versions)} versions, champion: {leads}")

    if in_cloud:
        from basketwise.aws.checks import account as cloud

        return cloud.guarded("registry", look)
    return guarded("registry", look)

"""Checks before a run on this machine; those of a workspace elsewhere are a plug-in's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.concurrency import cores
from basketwise.config import Config
from basketwise.doctor.check import Check, failure, guarded
from basketwise.errors import BasketwiseError
from basketwise.plugins import CHECKS, load
from basketwise.progress import Tick, counted, silent
from basketwise.redaction import redacted_address
from basketwise.registry.opening import REGISTRY, SAGEMAKER, on_sagemaker, open_registry
from basketwise.run.workspace import Workspace, open_workspace
from basketwise.schema import LABEL
from basketwise.settings import unknown_variables
from basketwise.storage.opening import with_local_products
from basketwise.storage.scheme import scheme_of

if TYPE_CHECKING:
    import polars as pl

DISK_PER_RAW_BYTE = 4
"""Room that silver, gold and scratch need, in sizes of the raw files (gzip counts eightfold)."""

MEMORY_FLOOR = 3 * 2**30
"""Bytes of memory that any run is at ease with."""

PROBE = ".doctor"


def examine(
    location: str,
    config: Callable[[], Config],
    data: str | None,
    *,
    aws: bool = False,
    tick: Tick = silent,
    model: str | None = None,
) -> Iterator[Check]:
    """Check everything that a run needs, one after the other.

    Parameters
    ----------
    location : str
        The workspace: where outputs are stored. If that is a bucket, AWS is checked too.
    config : callable
        Loads the configuration; its error is a failed check.
    data : str or None
        Raw files, which are read whole; None leaves them out.
    aws : bool
        Check AWS for any location; for a local path, check the project's bucket.
    tick : callable
        Called with the progress of reading the raw files.
    model : str or None
        Version or path of the model whose products are compared with those of the raw files; None:
        the champion, if there is one. Not for a bucket.
    """
    try:
        settings = config()
    except BasketwiseError as error:
        yield failure("config", error)
        return
    unknown = unknown_variables(os.environ)
    if unknown:
        yield Check("config", "warning", " ".join(unknown), "Unset or rename them.")
    else:
        yield Check("config", "ok", "all settings are known and in range")
    scheme = "s3" if aws else scheme_of(location)
    if scheme in CHECKS:
        yield from load(CHECKS[scheme])(location, settings, data, tick)
        return
    workspace = None
    try:
        workspace = open_workspace(location)
    except BasketwiseError as error:
        yield failure("workspace", error)
    else:
        yield guarded("workspace", lambda: writable(workspace))
    sold = None
    for check in machine(workspace, settings, data, tick):
        sold = check.profile.sold if check.profile else sold
        yield check
    if workspace and data is not None:
        yield from _products(workspace, settings, data, model, sold)
    if workspace or settings.registry.uri:
        yield guarded("registry", lambda: registry(workspace, settings, location))


def writable(workspace: Workspace) -> Check:
    """Write to the workspace, read it again, and remove it."""
    storage = workspace.storage
    root = storage.scratch.absolute()
    # Only a local workspace is its own scratch folder; a bucket's is removed with the process.
    local = Path(storage.location).absolute() == root
    parents = (root / ".lock", root, *root.parents) if local else ()
    created = [path for path in parents if not path.exists()]
    with storage.exclusive():
        storage.write(PROBE, b"")
        storage.read(PROBE)
        storage.delete(PROBE)
    if created == [root / ".lock"]:
        created[0].unlink(missing_ok=True)
    elif created:
        shutil.rmtree(created[-1])
        return Check("workspace", "ok", f"{storage.location} does not exist yet; can be created")
    return Check("workspace", "ok", f"{storage.location} is writable and not in use")


def machine(
    workspace: Workspace | None, config: Config, data: str | None, tick: Tick = silent
) -> Iterator[Check]:
    """Check the raw files and this machine; without a workspace, not its disk."""
    if data is not None:
        raw = guarded("data", lambda: _data(data, with_local_products(config), tick))
        yield raw
        if workspace and raw.state != "failed":
            yield guarded("disk", lambda: _disk(workspace, data, with_local_products(config)))
    yield _memory()


def _products(
    workspace: Workspace, config: Config, data: str, model: str | None, sold: pl.DataFrame | None
) -> Iterator[Check]:
    from basketwise.doctor.products import NAME, compare_products, open_reference

    try:
        reference = open_reference(model, workspace, config)
        if reference is not None:
            yield compare_products(data, reference, with_local_products(config), sold)
    except BasketwiseError as error:
        yield failure(NAME, error)


def _data(data: str, config: Config, tick: Tick) -> Check:
    from basketwise.doctor.profile import profile
    from basketwise.etl.lines.reasons import none_usable
    from basketwise.etl.preview import check_split
    from basketwise.etl.raw.sources import skipped_texts
    from basketwise.etl.silver.product_coverage import refuse_other_codes
    from basketwise.etl.silver.product_file import line_files

    delivery = line_files(data, config.data.products)
    made = profile(delivery, config, tick)
    if made is None:
        text = f"{delivery.sources[0].name} contains no till lines"
        return Check("data", "warning", text, "Check the other files.")
    if not made.accepted:
        error = none_usable(made.records, made.rejected)
        return replace(failure("data", error), profile=made)
    if not made.labelled:
        return Check(
            "data",
            "failed",
            f"no column {LABEL}: training is not possible",
            f"Map your column of labels: {LABEL} in [data.columns]. To predict, none is needed.",
            profile=made,
        )
    try:
        if made.product_file:
            refuse_other_codes(made.product_file.sold)
        check_split(delivery.sources, config)
    except BasketwiseError as error:
        return replace(failure("data", error), profile=made)
    refused = made.records - made.accepted
    lines = f"{counted(made.records, 'line')}, {refused:,} unusable"
    text = f"{counted(len(made.files), 'file')}: {lines}"
    if refused:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in made.rejected.items())
        text += f" ({reasons})"
    incomplete = refused or any(file.is_data for file in delivery.skipped)
    return Check(
        "data",
        "warning" if incomplete else "ok",
        "; ".join([text, *skipped_texts(delivery.skipped)]),
        "Look at what the reasons name." if refused else "",
        profile=made,
    )


def _disk(workspace: Workspace, data: str, config: Config) -> Check:
    from basketwise.etl.silver.product_file import line_files

    needed = DISK_PER_RAW_BYTE * sum(
        source.size * (8 if source.is_packed else 1)
        for source in line_files(data, config.data.products).sources
    )
    root = workspace.storage.scratch.absolute()
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
    text = f"{total / 2**30:.1f} GiB, {cores()} cores"
    if total < MEMORY_FLOOR:
        return Check("memory", "warning", text, "Large data sets need 3 GiB.")
    return Check("memory", "ok", text)


def registry(workspace: Workspace | None, config: Config, location: str) -> Check:
    """Open the registry and count its versions."""
    # A server, and SageMaker, need no folder.
    folder = workspace.storage.scratch / REGISTRY if workspace else Path(REGISTRY)
    in_cloud = on_sagemaker(config.registry, location)
    where = SAGEMAKER if in_cloud else redacted_address(config.registry.uri) or "embedded"
    if where == "embedded" and not folder.is_dir():
        return Check("registry", "ok", "embedded; created by the first run")
    versions = open_registry(config.registry, folder, config.aws, location).versions()
    champion = next((version.version for version in versions if version.champion), "none")
    return Check(
        "registry", "ok", f"{where}: {counted(len(versions), 'version')}, champion: {champion}"
    )

"""The rules by which leftovers of runs may be removed.

Everything that no rule selects is kept, and so is everything in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from basketwise.aws.cleanup.serving import ANY, Resource, Serving
from basketwise.aws.container.evaluation import EVALUATION_FILE
from basketwise.aws.names import AwsNames
from basketwise.aws.registry.objects import REGISTERED
from basketwise.aws.requests.pipeline import FOLDER as PIPELINES
from basketwise.cleanup.leftovers import MARKER, RUN, Folder, Leftover, rejected_why
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.registry.protocol import ApprovalState, ModelVersion
from basketwise.run.workspace import ARTIFACTS, CHECKPOINTS, GOLD, SILVER

ROOTS = (ARTIFACTS, CHECKPOINTS, PIPELINES)
"""Folders of the workspace that may contain leftovers."""

DATA_FILES = re.compile(rf"{GOLD}/{re.escape(METADATA_FILE)}$|{SILVER}/shop_week=")
"""Files that only Basketwise writes to the data folder of a pipeline."""

NEWEST_DATA = 2
"""Data versions that are always kept: the current one, and the one before it."""

LEAST_DATA = timedelta(days=14)
"""Younger data are always kept: a pipeline takes steps of the last seven days from its cache, and
may run for days on their outputs."""


@dataclass(frozen=True)
class Inventory:
    """Everything that the rules depend on.

    Runs are ``busy`` while a job of theirs runs, ``ended`` once their training jobs have ended,
    and ``pinned`` if they are kept for another reason.
    """

    folders: tuple[Folder, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    busy: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()
    serving: Serving = field(default_factory=Serving)


def leftovers(
    inventory: Inventory, names: AwsNames, now: datetime, older_than: timedelta
) -> list[Leftover]:
    """Return what may be removed, in the order of removal; anything younger is kept."""
    cutoff, folders, serving = now - older_than, inventory.folders, inventory.serving
    configs = [
        config
        for config in serving.configs
        if config.owned and config.created < cutoff and config.name not in serving.in_use
    ]
    needed = _used_by(serving.configs, configs)
    models = [
        model
        for model in serving.models
        if model.owned and model.created < cutoff and not needed & {model.name, ANY}
    ]
    retained, rejected = _runs(inventory, names, served=_used_by(serving.models, models))
    data = list(_data(folders, retained, min(cutoff, now - LEAST_DATA)))
    old_data = {leftover.name.partition("/")[2] for leftover in data}
    return [
        *_artifacts(folders, names, retained, rejected, cutoff),
        *_checkpoints(inventory, names, old_data, cutoff),
        *data,
        *(Leftover("endpoint config", c.name, c.created, "no endpoint uses it") for c in configs),
        *(Leftover("model", m.name, m.created, "no remaining config uses it") for m in models),
    ]


def runs_of(name: str, names: AwsNames) -> frozenset[str]:
    """Return the runs that a folder below ``artifacts/`` may belong to.

    The second attempt of a training job has the name of a first one of a run ending in ``-2``.

    Examples
    --------
    >>> names = AwsNames("shop", "dev", "123456789012", "eu-west-1", "shop-dev-123456789012",
    ...                  "arn:aws:iam::123456789012:role/x", "models")
    >>> sorted(runs_of("retail-prediction-training-run-20260203-120005-2", names))
    ['run-20260203-120005', 'run-20260203-120005-2']
    >>> sorted(runs_of("retail-evaluation-processing-run-20260203-120005", names))
    ['run-20260203-120005']
    >>> sorted(runs_of("run-20260203-120005-2", names))
    ['run-20260203-120005-2']
    >>> sorted(runs_of("registered-run-20260203-120005", names))
    ['run-20260203-120005']
    """
    if name.startswith(REGISTERED):
        return frozenset((name.removeprefix(REGISTERED),))
    run = name.removeprefix(names.training_job("")).removeprefix(names.evaluation_job(""))
    return frozenset((run,) if run == name else (run, re.sub(r"-[0-9]{1,2}$", "", run)))


def runs_at(uri: str, names: AwsNames) -> frozenset[str]:
    """Return the runs whose artifacts an S3 URI may point to; none if it points elsewhere."""
    root = names.uri(ARTIFACTS)
    name = uri.removeprefix(root).partition("/")[0] if uri.startswith(root) else ""
    return runs_of(name, names) if name else frozenset()


def _runs(
    inventory: Inventory, names: AwsNames, served: frozenset[str]
) -> tuple[set[str], dict[str, list[str]]]:
    """Return the runs to keep, and by run the versions of runs with rejected ones only."""
    retained = {*inventory.pinned, *inventory.busy}
    retained |= {run for uri in served for run in runs_at(uri, names)}
    rejected: dict[str, list[str]] = {}
    for version in inventory.versions:
        # Of a version that a pipeline registered, only the archive's address shows the run.
        # Runs of another workspace may have the names of those here.
        run = "" if version.workspace else version.run_id
        runs = {run, *runs_at(version.model_data_url, names)} - {""}
        if version.state is not ApprovalState.REJECTED or version.uri in served:
            retained |= runs
        for run in runs:
            rejected.setdefault(run, []).append(version.version)
    return retained, {run: versions for run, versions in rejected.items() if run not in retained}


def _artifacts(
    folders: Iterable[Folder],
    names: AwsNames,
    retained: set[str],
    rejected: Mapping[str, list[str]],
    cutoff: datetime,
) -> Iterator[Leftover]:
    below = [folder for folder in folders if folder.root == ARTIFACTS]
    # A run that was evaluated again needs its training, however old that is.
    recent = {run for f in below if f.newest >= cutoff for run in runs_of(f.name, names)}
    for folder in below:
        runs = runs_of(folder.name, names)
        versions = [version for run in sorted(runs) for version in rejected.get(run, ())]
        is_ours = any(RUN.fullmatch(run) for run in runs)
        is_marked = folder.name not in runs or any(MARKER.fullmatch(name) for name in folder.files)
        if runs & (retained | recent):
            continue
        if versions and (is_ours or is_marked):
            why = rejected_why(set(versions))
            # If a pipeline registered the version, its metrics are read from this file.
            yield from _leftover("artifacts", folder, why, exclude=EVALUATION_FILE)
        elif is_ours and is_marked:
            yield from _leftover("artifacts", folder, "its run never became a version")


def _checkpoints(
    inventory: Inventory, names: AwsNames, old_data: set[str], cutoff: datetime
) -> Iterator[Leftover]:
    below = (folder for folder in inventory.folders if folder.root == ARTIFACTS)
    leftover = {run for folder in below for run in runs_of(folder.name, names)}
    for folder in inventory.folders:
        run = folder.name
        if folder.root != CHECKPOINTS or folder.newest >= cutoff or run in inventory.busy:
            continue
        if RUN.fullmatch(run) and run in inventory.ended | leftover:
            yield from _leftover("checkpoints", folder, "its training has ended")
        elif run in old_data:
            yield from _leftover("checkpoints", folder, "its data is old")


def _data(folders: Iterable[Folder], retained: set[str], cutoff: datetime) -> Iterator[Leftover]:
    owned = [
        folder
        for folder in folders
        if folder.root == PIPELINES and any(DATA_FILES.match(name) for name in folder.files)
    ]
    owned.sort(key=lambda folder: (folder.newest, folder.key))
    for folder in owned[:-NEWEST_DATA]:
        if folder.newest < cutoff and folder.name not in retained:
            why = f"not among the newest {NEWEST_DATA}"
            yield from _leftover("data", folder, why, only=(SILVER, GOLD))


def _leftover(
    kind: str, folder: Folder, why: str, *, only: Iterable[str] = (), exclude: str = ""
) -> Iterator[Leftover]:
    """Yield the part of a folder that may be removed; nothing if all of it is kept."""
    entries = {name.partition("/")[0] for name in folder.files}
    chosen = entries & set(only) if only else entries - {exclude}
    size = sum(count for name, count in folder.files.items() if name.partition("/")[0] in chosen)
    keys = [folder.key] if chosen == entries else [f"{folder.key}/{top}" for top in sorted(chosen)]
    if chosen:
        yield Leftover(kind, folder.key, folder.newest, why, size, tuple(keys))


def _used_by(resources: Iterable[Resource], removed: list[Resource]) -> frozenset[str]:
    """Return what the remaining resources use."""
    return frozenset(used for r in resources if r not in removed for used in r.uses)

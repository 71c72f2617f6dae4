"""What runs left behind and may go: the rules, over all that is there.

Whatever no rule names stays, and so does whatever is in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from basketwise.aws.cleaning.serving import ANY, Resource, Serving
from basketwise.aws.container.evaluation import EVALUATION_FILE
from basketwise.aws.names import AwsNames
from basketwise.aws.registry.objects import REGISTERED
from basketwise.aws.requests.pipeline import FOLDER as PIPELINES
from basketwise.etl.tables import METADATA_FILE
from basketwise.files import MANIFEST
from basketwise.registry.protocol import ApprovalState, ModelVersion
from basketwise.run.workspace import ARTIFACTS, CHECKPOINTS, GOLD, SILVER

ROOTS = (ARTIFACTS, CHECKPOINTS, PIPELINES)
"""Folders of the workspace that something may go from."""

RUN = re.compile(r"(run|scheduled)-[A-Za-z0-9-]+")
"""What Basketwise calls a run, and the clock one of its own."""

MARK = re.compile(rf"{re.escape(MANIFEST)}|step-[a-z]+\.json")
"""Files that only Basketwise leaves in a run's folder."""

DATA = re.compile(rf"{GOLD}/{re.escape(METADATA_FILE)}$|{SILVER}/shop_week=")
"""Files that only Basketwise leaves in a folder of a pipeline's data."""

NEWEST_DATA = 2
"""Data versions that always stay: the one in use, and the one before it."""

LEAST_DATA = timedelta(days=14)
"""Data younger than that always stays: a pipeline takes steps of the last seven days from its
cache, and may work for days on what they left."""


@dataclass(frozen=True)
class Folder:
    """A folder right below one of ``ROOTS``: key in the workspace, bytes by file, newest write."""

    key: str
    files: Mapping[str, int]
    newest: datetime

    @property
    def root(self) -> str:
        """The folder that it is in."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """Its own name."""
        return self.key.partition("/")[2]


@dataclass(frozen=True)
class Inventory:
    """All that the rules ask for.

    Runs are ``busy`` while a job of theirs runs, ``ended`` once their training jobs have ended,
    and ``pinned`` if they stay for another reason.
    """

    folders: tuple[Folder, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    busy: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()
    serving: Serving = field(default_factory=Serving)


@dataclass(frozen=True)
class Leftover:
    """Something that may go: a folder of the workspace by its key, or a resource by its name.

    Its kind is ``artifacts``, ``checkpoints``, ``data``, ``endpoint config`` or ``model``. It has
    been there, or unchanged, ``since`` then. What is deleted of a folder are ``keys``, each with
    all below it; a resource has none.
    """

    kind: str
    name: str
    since: datetime
    why: str
    size: int = 0
    keys: tuple[str, ...] = ()


def leftovers(
    inventory: Inventory, names: AwsNames, now: datetime, older_than: timedelta
) -> list[Leftover]:
    """Say what may go, in the order in which it is removed; what has changed since stays."""
    before, folders, serving = now - older_than, inventory.folders, inventory.serving
    configs = [
        config
        for config in serving.configs
        if config.ours and config.created < before and config.name not in serving.in_use
    ]
    needed = _used_by(serving.configs, configs)
    models = [
        model
        for model in serving.models
        if model.ours and model.created < before and not needed & {model.name, ANY}
    ]
    kept, rejected = _runs(inventory, names, served=_used_by(serving.models, models))
    data = list(_data(folders, kept, min(before, now - LEAST_DATA)))
    old_data = {left.name.partition("/")[2] for left in data}
    return [
        *_artifacts(folders, names, kept, rejected, before),
        *_checkpoints(inventory, names, old_data, before),
        *data,
        *(Leftover("endpoint config", c.name, c.created, "no endpoint uses it") for c in configs),
        *(Leftover("model", m.name, m.created, "no config that stays uses it") for m in models),
    ]


def runs_of(name: str, names: AwsNames) -> frozenset[str]:
    """Return the runs that a folder below ``artifacts/`` may belong to.

    A training job's second attempt is called as the first one of a run with that number would be.

    Examples
    --------
    >>> names = AwsNames("shop", "dev", "123456789012", "eu-west-1", "shop-dev-123456789012",
    ...                  "arn:aws:iam::123456789012:role/x", "models")
    >>> sorted(runs_of("retail-prediction-training-run-20260203-120005-2", names))
    ['run-20260203-120005', 'run-20260203-120005-2']
    >>> sorted(runs_of("run-20260203-120005-2", names))
    ['run-20260203-120005-2']
    >>> sorted(runs_of("registered-run-20260203-120005", names))
    ['run-20260203-120005']
    """
    if name.startswith(REGISTERED):
        return frozenset((name.removeprefix(REGISTERED),))
    run = name.removeprefix(names.training_job(""))
    return frozenset((run,) if run == name else (run, re.sub(r"-[0-9]{1,2}$", "", run)))


def runs_at(uri: str, names: AwsNames) -> frozenset[str]:
    """Return the runs whose artifacts an S3 URI may lead to; none if it leads elsewhere."""
    root = names.uri(ARTIFACTS)
    name = uri.removeprefix(root).partition("/")[0] if uri.startswith(root) else ""
    return runs_of(name, names) if name else frozenset()


def _runs(
    inventory: Inventory, names: AwsNames, served: frozenset[str]
) -> tuple[set[str], dict[str, list[str]]]:
    """Tell the runs that stay, and the versions of those whose versions are all rejected."""
    kept = {*inventory.pinned, *inventory.busy}
    kept |= {run for uri in served for run in runs_at(uri, names)}
    rejected: dict[str, list[str]] = {}
    for version in inventory.versions:
        # A version that a pipeline has registered knows its run by its archive's address only.
        runs = {version.run_id, *runs_at(version.model_data_url, names)} - {""}
        if version.state is not ApprovalState.REJECTED or version.uri in served:
            kept |= runs
        for run in runs:
            rejected.setdefault(run, []).append(version.version)
    return kept, {run: versions for run, versions in rejected.items() if run not in kept}


def _artifacts(
    folders: Iterable[Folder],
    names: AwsNames,
    kept: set[str],
    rejected: Mapping[str, list[str]],
    before: datetime,
) -> Iterator[Leftover]:
    below = [folder for folder in folders if folder.root == ARTIFACTS]
    # A run that was judged again needs its training, however old that is.
    recent = {run for f in below if f.newest >= before for run in runs_of(f.name, names)}
    for folder in below:
        runs = runs_of(folder.name, names)
        versions = [version for run in sorted(runs) for version in rejected.get(run, ())]
        is_ours = any(RUN.fullmatch(run) for run in runs)
        is_marked = folder.name not in runs or any(MARK.fullmatch(name) for name in folder.files)
        if runs & (kept | recent):
            continue
        if versions and (is_ours or is_marked):
            numbers = sorted(set(versions), key=int)
            why = f"version{'s' * (len(numbers) > 1)} {', '.join(numbers)} rejected"
            # Where a pipeline has registered the version, its metrics are read from this file.
            yield from _going("artifacts", folder, why, but=EVALUATION_FILE)
        elif is_ours and is_marked:
            yield from _going("artifacts", folder, "its run never became a version")


def _checkpoints(
    inventory: Inventory, names: AwsNames, old_data: set[str], before: datetime
) -> Iterator[Leftover]:
    below = (folder for folder in inventory.folders if folder.root == ARTIFACTS)
    left = {run for folder in below for run in runs_of(folder.name, names)}
    for folder in inventory.folders:
        run = folder.name
        if folder.root != CHECKPOINTS or folder.newest >= before or run in inventory.busy:
            continue
        if RUN.fullmatch(run) and run in inventory.ended | left:
            yield from _going("checkpoints", folder, "its training has ended")
        elif run in old_data:
            yield from _going("checkpoints", folder, "its data is old")


def _data(folders: Iterable[Folder], kept: set[str], before: datetime) -> Iterator[Leftover]:
    ours = [
        folder
        for folder in folders
        if folder.root == PIPELINES and any(DATA.match(name) for name in folder.files)
    ]
    ours.sort(key=lambda folder: (folder.newest, folder.key))
    for folder in ours[:-NEWEST_DATA]:
        if folder.newest < before and folder.name not in kept:
            why = f"the newest {NEWEST_DATA} stay"
            yield from _going("data", folder, why, only=(SILVER, GOLD))


def _going(
    kind: str, folder: Folder, why: str, *, only: Iterable[str] = (), but: str = ""
) -> Iterator[Leftover]:
    """Give what is left of a folder without what stays; nothing if all of it stays."""
    tops = {name.partition("/")[0] for name in folder.files}
    going = tops & set(only) if only else tops - {but}
    size = sum(count for name, count in folder.files.items() if name.partition("/")[0] in going)
    keys = [folder.key] if going == tops else [f"{folder.key}/{top}" for top in sorted(going)]
    if going:
        yield Leftover(kind, folder.key, folder.newest, why, size, tuple(keys))


def _used_by(resources: Iterable[Resource], going: list[Resource]) -> frozenset[str]:
    """Return what those that stay use."""
    return frozenset(used for r in resources if r not in going for used in r.uses)

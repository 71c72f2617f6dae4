"""Listing the leftovers of runs, and removing them under the workspace's lock."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from os.path import commonprefix
from typing import TYPE_CHECKING

from basketwise.aws import clients
from basketwise.aws.cleanup.leftovers import ROOTS, Inventory, leftovers, runs_at, runs_of
from basketwise.aws.cleanup.serving import remove, serving_of
from basketwise.aws.names import AwsNames
from basketwise.aws.parallel import WORKERS, results_of
from basketwise.aws.registry.document import read_document
from basketwise.aws.registry.objects import read_whole
from basketwise.aws.registry.registry import FOLDER, SageMakerRegistry
from basketwise.aws.requests.pipeline import FOLDER as PIPELINES
from basketwise.aws.running import jobs
from basketwise.aws.s3 import Bucket, S3Object
from basketwise.cleanup.leftovers import Cleaned, Folder, Leftover, remove_agreed
from basketwise.config import Config
from basketwise.errors import DependencyError
from basketwise.files import DEPLOYMENT_CONFIGS, METRICS_FILE
from basketwise.registry.deployment import LATEST
from basketwise.registry.opening import REGISTRY, SAGEMAKER, open_registry
from basketwise.registry.protocol import ApprovalState, Registry
from basketwise.storage.opening import open_storage
from basketwise.storage.protocol import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

RESTORABLE_DAYS = 90
"""How long a bucket made by `aws provision` retains deleted objects."""

LISTED_AT_ONCE = 250
"""Folders; fewer are not worth a request of their own."""

REMOVED_AT_ONCE = 250
"""Leftovers; the requests of a deletion besides those for each object are shared by so many."""

ATTEMPT = re.compile(r"-[0-9]{1,2}$")
"""What the name of a job ends with that is not the first of its run."""


@dataclass(frozen=True)
class Target:
    """A workspace in a bucket, and all registries that its runs may be registered in."""

    names: AwsNames
    storage: Storage
    registries: tuple[Registry, ...]
    s3: S3Client
    sagemaker: SageMakerClient


def open_target(names: AwsNames, config: Config) -> Target:
    """Open the workspace of the names, and the registries of its runs."""
    storage = open_storage(names.uri().rstrip("/"), config.aws)
    used = [config.registry]
    if config.registry.uri not in ("", SAGEMAKER):
        # Pipelines register in SageMaker, whatever registry the other commands use.
        used.append(config.registry.model_copy(update={"uri": SAGEMAKER}))
    registries = tuple(
        open_registry(registry, storage.scratch / REGISTRY, config.aws, storage.location)
        for registry in used
    )
    s3, sagemaker = clients.client("s3", config.aws), clients.client("sagemaker", config.aws)
    return Target(names, storage, registries, s3, sagemaker)


def removable(target: Target, now: datetime, older_than: timedelta) -> list[Leftover]:
    """List what may be removed; DependencyError if anything that this depends on is unreadable."""
    names = target.names
    folders = tuple(_folders(target))
    serving = serving_of(target.sagemaker, names)
    old = (f for f in folders if f.newest < now - older_than and f.root != PIPELINES)
    busy, ended = _jobs(target, {run for folder in old for run in runs_of(folder.name, names)})
    inventory = Inventory(
        folders=folders,
        busy=busy,
        ended=ended,
        pinned=frozenset(_pinned(target)),
        serving=serving,
        # Last, so that the states of versions are as recent as possible.
        versions=tuple(v for registry in target.registries for v in registry.versions()),
    )
    return leftovers(inventory, names, now, older_than)


def clean(
    target: Target,
    agreed: Iterable[Leftover],
    now: datetime,
    older_than: timedelta,
    report: Callable[[Leftover], None],
) -> Cleaned:
    """Remove what was agreed to, if it still may be removed, and report each removal.

    Everything is listed again, as of the same ``now``, while the workspace's lock is held. If AWS
    refuses, what was reported is removed, and the same command continues with the rest.
    """

    def remove_resource(leftover: Leftover) -> None:
        if not leftover.keys:
            remove(target.sagemaker, leftover.kind, leftover.name)

    return remove_agreed(
        target.storage,
        lambda: removable(target, now, older_than),
        agreed,
        report,
        remove_resource,
        REMOVED_AT_ONCE,
    )


def _folders(target: Target) -> Iterator[Folder]:
    """Yield the folders below ``ROOTS``; objects directly below a root are in none."""
    workspace = Bucket(target.s3, target.names.bucket, target.names.prefix)
    for root in ROOTS:
        files: defaultdict[str, dict[str, int]] = defaultdict(dict)
        newest: dict[str, datetime] = {}
        for key, listed in _listed(workspace, root).items():
            name, slash, rest = key.removeprefix(f"{root}/").partition("/")
            if slash and name and listed.modified:
                files[name][rest] = listed.size
                newest[name] = max(newest.get(name, listed.modified), listed.modified)
        yield from (Folder(f"{root}/{name}", files[name], newest[name]) for name in files)


def _listed(workspace: Bucket, root: str) -> dict[str, S3Object]:
    """List all objects below a root; many folders in parts, several at the same time."""
    names = workspace.folders(root)
    starts = prefixes_of(names, max(LISTED_AT_ONCE, len(names) // WORKERS))
    parts = results_of(workspace.listed, [f"{root}/{start}" for start in starts])
    return {key: listed for part in parts for key, listed in part.items()}


def prefixes_of(names: Sequence[str], most: int) -> list[str]:
    """Return prefixes, so that each name begins with one; at most ``most`` with the same.

    Examples
    --------
    >>> prefixes_of(["run-1", "run-2", "run-21", "x"], 2)
    ['run-1', 'run-2', 'x']
    >>> prefixes_of(["run", "run-1"], 1)
    ['run/', 'run-1']
    """
    common = commonprefix(names)  # noqa: RUF071 - of characters, as keys are listed
    if len(names) <= most:
        return [common] if names else []
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[name[len(common) : len(common) + 1]].append(name)
    # A name that ends here begins all others: its slash tells it from them.
    return [
        start
        for following, group in groups.items()
        for start in (prefixes_of(group, most) if following else [f"{common}/"])
    ]


def _jobs(target: Target, runs: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the runs with a running job, and those whose training jobs have all ended."""
    if not runs:
        return frozenset(), frozenset()
    names = target.names
    training = _by_run(target, "Training", names.training_job(""))
    others = _by_run(target, "Processing", names.evaluation_job(""))
    busy = frozenset(
        run
        for states in (training, others)
        for run in states.keys() & set(runs)
        if states[run] - jobs.ENDED
    )
    return busy, frozenset((training.keys() & set(runs)) - busy)


def _by_run(target: Target, kind: jobs.Kind, start: str) -> dict[str, set[str]]:
    """Return the statuses of jobs by run; those of a second attempt by both it may belong to."""
    states: defaultdict[str, set[str]] = defaultdict(set)
    for name, status in jobs.statuses(target.sagemaker, kind, start).items():
        run = name.removeprefix(start)
        for run_id in {run, ATTEMPT.sub("", run)}:
            states[run_id].add(status)
    return dict(states)


def _pinned(target: Target) -> Iterator[str]:
    """Yield the runs that files name which the registry's versions do not show."""
    storage, names = target.storage, target.names
    latest = f"{DEPLOYMENT_CONFIGS}/{LATEST}"
    if storage.exists(latest):
        # It may name a version that was rejected in SageMaker's console a moment ago.
        try:
            url = json.loads(storage.read(latest))["model_info"]["model_data_url"]
        except (ValueError, KeyError, TypeError) as error:
            raise DependencyError(
                f"{storage.location}/{latest} cannot be read: {type(error).__name__}: {error}.",
                "Export the champion again: basketwise export.",
            ) from error
        yield from runs_at(str(url), names)
    for registry in target.registries:
        if isinstance(registry, SageMakerRegistry):
            # Deleted by mistake, perhaps: its archive can be registered again.
            kept = (v for v in registry.deleted() if v.state is not ApprovalState.REJECTED)
            for version in kept:
                yield from {version.run_id, *runs_at(version.model_data_url, names)} - {""}
    # Of another group in the same workspace: the version's state is not known here.
    yield from _other_groups(target)


def _other_groups(target: Target) -> Iterator[str]:
    """Yield the runs of versions that other groups of the workspace have."""
    workspace = Bucket(target.s3, target.names.bucket, target.names.prefix)
    keys = [
        key
        for group in target.storage.folders(FOLDER)
        if group != target.names.group
        for key in workspace.listed(f"{FOLDER}/{group}/submissions/")
        if key.endswith(f"/{METRICS_FILE}")
    ]

    def run_of(key: str) -> str:
        return read_document(read_whole(workspace, key), workspace.uri(key)).run_id

    yield from results_of(run_of, keys)

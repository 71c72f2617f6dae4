"""Looks for what runs left behind, and removes what still may go when nobody else works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from basketwise.aws import clients
from basketwise.aws.cleaning.findings import ROOTS, Folder, Found, runs_at, runs_of
from basketwise.aws.cleaning.leftovers import Leftover, leftovers
from basketwise.aws.cleaning.serving import AT_ONCE, look_at_serving, remove_config, remove_model
from basketwise.aws.names import AwsNames
from basketwise.aws.registry.document import read_document
from basketwise.aws.registry.registry import FOLDER
from basketwise.aws.requests.pipeline import FOLDER as PIPELINES
from basketwise.aws.running import jobs
from basketwise.aws.s3 import Bucket
from basketwise.config import Config
from basketwise.errors import DependencyError
from basketwise.files import METRICS_FILE
from basketwise.registry.deployment import LATEST
from basketwise.registry.opening import REGISTRY, SAGEMAKER, open_registry
from basketwise.registry.protocol import Registry
from basketwise.run.workspace import DEPLOYMENT_CONFIGS
from basketwise.storage.opening import open_storage
from basketwise.storage.protocol import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

RESTORABLE_DAYS = 90
"""So long does a bucket that `aws provision` made keep what was deleted."""

JOB_NAME = re.compile(r"(?=.{1,63}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")
"""What SageMaker takes as a job's name; there is no job of any other."""


@dataclass(frozen=True)
class Place:
    """A workspace in a bucket, with what it takes to clean it.

    Attributes
    ----------
    registries
        All that anybody may have registered this workspace's runs in.
    """

    names: AwsNames
    storage: Storage
    registries: tuple[Registry, ...]
    s3: S3Client
    sagemaker: SageMakerClient


@dataclass(frozen=True)
class Cleaned:
    """What a cleaning did.

    Attributes
    ----------
    removed
        What went.
    spared
        What was to go, and had changed meanwhile.
    """

    removed: tuple[Leftover, ...]
    spared: tuple[Leftover, ...]


def open_place(names: AwsNames, config: Config) -> Place:
    """Open the workspace that the names lead to, and the registries of its runs.

    Raises
    ------
    DependencyError
        If a registry cannot be reached.
    """
    storage = open_storage(names.uri().rstrip("/"), config.aws)
    kept_in = [config.registry]
    if config.registry.uri not in ("", SAGEMAKER):
        # Pipelines register in SageMaker, whatever registry the other commands use.
        kept_in.append(config.registry.model_copy(update={"uri": SAGEMAKER}))
    return Place(
        names=names,
        storage=storage,
        registries=tuple(
            open_registry(one, storage.scratch / REGISTRY, config.aws, storage.location)
            for one in kept_in
        ),
        s3=clients.client("s3", config.aws),
        sagemaker=clients.client("sagemaker", config.aws),
    )


def look(place: Place, now: datetime, older_than: timedelta) -> list[Leftover]:
    """List what may go; see :func:`basketwise.aws.cleaning.leftovers.leftovers`.

    Raises
    ------
    DependencyError
        If AWS refuses, or anything that a decision rests on cannot be read.
    """
    names = place.names
    folders = tuple(_folders(place))
    serving = look_at_serving(place.sagemaker, names)
    old = [one for one in folders if one.newest < now - older_than and one.root != PIPELINES]
    busy, ended = _jobs(place, {run for one in old for run in runs_of(one.name, names)})
    found = Found(
        folders=folders,
        busy=busy,
        ended=ended,
        pinned=frozenset(_pinned(place)),
        serving=serving,
        # Last, so that a decision about a version is as fresh as can be.
        versions=tuple(one for registry in place.registries for one in registry.versions()),
    )
    return leftovers(found, names, now, older_than)


def clean(
    place: Place,
    agreed: Iterable[Leftover],
    now: datetime,
    older_than: timedelta,
    tell: Callable[[Leftover], None],
) -> Cleaned:
    """Remove what was agreed to, as far as it still may go.

    The workspace's lock is held, and everything is looked at once more.

    Parameters
    ----------
    place : Place
        Of the look.
    agreed : iterable of Leftover
        From the look; nothing else is removed.
    now, older_than
        As in the look.
    tell : callable
        Told what has been removed.

    Raises
    ------
    WorkspaceError
        If another run uses the workspace, or the lock was lost.
    DependencyError
        If AWS refuses; what was told is gone, and the same command goes on.
    """
    removed, spared = [], []
    with place.storage.exclusive():
        still = {(one.kind, one.name): one for one in look(place, now, older_than)}
        for one in agreed:
            current = still.get((one.kind, one.name))
            if current is None:
                spared.append(one)
                continue
            _remove(place, current)
            removed.append(current)
            tell(current)
    return Cleaned(tuple(removed), tuple(spared))


def _remove(place: Place, one: Leftover) -> None:
    for key in one.keys:
        place.storage.delete(key)
    if one.kind == "endpoint config":
        remove_config(place.sagemaker, one.name)
    elif one.kind == "model":
        remove_model(place.sagemaker, one.name)


def _folders(place: Place) -> Iterator[Folder]:
    """Give the folders below ``ROOTS``; objects that lie there by themselves are of none."""
    for root in ROOTS:
        found: dict[str, dict[str, int]] = {}
        newest: dict[str, datetime] = {}
        workspace = Bucket(place.s3, place.names.bucket, place.names.prefix)
        for key, listed in workspace.listed(f"{root}/").items():
            name, slash, rest = key.removeprefix(f"{root}/").partition("/")
            if slash and name and listed.modified:
                found.setdefault(name, {})[rest] = listed.size
                newest[name] = max(newest.get(name, listed.modified), listed.modified)
        yield from (Folder(f"{root}/{name}", found[name], newest[name]) for name in found)


def _jobs(place: Place, runs: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Tell the runs with a job that works, and those whose training jobs have all ended."""

    def states(run: str) -> tuple[str, set[str], set[str]]:
        training = set(_states(place, "Training", place.names.training_job(run)))
        return run, training, set(_states(place, "Processing", place.names.evaluation_job(run)))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(states, sorted(runs)))
    busy = frozenset(run for run, one, other in found if (one | other) - jobs.ENDED)
    return busy, frozenset(run for run, training, _ in found if training and run not in busy)


def _states(place: Place, kind: jobs.Kind, name: str) -> Iterator[str]:
    """Give the status of each attempt of a job; there is no attempt after one that is not there."""
    for number in count(1):
        attempt = name if number == 1 else f"{name}-{number}"
        if not JOB_NAME.fullmatch(attempt):
            return
        state = jobs.describe(place.sagemaker, kind, attempt)
        if state is None:
            return
        yield state.status


def _pinned(place: Place) -> Iterator[str]:
    """Give the runs that something names which the registry's versions do not show."""
    storage, names = place.storage, place.names
    latest = f"{DEPLOYMENT_CONFIGS}/{LATEST}"
    if storage.exists(latest):
        # It may name a version that was rejected in SageMaker's console a moment ago.
        yield from runs_at(_url_in(storage.read(latest), f"{storage.location}/{latest}"), names)
    for key in storage.keys(FOLDER):
        group, _, rest = key.removeprefix(f"{FOLDER}/").partition("/")
        if group != names.group and rest.startswith("submissions/") and rest.endswith(METRICS_FILE):
            # Of another group in the same workspace: nobody here knows the version's state.
            yield read_document(storage.read(key), f"{storage.location}/{key}").run_id


def _url_in(document: bytes, place: str) -> str:
    try:
        return str(json.loads(document)["model_info"]["model_data_url"])
    except (ValueError, KeyError, TypeError) as error:
        raise DependencyError(
            f"{place} cannot be read: {type(error).__name__}: {error}.",
            "Export the champion again: basketwise export.",
        ) from error

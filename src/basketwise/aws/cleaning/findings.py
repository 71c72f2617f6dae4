"""What leftovers are looked for in: folders, versions, jobs, what SageMaker serves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from basketwise.aws.names import AwsNames
from basketwise.aws.registry.objects import REGISTERED
from basketwise.aws.requests.pipeline import FOLDER as PIPELINES
from basketwise.registry.protocol import ModelVersion
from basketwise.run.workspace import ARTIFACTS, CHECKPOINTS

ROOTS = (ARTIFACTS, CHECKPOINTS, PIPELINES)
"""Folders of the workspace that something may go from."""

RUN = re.compile(r"(run|scheduled)-[A-Za-z0-9-]+")
"""What Basketwise calls a run, and the clock one of its own."""

ATTEMPT = re.compile(r"-[0-9]{1,2}$")
"""What a job's name ends with from the second attempt on."""

ANY = ""
"""Stands for the models that an endpoint serves without its configuration naming them."""


@dataclass(frozen=True)
class Folder:
    """A folder right below one of ``ROOTS``.

    Attributes
    ----------
    key
        In the workspace: ``artifacts/run-20260203-120005``.
    files
        Bytes by name, relative to the folder.
    newest
        When its newest object was written.
    """

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
class Resource:
    """A model or an endpoint configuration in SageMaker.

    Attributes
    ----------
    ours
        Whether it has a name as Basketwise gives, and the project's tags.
    uses
        Of a configuration: names of models, or ``ANY``. Of a model: S3 URIs of archives and ARNs
        of versions.
    """

    name: str
    created: datetime
    ours: bool
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Serving:
    """What can be served; ``in_use`` are the configurations that endpoints have, or will have."""

    configs: tuple[Resource, ...] = ()
    models: tuple[Resource, ...] = ()
    in_use: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Inventory:
    """All that the rules ask for.

    Attributes
    ----------
    versions
        All registered ones.
    busy, ended
        Runs with a job that works, and runs whose training job has ended.
    pinned
        Runs that stay for another reason.
    """

    folders: tuple[Folder, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    busy: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()
    serving: Serving = Serving()


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
    return frozenset((run,) if run == name else (run, ATTEMPT.sub("", run)))


def runs_at(uri: str, names: AwsNames) -> frozenset[str]:
    """Return the runs whose artifacts an S3 URI may lead to; none if it leads elsewhere."""
    root = names.uri(ARTIFACTS)
    name = uri.removeprefix(root).partition("/")[0] if uri.startswith(root) else ""
    return runs_of(name, names) if name else frozenset()

"""All checks of a workspace in a bucket, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from basketwise.aws.address import is_address
from basketwise.aws.checks import account as cloud
from basketwise.aws.checks.image import images
from basketwise.aws.checks.key import key
from basketwise.aws.checks.network import network
from basketwise.aws.checks.quotas import quotas
from basketwise.aws.checks.role import role
from basketwise.config import Config
from basketwise.doctor import local
from basketwise.doctor.check import Check, failure, guarded
from basketwise.errors import BasketwiseError
from basketwise.progress import Tick, silent
from basketwise.registry.opening import on_sagemaker
from basketwise.run.workspace import open_workspace

SUFFICIENT = ("bucket", "workspace", "role", "image")
"""Checks that have to be passed for runs without provisioning, besides that of the rights."""


def examine(
    location: str, config: Config, data: str | None, tick: Tick = silent
) -> Iterator[Check]:
    """Check the account, the workspace, the machine, what jobs need, and ``data`` if given.

    The last line says so if nothing has to be provisioned. The others are those of
    :func:`everything`.
    """
    states = {}
    for check in everything(location, config, data, tick):
        states[check.name] = check.state
        yield check
    if all(states.get(name) == "ok" for name in SUFFICIENT) and states["rights"] != "failed":
        text = "bucket and role suffice: 'basketwise aws provision' can be skipped"
        yield Check("provision", "ok", text)


def everything(location: str, config: Config, data: str | None, tick: Tick) -> Iterator[Check]:
    """Make all checks.

    A path as the workspace's location is replaced by the project's bucket. ``tick`` is called with
    the progress of reading the raw files.
    """
    region = yield from cloud.region(config)
    names = (yield from cloud.account(config, region, location)) if region else None
    if names is None:
        yield from local.machine(None, config, data, tick)
        if region:
            yield from images(config, region)
        return
    if not is_address(location):
        location = names.uri().rstrip("/")
    workspace = None
    try:
        # No request is made yet: this finds an invalid address.
        workspace = open_workspace(location, config.aws)
    except BasketwiseError as error:
        yield failure("workspace", error)
    if workspace and (yield from cloud.bucket(config, names)):
        yield guarded("workspace", lambda: local.writable(workspace))
        yield from cloud.contents(config, names)
    yield from local.machine(workspace, config, data, tick)
    in_cloud = on_sagemaker(config.registry, location)
    if workspace or config.registry.uri:
        yield guarded("registry", lambda: local.registry(workspace, config, location))
    if in_cloud:
        yield cloud.group(config, names)
    yield from role(config, names)
    yield from network(config, names)
    yield from key(config, names)
    yield from quotas(config, region)
    yield from images(config, region)

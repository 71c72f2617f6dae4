"""The approved version that is deployed: what the workspace exported, held against the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from basketwise.artifact.documents import complaint
from basketwise.config import AwsConfig, Config, Count
from basketwise.deploy.example import Example, example_of
from basketwise.deploy.library import Library, library_of
from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.files import DEPLOYMENT_CONFIGS
from basketwise.model.archive import load_model_archive
from basketwise.registry.approval import finish_export
from basketwise.registry.deployment import LATEST
from basketwise.registry.opening import existing_registry
from basketwise.registry.protocol import ApprovalState, ArchiveError, ModelVersion, Registry
from basketwise.storage.protocol import Storage

KEY = f"{DEPLOYMENT_CONFIGS}/{LATEST}"
SHOWN = 12
"""Digits of a digest in names: enough to tell versions apart, as git does."""


class ModelInfo(BaseModel, frozen=True):
    """The model, in a deployment configuration."""

    model_data_url: str
    image_uri: str | None
    model_name: str
    approval_status: Literal["Approved"]
    model_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class EndpointConfig(BaseModel, frozen=True):
    """The instances that serve the model on SageMaker."""

    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
    initial_instance_count: Count


class AutoScaling(BaseModel, frozen=True):
    """How many instances or pods there may be, and what share of their CPU is aimed at."""

    min_capacity: Count
    max_capacity: Count
    target_cpu_utilization: Annotated[int, Field(ge=1, le=100)]


class Deployment(BaseModel, frozen=True):
    """The settings of the section ``deployment`` when the version was exported."""

    endpoint_config: EndpointConfig
    auto_scaling: AutoScaling


class Metadata(BaseModel, frozen=True):
    """What identifies the version."""

    model_version: Annotated[str, Field(pattern="^[0-9]{1,9}$")]


class Exported(BaseModel, frozen=True):
    """``latest_model_config.json``, as far as a deployment reads it."""

    model_info: ModelInfo
    deployment_config: Deployment
    metadata: Metadata


@dataclass(frozen=True)
class ApprovedModel:
    """A version that is the champion now; its archive has been compared and opened.

    Attributes
    ----------
    version
        Its number in the registry.
    group
        The registered model, or model package group.
    uri
        What the registry calls the version.
    sha256
        Hex digest of the archive.
    archive
        A local copy, which lasts as long as the folder that it was fetched into.
    library
        What the estimator needs to be applied.
    document
        The deployment configuration, as it was exported.
    example
        A basket of the model's own products, and the answer to it.
    needs_history
        Whether the model asks for the customers' history, which no archive contains.
    aws
        Network, key and tags of whatever serves it on AWS.
    """

    version: str
    group: str
    uri: str
    model_name: str
    sha256: str
    archive: Path
    model_data_url: str
    image_uri: str | None
    deployment: Deployment
    document: str
    library: Library
    example: Example
    needs_history: bool = False
    aws: AwsConfig = field(default_factory=AwsConfig)

    @property
    def tag(self) -> str:
        """Return what names the version and its bytes: ``3-0123456789ab``."""
        return f"{self.version}-{self.sha256[:SHOWN]}"


def approved_model(config: Config, storage: Storage, folder: Path) -> ApprovedModel:
    """Return the version that a workspace exported last, if it is the champion now.

    Parameters
    ----------
    config : Config
        Names the registry.
    storage : Storage
        The workspace.
    folder : Path
        Gets the archive.

    Raises
    ------
    InputError
        If nothing is exported; the version is not approved, or not the champion any more; or its
        archive cannot be used.
    ArchiveError
        If the archive is missing, or not the one that was exported.
    DependencyError
        If the registry cannot be reached.
    """
    registry = existing_registry(config, storage)
    finish_export(registry, storage, config.deployment)
    document = _read(storage)
    exported = _exported(document)
    version = _champion(registry, exported)
    archive = registry.fetch(version.version, folder)
    digest = exported.model_info.model_sha256
    if version.sha256 != digest or sha256(archive) != digest:
        raise ArchiveError(
            f"The archive of version {version.version} is not the one that {KEY} names.",
            "Find out who changed it. To go on with the version before it: "
            f"basketwise models reject {version.version}",
        )
    model = load_model_archive(archive)
    return ApprovedModel(
        version=version.version,
        group=config.registry.group,
        uri=version.uri,
        model_name=exported.model_info.model_name,
        sha256=digest,
        archive=archive,
        model_data_url=version.model_data_url,
        image_uri=version.image_uri,
        deployment=exported.deployment_config,
        document=document.decode(),
        library=library_of(archive),
        example=example_of(model),
        needs_history=model.needs_history,
        aws=config.aws,
    )


def _read(storage: Storage) -> bytes:
    if not storage.exists(KEY):
        raise InputError(
            f"The workspace {storage.location!r} has no {KEY}: no version is approved.",
            "Approve one with 'basketwise models approve VERSION'; only an approved version can be "
            "deployed.",
        )
    return storage.read(KEY)


def _exported(document: bytes) -> Exported:
    try:
        return Exported.model_validate_json(document)
    except ValidationError as error:
        raise InputError(
            f"{KEY} cannot be deployed: {complaint(error)}.",
            "To write it anew: basketwise export",
        ) from error


def _champion(registry: Registry, exported: Exported) -> ModelVersion:
    """Return the exported version as the registry knows it now."""
    number = exported.metadata.model_version
    version = registry.get(number)
    if version.state is not ApprovalState.APPROVED:
        raise InputError(
            f"Version {number} is not deployed: it was approved when {KEY} was written, and is "
            f"{version.state} now.",
            "Approve it again, or export the champion: basketwise export",
        )
    if not version.champion:
        champion = registry.champion()
        leader = f"version {champion.version}" if champion else "none"
        raise InputError(
            f"{KEY} names version {number}, but the champion is {leader}.",
            "To let it name the champion: basketwise export",
        )
    return version

"""What registries say of a workspace's runs: of a run that is a version, the files are needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basketwise.config import Config
from basketwise.errors import DependencyError, InputError, WorkspaceError
from basketwise.files import DEPLOYMENT_CONFIGS
from basketwise.registry.deployment import LATEST, PREFIX
from basketwise.registry.mlflow.database import Unregistered
from basketwise.registry.mlflow.registry import MlflowRegistry
from basketwise.registry.opening import REGISTRY, open_registry, registry_of
from basketwise.registry.protocol import ApprovalState, ModelVersion, Registry
from basketwise.storage.protocol import Storage


@dataclass(frozen=True)
class Registered:
    """The versions in all registries that the runs of a workspace may be in.

    ``unknown`` says why nothing is known of them; then nothing that they may need can be removed.
    """

    versions: tuple[ModelVersion, ...] = ()
    deployed: tuple[str, ...] = ()
    """Addresses of models in deployment configurations."""
    registries: frozenset[str] = field(default_factory=frozenset)
    """The ``registry.uri`` of those that were asked, as runs record it."""
    unregistered: tuple[Unregistered, ...] = ()
    """Of the registry in the workspace: registrations that left no version."""
    unknown: str = ""

    def numbers(self, run: str) -> set[str]:
        """Return the numbers of a run's versions."""
        return {version.version for version in self._of(run)}

    def needs(self, run: str) -> bool:
        """Whether a run has a version that is not rejected, or is deployed."""
        states = {version.state for version in self._of(run)}
        return bool(states - {ApprovalState.REJECTED}) or any(run in url for url in self.deployed)

    def names(self, folder: str) -> bool:
        """Whether a version, or a deployment configuration, is of a model in a folder."""
        stored = (version.model_data_url for version in self.versions)
        return any(folder in url.split("/") for url in (*stored, *self.deployed))

    def _of(self, run: str) -> Iterator[ModelVersion]:
        for version in self.versions:
            if run == version.run_id or run in version.model_data_url.split("/"):
                yield version


def ask_registries(config: Config, storage: Storage) -> Registered:
    """Ask the registry in the workspace, and the one that the configuration names."""
    settings = config.registry.model_copy(update={"uri": ""})
    try:
        # Whatever registry the commands use now, the workspace may have versions of earlier ones.
        embedded = open_registry(settings, storage.scratch / REGISTRY)
        versions = _all_versions(embedded)
        if config.registry.uri:
            versions += _all_versions(registry_of(config, storage))
        return Registered(
            versions=tuple(versions),
            deployed=tuple(_deployed(storage.local(DEPLOYMENT_CONFIGS))),
            registries=frozenset({"", config.recorded()["registry"]["uri"]}),
            unregistered=(
                tuple(embedded.unregistered()) if isinstance(embedded, MlflowRegistry) else ()
            ),
        )
    except (DependencyError, InputError, WorkspaceError) as error:
        return Registered(unknown=error.headline)


def _all_versions(registry: Registry) -> list[ModelVersion]:
    if isinstance(registry, MlflowRegistry):
        return registry.versions_of_all_groups()
    return registry.versions()


def _deployed(folder: Path) -> Iterator[str]:
    """Yield where the models are that deployment configurations name."""
    for path in sorted([*folder.glob(f"{PREFIX}*.json"), *folder.glob(LATEST)]):
        try:
            document: Any = json.loads(path.read_bytes())
            yield str(document["model_info"]["model_data_url"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{str(path)!r} cannot be read: {type(error).__name__}: {error}.",
                "Export the champion again: basketwise export",
            ) from error

"""Loading the model of a registered version."""

from __future__ import annotations

from pathlib import Path

from basketwise.config import Config
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.registry.approval import finish_export
from basketwise.registry.opening import existing_registry
from basketwise.registry.protocol import CHAMPION, find_version
from basketwise.registry.usable import open_version
from basketwise.storage.protocol import Storage


def open_model(config: Config, storage: Storage, model: str) -> Model:
    """Open a version of the workspace's registry, ``champion``, or the archive at a path.

    Raises
    ------
    InputError
        If there is no such model.
    """
    if model != CHAMPION and not model.isdigit():
        return load_model_archive(Path(model).expanduser())
    return load_version(config, storage, model)


def load_version(config: Config, storage: Storage, version: str) -> Model:
    """Fetch a version, by its number or as ``champion``, from the workspace's registry and open it.

    Raises
    ------
    InputError
        If there is no such version, none is approved, or the version cannot be opened.
    ArchiveError
        If its archive is missing or was changed.
    """
    registry = existing_registry(config, storage)
    finish_export(registry, storage, config.deployment)
    number = find_version(registry, version).version
    return open_version(registry, number, storage.scratch)

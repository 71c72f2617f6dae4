"""Loading the model of a registered version."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from basketwise.config import Config
from basketwise.model import Model, load_model_archive
from basketwise.registry.opening import existing_registry
from basketwise.registry.protocol import find_version
from basketwise.storage.protocol import Storage


def load_version(config: Config, storage: Storage, version: str) -> Model:
    """Fetch a version, by its number or as ``champion``, from the workspace's registry and open it.

    Raises
    ------
    InputError
        If there is no such version, or none is approved.
    """
    registry = existing_registry(config, storage)
    number = find_version(registry, version).version
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        return load_model_archive(registry.fetch(number, Path(scratch)))

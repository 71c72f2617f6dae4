"""Loading the model of a registered version."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.model import Model, load_model_archive
from basketwise.registry.opening import existing_registry
from basketwise.storage.protocol import Storage

CHAMPION = "champion"


def load_version(config: Config, storage: Storage, version: str) -> Model:
    """Fetch a version, by its number or as ``champion``, from the workspace's registry and open it.

    Raises
    ------
    InputError
        If there is no such version, or none is approved.
    """
    registry = existing_registry(config, storage)
    chosen = registry.champion() if version == CHAMPION else registry.get(version)
    if chosen is None:
        raise InputError(
            "There is no champion: no version is approved.",
            "Approve one with 'basketwise models approve VERSION', or name a version.",
        )
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        return load_model_archive(registry.fetch(chosen.version, Path(scratch)))

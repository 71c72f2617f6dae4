"""Loading the model of a registered version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from basketwise.config import Config
from basketwise.features.history_file import read_history
from basketwise.files import HISTORY_FILE
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.registry.approval import finish_export
from basketwise.registry.opening import existing_registry
from basketwise.registry.protocol import CHAMPION, find_version
from basketwise.registry.usable import open_version
from basketwise.storage.protocol import Storage


def open_model(config: Config, storage: Storage, model: str, history: Path | None = None) -> Model:
    """Open a version of the workspace's registry, ``champion``, or the archive at a path.

    ``history`` is a file with the customers' history, for a model that needs it; None: that of the
    model's run, if it is there.

    Raises
    ------
    InputError
        If there is no such model, or the history cannot be used.
    """
    if model != CHAMPION and not model.isdigit():
        return open_archive(Path(model).expanduser(), history)
    return load_version(config, storage, model, history)


def open_archive(path: Path, history: Path | None = None, *, late: bool = False) -> Model:
    """Open a ``model.tar.gz``, or a folder of its files, as :func:`open_model` does.

    ``late`` as for :func:`basketwise.model.archive.load_model_archive`.
    """
    beside = (path if path.is_dir() else path.parent) / HISTORY_FILE
    return with_history(load_model_archive(path, late=late), history, beside)


def load_version(
    config: Config, storage: Storage, version: str, history: Path | None = None
) -> Model:
    """Fetch a version, by its number or as ``champion``, from the workspace's registry and open it.

    ``history`` as for :func:`open_model`.

    Raises
    ------
    InputError
        If there is no such version, none is approved, or the version or the history cannot be
        opened.
    ArchiveError
        If its archive is missing or was changed.
    """
    registry = existing_registry(config, storage)
    finish_export(registry, storage, config.deployment)
    chosen = find_version(registry, version)
    model = open_version(registry, chosen.version, storage.scratch)
    if not model.needs_history:
        return model
    of_run = storage.local(f"artifacts/{chosen.run_id}/{HISTORY_FILE}")
    return with_history(model, history, of_run)


def with_history(model: Model, given: Path | None, usual: Path) -> Model:
    """Give a model its history, if it needs one: the given file, or the usual if it exists."""
    if not model.needs_history or (given is None and not usual.is_file()):
        return model
    return replace(model, history=read_history(given or usual))

"""The model that is served: what it is, and the one reference to it that can be swapped."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from basketwise.artifact.archive import read_document, read_json
from basketwise.artifact.documents import parse_json, read_bounded
from basketwise.config import Config
from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.files import EVALUATION_RESULTS, HISTORY_FILE, MANIFEST, MODEL_METADATA
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.registry.deployment import LATEST
from basketwise.registry.opening import existing_registry
from basketwise.registry.protocol import (
    CHAMPION,
    ApprovalState,
    ModelVersion,
    Registry,
    find_version,
)
from basketwise.registry.usable import UNUSABLE, ways_out
from basketwise.scratch import scratch
from basketwise.serving.versions import open_archive, with_history
from basketwise.storage.protocol import Storage


@dataclass(frozen=True)
class Served:
    """A model that is ready to answer, and where it is from; never changed.

    Attributes
    ----------
    model
        The model, opened and tried.
    version
        Its number in the registry; None for an archive by its path that no configuration names.
    sha256
        Digest of its archive; None for a folder of an archive's files.
    status
        Its state in the registry, or when it was exported; None where there is no version.
    documents
        What its archive says of it, by file name: ``manifest.json``, ``model_metadata.json``,
        ``evaluation_results.json``; each {} where it is absent.
    loaded_at
        When it was opened (UTC).
    """

    model: Model
    version: str | None = None
    sha256: str | None = None
    status: str | None = None
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    loaded_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def identity(self) -> dict[str, str | None]:
        """Version and digest, as every answer has them."""
        return {"version": self.version, "sha256": self.sha256}

    @property
    def name(self) -> str:
        """What people call it."""
        digest = f"sha256 {self.sha256[:12]}" if self.sha256 else "a model's folder"
        return f"version {self.version} ({digest})" if self.version else digest


class Current:
    """The model that is served now; None until there is one.

    A request takes it once, with :meth:`get`, and keeps it to its end; so a swap loses none.
    """

    def __init__(self, served: Served | None = None) -> None:
        self._served = served
        self._lock = Lock()
        self.swaps = 0
        self.refused = 0

    def get(self) -> Served | None:
        """Return what is served now."""
        return self._served

    def swap(self, served: Served | None) -> Served | None:
        """Serve another model from now on; return the one before."""
        with self._lock:
            before, self._served = self._served, served
            self.swaps += 1
        return before


def open_served(
    config: Config,
    storage: Storage,
    model: str,
    history: Path | None = None,
    *,
    allow_unapproved: bool = False,
) -> Served:
    """Open what is to be served: ``champion``, a version of the registry, or a path.

    Parameters
    ----------
    config, storage
        Of the workspace.
    model : str
        ``champion``, a version's number, or the path of a ``model.tar.gz`` or of its folder.
    history : Path, optional
        As for :func:`basketwise.serving.versions.open_model`.
    allow_unapproved : bool
        Serve a version whatever its state is. A path is the caller's own choice.

    Raises
    ------
    InputError
        If there is no such model, it is not approved, or it cannot be opened.
    ArchiveError
        If its archive is missing or was changed.
    """
    if model != CHAMPION and not model.isdigit():
        return open_path(Path(model).expanduser(), history)
    registry = existing_registry(config, storage)
    version = find_version(registry, model)
    return open_registered(registry, version, storage, history, allow_unapproved=allow_unapproved)


def open_path(path: Path, history: Path | None = None) -> Served:
    """Open a ``model.tar.gz``, or a folder of its files.

    Version and state are those of the deployment configuration beside an archive, as in an image,
    if it names the archive's digest.
    """
    # Its second model is opened when a basket asks for it, which few do.
    model = open_archive(path, history, late=True)
    digest = sha256(path) if path.is_file() else None
    version, status = _exported(path.parent, digest)
    return Served(model, version, digest, status, _documents(path))


def _exported(folder: Path, digest: str | None) -> tuple[str | None, str | None]:
    """Return version and state of the exported archive with a digest; None if it is another."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        document = parse_json(read_bounded(folder / LATEST))
        about = document["model_info"]
        if about["model_sha256"] == digest:
            return str(document["metadata"]["model_version"]), str(about["approval_status"])
    return None, None


def open_registered(
    registry: Registry,
    version: ModelVersion,
    storage: Storage,
    history: Path | None = None,
    *,
    allow_unapproved: bool = False,
) -> Served:
    """Fetch, verify and open one version of a registry; as :func:`open_served`."""
    if version.state is not ApprovalState.APPROVED and not allow_unapproved:
        raise InputError(
            f"Version {version.version} is {version.state}, and only an approved one is served.",
            f"Approve it with 'basketwise models approve {version.version}', or add "
            "--allow-unapproved.",
        )
    try:
        with scratch(storage.scratch) as folder:
            archive = registry.fetch(version.version, folder)
            model, documents = load_model_archive(archive, late=True), _documents(archive)
    except UNUSABLE as error:
        headline = f"Version {version.version} cannot be used: {error.headline}"
        raise type(error)(headline, "\n".join(ways_out(registry, version))) from error
    if model.needs_history:
        of_run = storage.local(f"artifacts/{version.run_id}/{HISTORY_FILE}")
        model = with_history(model, history, of_run)
    return Served(model, version.version, version.sha256, str(version.state), documents)


def _documents(path: Path) -> dict[str, Mapping[str, Any]]:
    """Read what a model says of itself; a model can be served without."""
    documents: dict[str, Mapping[str, Any]] = {}
    for name in (MANIFEST, MODEL_METADATA, EVALUATION_RESULTS):
        documents[name] = {}
        with suppress(InputError):
            documents[name] = read_document(path / name) if path.is_dir() else read_json(path, name)
    return documents

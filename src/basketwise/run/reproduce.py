"""A run made again from its manifest, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from basketwise.artifact.archive import read_document, read_json
from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.etl.raw.table_name import table_name
from basketwise.files import ARCHIVE, MANIFEST, METRICS_FILE
from basketwise.run.context import Context
from basketwise.run.etl import etl
from basketwise.run.evaluation import evaluate
from basketwise.run.training import train
from basketwise.run.workspace import REPRODUCTION, Workspace
from basketwise.settings import flatten
from basketwise.storage.local import LocalStorage
from basketwise.tables import is_frame_source

ORIGINS = ("data_hash", "code_version", "code_hash", "git_commit", "versions", "host")
"""What a result depends on, apart from config and seed, which come from the manifest."""


@dataclass(frozen=True)
class Difference:
    """One thing that was compared; null where one of the two does not have it."""

    name: str
    before: Any
    now: Any

    @property
    def same(self) -> bool:
        """Whether both are equal."""
        return bool(self.before == self.now)


@dataclass(frozen=True)
class Reproduction:
    """What came of making a run again."""

    run_id: str
    origins: list[Difference]
    """Data, code, libraries, machine: then and now."""
    outputs: list[Difference]
    """sha256 of each output: then and now."""
    metrics: list[Difference]
    """Single scores that differ."""

    @property
    def same(self) -> bool:
        """Whether every output is byte-identical."""
        return bool(self.outputs) and all(output.same for output in self.outputs)


def reproduce(run_id: str, folder: Path, data: str | None, context: Context) -> Reproduction:
    """Run every stage again, as a run's manifest says, and compare.

    Parameters
    ----------
    run_id : str
        The run.
    folder : Path
        Its artifacts.
    data : str or None
        Where the raw files are now; None: as it was typed then, which may be relative to the
        working directory. Of a run on a catalogue's table, its name; None: the table, at the
        snapshot that was read, if it has any.
    context : Context
        Workspace, platform and progress; the configuration is the manifest's. The run is made in
        a folder of its own, which is removed afterwards.

    Raises
    ------
    InputError
        If the run has no manifest, or none that this version understands; if its lines were a
        frame in memory, or a table that has other lines now.
    """
    manifest = read_manifest(folder)
    metadata = read_json(folder / ARCHIVE, METADATA_FILE)
    source = data or _source(run_id, manifest, metadata)
    config = _config(manifest, run_id)
    storage = context.workspace.storage
    with (
        storage.exclusive(),
        TemporaryDirectory(prefix=REPRODUCTION, dir=storage.scratch) as scratch,
    ):
        again = replace(context, workspace=Workspace(LocalStorage(Path(scratch))), config=config)
        if table_name(manifest.get("data") or "") and table_name(source):
            _require_same_lines(run_id, source, metadata, again)
        made, metrics, files = _run(source, again)
    raw = _files(metadata)
    inputs = _compare({"raw": raw}, {"raw": files})
    scores = _compare(_metrics(folder), metrics)
    return Reproduction(
        run_id,
        [
            *_compare({n: manifest.get(n) for n in ORIGINS}, {n: made.get(n) for n in ORIGINS}),
            *(file for file in inputs if not file.same),
        ],
        _compare(manifest.get("outputs", {}), made["outputs"]),
        [score for score in scores if not score.same],
    )


def _source(run_id: str, manifest: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """Return where a run's lines were; of a table, with the snapshot that was read."""
    source = manifest.get("data") or ""
    if not source:
        raise InputError(
            f"The manifest of {run_id} does not say where the raw files were.", "Give --data PATH."
        )
    if is_frame_source(source):
        raise InputError(
            f"{run_id} was trained on {source}, which cannot be read again.",
            "Write the same lines to files or to a table, and name these with --data.",
        )
    if table := table_name(source):
        snapshots = {file["name"]: file.get("snapshot") for file in metadata.get("files", [])}
        return str(replace(table, snapshot=snapshots.get(table.name)))
    return str(source)


def _require_same_lines(
    run_id: str, source: str, metadata: Mapping[str, Any], context: Context
) -> None:
    """Refuse a table that has other lines than the one that a run read."""
    before = {str(file["sha256"]) for file in metadata.get("files", [])}
    now = context.platform.inputs(source, context.config)
    if before.isdisjoint(now.values()):
        raise InputError(
            f"{source} has other lines than those that {run_id} was trained on.",
            "Restore them, or name a table or a snapshot that has them with --data.",
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run: beside its archive, or inside it."""
    path = folder / MANIFEST
    if path.is_file():
        return read_document(path)
    if not (folder / ARCHIVE).is_file():
        raise InputError(
            f"The run {folder.name} has not been evaluated: it has no manifest.",
            "Run 'basketwise evaluate' first.",
        )
    return read_json(folder / ARCHIVE, MANIFEST)


def _config(manifest: Mapping[str, Any], run_id: str) -> Config:
    try:
        return Config.model_validate(manifest["config"])
    except (KeyError, ValidationError) as error:
        raise InputError(
            f"The settings in the manifest of {run_id} are not valid in this version.",
            f"It was made by Basketwise {manifest.get('code_version', 'unknown')}; use that one.",
        ) from error


def _run(source: str, context: Context) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    with context.workspace.staged() as staging:
        run_id = context.new_run()
        data = etl(source, staging, context)
        trained = train(data, staging, run_id, context)
        evaluated = evaluate(data, trained, staging, run_id, None, context)
        files = _files(data.metadata.model_dump())
        return read_manifest(evaluated.folder), _metrics(evaluated.folder), files


def _files(metadata: Mapping[str, Any]) -> dict[str, str]:
    records = [*metadata.get("files", []), *filter(None, [metadata.get("product_file")])]
    return {str(record["name"]): str(record["sha256"]) for record in records}


def _metrics(folder: Path) -> dict[str, Any]:
    path = folder / METRICS_FILE
    return read_document(path) if path.is_file() else {}


def _compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Compare leaf by leaf; a leaf is anything but a table."""
    then, made = flatten(before), flatten(now)
    names = [*then, *(name for name in made if name not in then)]
    return [Difference(name, then.get(name), made.get(name)) for name in names]

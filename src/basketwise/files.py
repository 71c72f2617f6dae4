"""The names of the files of a run and of its archive; files that are written whole or not at all.

Of silver and gold each stage names its own files: :mod:`basketwise.etl.silver.stage`,
:mod:`basketwise.etl.gold.tables`.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from basketwise.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

    D = TypeVar("D", bound=BaseModel)

T = TypeVar("T")

DEFAULT_WORKSPACE = "basketwise-workspace"
"""The workspace that is used where none is named."""

DEPLOYMENT_CONFIGS = "deployment-configs"
"""Contains the deployment configurations of exported versions."""

WORKSPACE_FOLDERS = ("silver", "gold", "artifacts", "registry", DEPLOYMENT_CONFIGS, "checkpoints")
"""A workspace has one of them at least."""

ARCHIVE = "model.tar.gz"
"""What is registered and shipped."""
MANIFEST = "manifest.json"
CODE = "code"
"""The only folder in an archive: code that AWS's image needs to serve the model."""

MODEL = "model.skops"
JOBLIB = "model.joblib"
"""The model for other tools; Basketwise never loads it."""
NOVELTY = "novelty.skops"
"""The model for baskets with new products; most archives have none."""
CALIBRATION_FILE = "calibration.json"
RECORD_FILE = "training.json"
OOF_FILE = "oof_predictions.parquet"
TEST_PREDICTIONS_FILE = "test_predictions.parquet"
GOLD_READ = "gold.json"
"""Of a job: the sha256 of each gold file that the training read."""
JOB_FILE = "job.json"
"""Names the job that trained elsewhere; absent where this process did."""

HISTORY_FILE = "customer_history.parquet"
"""The customers of a model that needs their history; personal data, so no part of the archive."""

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
METRICS_FILE = "metrics.json"
EVALUATION_RESULTS = "evaluation_results.json"
MODEL_METADATA = "model_metadata.json"
RESULTS = "results.json"
COMPARISON = "model_comparison.png"
RELIABILITY = "reliability.png"

DRAFT = ".tmp"
"""End of the name of a file that is not finished."""


REMOVED = ".basketwise-removed-"
"""What the name of a folder begins with that is being deleted."""

PAUSES = (0.02, 0.1, 0.5)
"""Seconds before each new attempt where a handle is stale."""

UNSYNCED = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK}
"""What file systems answer that cannot be asked to write now."""


def again_if_stale(action: Callable[[], T]) -> T:
    """Return what ``action`` returns; a few attempts are made where a file handle is stale.

    On NFS one is, once another machine has replaced the file or the server was restarted; the next
    attempt looks the name up anew.
    """
    for pause in PAUSES:
        try:
            return action()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
        time.sleep(pause)
    return action()


def read_document(kind: type[D], path: Path, command: str) -> D:
    """Read a JSON document that a stage wrote.

    Raises
    ------
    InputError
        If it was damaged since, with the command that writes it again.
    """
    from pydantic import ValidationError

    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = "".join(f"{part}: " for part in first["loc"])
        raise InputError(
            f"{str(path)!r} cannot be read: {key}{first['msg']}.",
            f"It was damaged, or is of another version; run '{command}' to write it again.",
        ) from error


def write_whole(path: Path, *parts: bytes) -> None:
    """Write a file atomically: readers see the old or the new content, never a part.

    ``parts`` are its content, one after the other. Where it cannot be written (OSError), nothing is
    left.
    """
    again_if_stale(lambda: _write_whole(path, parts))


def _write_whole(path: Path, parts: tuple[bytes, ...]) -> None:
    draft = _draft(path)
    try:
        with draft.open("xb") as stream:
            stream.writelines(parts)
            stream.flush()
            _sync(stream.fileno())
        draft.replace(path)
    except BaseException:
        # The first error is the one to report.
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSYNCED:
            raise


def discard(folder: Path, beside: Path) -> None:
    """Remove a folder: it is out of the way at once, whatever cannot be removed now.

    NFS keeps files that a process still has open as ``.nfs…``. Such a rest is below ``beside``, a
    folder of the same file system, until :func:`finish_discards` removes it.
    """
    rest = beside / f"{REMOVED}{uuid4().hex}"
    try:
        again_if_stale(lambda: folder.rename(rest))
    except FileNotFoundError:
        return
    except OSError:
        # A folder may be a disk of its own, and a full one may have no room for another name. A
        # file system that fails says nothing about whether there is a folder.
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
    shutil.rmtree(rest, ignore_errors=True)


def finish_discards(beside: Path) -> None:
    """Remove what can be removed by now."""
    for rest in beside.glob(f"{REMOVED}*"):
        shutil.rmtree(rest, ignore_errors=True)


def _draft(path: Path) -> Path:
    return path.with_name(f".{uuid4().hex}{DRAFT}")


def move(source: Path, target: Path) -> None:
    """Move a file or a folder atomically: readers see all of ``target`` or nothing.

    A file at ``target`` is replaced; a folder must not be there. A rename fails between two file
    systems, and between two mounts of one, as a job's outputs may be. There the files are copied
    beside the target first.
    """
    try:
        again_if_stale(lambda: source.replace(target))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_and_remove(source, target)


def _copy_and_remove(source: Path, target: Path) -> None:
    draft = _draft(target)
    remove = shutil.rmtree if source.is_dir() else Path.unlink
    try:
        if source.is_dir():
            shutil.copytree(source, draft)
        else:
            shutil.copyfile(source, draft)
        draft.replace(target)
    except BaseException:
        if draft.exists():
            remove(draft)
        raise
    remove(source)

"""Where the files of a version are stored, and how they get there and back.

The embedded registry records ``mlflow-artifacts:/<run>/artifacts``, never an absolute path, and
finds the files below its own folder: so a workspace may be moved, and
``mlflow server --backend-store-uri sqlite:///registry.db --artifacts-destination artifacts`` shows
the same files. With a server everything goes through the server.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.files import ARCHIVE
from basketwise.registry.protocol import Submission

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "model"
ATTACHMENTS = "attachments"
EMBEDDED_ROOT = "mlflow-artifacts:/"
KEY_LENGTH = 250


def safe_key(name: str) -> str:
    """Return ``name`` as a key MLflow takes.

    Letters, digits and ``_ - . /`` and blanks stay, the rest becomes ``_``. A name that had to be
    changed ends with a piece of its digest, so that two names never meet in one key.

    Examples
    --------
    >>> safe_key("test_accuracy")
    'test_accuracy'
    >>> safe_key("f1@High")
    'f1_High-bbf59e36'
    """
    key = re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)
    # Dots at the start and doubled slashes are what MLflow takes for a path leading elsewhere.
    clean = key == name and os.path.normpath(key) == key and not key.startswith((".", "/"))
    if clean and len(key) <= KEY_LENGTH:
        return key
    mark = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{key.replace('/', '_').strip('. ')[: KEY_LENGTH - 9]}-{mark}"


def store(client: MlflowClient, root: Path | None, run_id: str, submission: Submission) -> None:
    """Store the model and the attachments with an MLflow run; without a ``root``, on the server."""
    from basketwise.registry.mlflow.pyfunc import write_model

    with tempfile.TemporaryDirectory(prefix="basketwise-") as scratch:
        artifacts = Path(scratch) if root is None else root / run_id / "artifacts"
        write_model(artifacts / MODEL, submission.model_archive)
        (artifacts / ATTACHMENTS).mkdir()
        for path in submission.attachments:
            shutil.copy2(path, artifacts / ATTACHMENTS / path.name)
        if root is None:
            client.log_artifacts(run_id, scratch)


def location(root: Path | None, run_id: str, source: str) -> str:
    """Return where the archive of a version is: a local path, or what the server calls it."""
    if root is None or not run_id or not source.startswith(EMBEDDED_ROOT):
        return f"{source.removesuffix(f'/{ARCHIVE}')}/{ARCHIVE}"
    return str(root / run_id / "artifacts" / _archive(source))


def download(client: MlflowClient, run_id: str, source: str, folder: Path) -> Path:
    """Download a run's archive from a server into ``folder``, unchecked; return its path there."""
    return Path(client.download_artifacts(run_id, _archive(source), str(folder)))


def copy(root: Path, run_id: str, source: str, folder: Path) -> Path:
    """Copy a run's archive from the embedded registry into ``folder``; return its path there."""
    archive = root / run_id / "artifacts" / _archive(source)
    return Path(shutil.copy2(archive, folder / ARCHIVE))


def _archive(source: str) -> str:
    """Return the archive's path among a run's files.

    The versions of Basketwise 0.1 are no MLflow models: their source is the archive itself.
    """
    return ARCHIVE if source.endswith(f"/{ARCHIVE}") else f"{MODEL}/{ARCHIVE}"

"""Where the files of a version are stored, and how they get there and back.

The model is stored as MLflow's logged model, what belongs to it as artifacts of its run. The
embedded registry records ``mlflow-artifacts:/…``, never an absolute path, and finds the files below
its own folder: so a workspace may be moved, and
``mlflow server --backend-store-uri sqlite:///registry.db --artifacts-destination artifacts`` shows
the same files. With a server everything goes through the server.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.files import ARCHIVE
from basketwise.registry.protocol import Submission
from basketwise.scratch import scratch

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

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


def store(
    client: MlflowClient, root: Path | None, model: LoggedModel, submission: Submission
) -> None:
    """Store a logged model's files, and the attachments with its run.

    Without a ``root``, on the server.
    """
    from basketwise.registry.mlflow.pyfunc import write_model

    run = str(model.source_run_id)
    with scratch() as drafts:
        folder, attachments = drafts / MODEL, drafts / ATTACHMENTS
        if root is not None:
            folder = _below(root, model.artifact_location)
            attachments = root / run / "artifacts" / ATTACHMENTS
        write_model(folder, submission.model_archive, model.model_id)
        attachments.mkdir(parents=True)
        for path in submission.attachments:
            shutil.copy2(path, attachments / path.name)
        if root is None:
            client.log_model_artifacts(model.model_id, str(folder))
            client.log_artifacts(run, str(attachments), ATTACHMENTS)


def discard(root: Path | None, model: LoggedModel) -> None:
    """Remove what the embedded registry has stored of a model that became no version."""
    if root is not None:
        for folder in (_below(root, model.artifact_location), root / str(model.source_run_id)):
            shutil.rmtree(folder, ignore_errors=True)


def location(root: Path | None, source: str) -> str:
    """Return where the archive of a version is: a local path, or what the server calls it.

    Of a version of Basketwise 0.1, which is no MLflow model, the source is the archive itself.
    """
    archive = f"{source.removesuffix(f'/{ARCHIVE}')}/{ARCHIVE}"
    if root is None or not source.startswith(EMBEDDED_ROOT):
        return archive
    return str(_below(root, archive))


def download(client: MlflowClient, source: str, folder: Path) -> Path:
    """Download a version's archive from a server into ``folder``; return its path there."""
    from mlflow.artifacts import download_artifacts

    archive, uri = location(None, source), client.tracking_uri
    return Path(download_artifacts(archive, dst_path=str(folder), tracking_uri=uri))


def _below(root: Path, address: str) -> Path:
    """Return where the embedded registry has the files of an address of its own."""
    return root / address.removeprefix(EMBEDDED_ROOT)

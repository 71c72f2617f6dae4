"""Where the files of a version lie, and how they get there and back.

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

from basketwise.digests import sha256
from basketwise.errors import DependencyError, InputError, WorkspaceError
from basketwise.files import ARCHIVE
from basketwise.registry.protocol import Submission

if TYPE_CHECKING:
    from mlflow import MlflowClient

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


def check_files(submission: Submission) -> None:
    """Refuse a submission whose files are missing, damaged or would overwrite each other.

    Raises
    ------
    InputError
        Naming the file.
    """
    for path in (submission.model_archive, *submission.attachments):
        if not path.is_file():
            raise InputError(
                f"{path} is not a file, so the version cannot be registered.",
                "Train again, or name the files that the training left.",
            )
    names = [path.name for path in submission.attachments]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"Two attachments are called {twice[0]!r}.", "Give every attachment its own name."
        )
    found = sha256(submission.model_archive)
    if found != submission.sha256:
        raise InputError(
            f"{submission.model_archive} has sha256 {found}, not {submission.sha256}.",
            "The archive was changed after training: train again.",
        )


def store(client: MlflowClient, root: Path | None, run_id: str, submission: Submission) -> None:
    """Keep the archive and the attachments with an MLflow run.

    Parameters
    ----------
    root : Path or None
        The artifact folder of the embedded registry; ``None`` sends the files to the server.
    """
    placed = [(path, ATTACHMENTS) for path in submission.attachments]
    # Servers keep a file under its local name; ours must be ARCHIVE whatever it is called here.
    with tempfile.TemporaryDirectory(prefix="basketwise-") as scratch:
        archive = submission.model_archive
        if root is None and archive.name != ARCHIVE:
            archive = Path(shutil.copy2(archive, Path(scratch) / ARCHIVE))
        for path, below in [*placed, (archive, "")]:
            if root is None:
                client.log_artifact(run_id, str(path), below or None)
                continue
            folder = root / run_id / "artifacts" / below
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / (path.name if below else ARCHIVE))


def location(root: Path | None, run_id: str | None, source: str) -> str:
    """Return where a version's archive lies: a local path, or what the server calls it."""
    if root is None or not run_id or not source.startswith(EMBEDDED_ROOT):
        return source
    return str(root / run_id / "artifacts" / ARCHIVE)


def bring(client: MlflowClient, root: Path | None, run_id: str, folder: Path) -> Path:
    """Copy a run's archive into ``folder``, unchecked, and return its path there."""
    if root is None:
        return Path(client.download_artifacts(run_id, ARCHIVE, str(folder)))
    return Path(shutil.copy2(root / run_id / "artifacts" / ARCHIVE, folder / ARCHIVE))


def scratch_in(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a scratch folder inside ``folder``, so that a finished file can be renamed into it.

    Raises
    ------
    WorkspaceError
        If nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder)
    except OSError as error:
        raise WorkspaceError(
            f"{folder} cannot take the model: {error.strerror or error}.",
            "Name a folder that this user may write to.",
        ) from error


def accept(brought: Path, folder: Path, *, version: str, expected: str) -> Path:
    """Move a checked archive to its place in ``folder``; a wrong one is deleted.

    Raises
    ------
    DependencyError
        If the digest is not the one the version was registered with; names both.
    """
    found = sha256(brought)
    if found != expected:
        brought.unlink()
        raise DependencyError(
            f"The archive of version {version} has sha256 {found}, but was registered with "
            f"{expected or 'none'}.",
            "It was damaged or replaced in the registry and has been deleted here. Use another "
            "version, or train and register again.",
        )
    return brought.replace(folder / ARCHIVE)

"""Checks of the files that a registry takes in and gives back, wherever it stores them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basketwise.digests import sha256
from basketwise.errors import InputError, writing
from basketwise.files import ARCHIVE
from basketwise.registry.protocol import ArchiveError, Submission
from basketwise.scratch import HIDDEN


def check_files(submission: Submission) -> None:
    """Refuse a submission whose files are missing, damaged or would overwrite each other."""
    for path in (submission.model_archive, *submission.attachments):
        if not path.is_file():
            raise InputError(
                f"{path} is not a file, so the version cannot be registered.",
                "Train again, or give files that exist.",
            )
    names = [path.name for path in submission.attachments]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise InputError(
            f"Two attachments have the name {duplicates[0]!r}.",
            "Give every attachment its own name.",
        )
    digest = sha256(submission.model_archive)
    if digest != submission.sha256:
        raise InputError(
            f"{submission.model_archive} has sha256 {digest}, not {submission.sha256}.",
            "The archive was changed after training: train again.",
        )


@contextmanager
def scratch_in(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder inside ``folder``, so that a finished file can be renamed into it.

    Raises
    ------
    WorkspaceError
        If nothing can be written there.
    """
    with writing(f"{folder} cannot be written to", "Name a folder that this user may write to."):
        folder.mkdir(parents=True, exist_ok=True)
        name = tempfile.mkdtemp(prefix=HIDDEN, dir=folder)
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


def accept(archive: Path, folder: Path, *, version: str, expected: str) -> Path:
    """Move a checked archive into ``folder``; a wrong one is deleted.

    Raises
    ------
    ArchiveError
        If the digest is not the one the version was registered with; names both.
    """
    digest = sha256(archive)
    if digest != expected:
        archive.unlink()
        raise ArchiveError(
            f"The archive of version {version} has sha256 {digest}, but was registered with "
            f"{expected or 'none'}.",
            "It was damaged or replaced in the registry. Use another version, or run again on the "
            "same data, which registers the model anew.",
        )
    return archive.replace(folder / ARCHIVE)

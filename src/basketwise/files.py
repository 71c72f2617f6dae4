"""Moving finished files and folders to where they are read."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from uuid import uuid4


def move(source: Path, target: Path) -> None:
    """Move a file or a folder; whoever reads ``target`` finds all of it or nothing.

    A rename fails between two file systems, and between two mounts of one, as a job's outputs may
    be. There the files are copied beside the target first.

    Parameters
    ----------
    source : Path
        A file or a folder; gone afterwards.
    target : Path
        Its new path. A file there is replaced; a folder must not be there.
    """
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_and_remove(source, target)


def _copy_and_remove(source: Path, target: Path) -> None:
    draft = target.with_name(f".{uuid4().hex}.tmp")
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

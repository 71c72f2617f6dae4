"""What a job has left, checked against its record before anybody relies on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from basketwise.artifact.archive import extract
from basketwise.digests import content
from basketwise.errors import DependencyError, InputError
from basketwise.files import ARCHIVE, GOLD_READ
from basketwise.run.record import Stage, read_step

SHA256 = 64


class SpoiltError(Exception):
    """What is there is not what the job left, or was made of something else."""


def take_stage(stage: Stage, left: Path, folder: Path, inputs: Mapping[str, str]) -> None:
    """Copy a stage's outputs from where the job left them, with its record, to a folder.

    Files that were there before the job are not in its record. ``inputs`` is what the job had to
    read, by name; what is no sha256 is not compared. Raises SpoiltError if there is no record, a
    file differs from it, or other inputs were read.
    """
    step = read_step(stage, left)
    if step is None:
        raise SpoiltError(f"{stage} has no record")
    expected = {digest for digest in inputs.values() if len(digest) == SHA256}
    if not expected <= set(step.inputs.values()):
        raise SpoiltError(f"{stage} was made from other files")
    present = content(left)
    for name, digest in step.outputs.items():
        if present.get(name) != digest:
            raise SpoiltError(f"{stage}/{name} is not what the job left")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(left / name, target)


def take_training(left: Path, folder: Path, gold: Mapping[str, str]) -> None:
    """Unpack the ``model.tar.gz`` that a training job has left into an empty folder.

    ``gold`` is the sha256 of each gold file that it had to read, by name. Raises SpoiltError if
    there is no archive, it cannot be used, or was trained on other gold files.
    """
    if not (left / ARCHIVE).is_file():
        raise SpoiltError(f"there is no {ARCHIVE}")
    try:
        extract(left / ARCHIVE, folder, dotted=True)
        read = json.loads((folder / GOLD_READ).read_bytes())
    except InputError as error:
        raise SpoiltError(error.headline) from error
    except (OSError, ValueError) as error:
        raise SpoiltError(f"{GOLD_READ} cannot be read") from error
    if not isinstance(read, dict) or any(gold.get(name) != sha for name, sha in read.items()):
        raise SpoiltError("it was trained on other gold files")


def spoilt(uri: str, error: SpoiltError) -> DependencyError:
    """Return the error for outputs that cannot be used, although they were just made."""
    return DependencyError(
        f"What a job has just left at {uri} cannot be used: {error}.",
        "Somebody else writes there: find out who, then start this command again.",
    )

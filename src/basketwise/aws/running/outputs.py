"""What a job has left, checked against what it says of it before anybody relies on it."""

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
    """Copy a stage's outputs; files that were there before the job are not in its record.

    Parameters
    ----------
    stage
        ``silver`` or ``gold``.
    left : Path
        Where the job has left them, with its record.
    folder : Path
        Where to.
    inputs : mapping
        What the job had to read, by name; what is no sha256 is not compared. Empty: not compared.

    Raises
    ------
    SpoiltError
        If there is no record, a file differs from it, or other inputs were read.
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
    """Unpack what a training job has left.

    Parameters
    ----------
    left : Path
        Holds the ``model.tar.gz`` that SageMaker packed.
    folder : Path
        Where to, empty.
    gold : mapping
        sha256 of each gold file that it had to read, by name.

    Raises
    ------
    SpoiltError
        If there is no archive, it cannot be used, or was trained on other gold files.
    """
    if not (left / ARCHIVE).is_file():
        raise SpoiltError(f"there is no {ARCHIVE}")
    try:
        extract(left / ARCHIVE, folder, dotted=True)
        said = json.loads((folder / GOLD_READ).read_bytes())
    except InputError as error:
        raise SpoiltError(error.headline) from error
    except (OSError, ValueError) as error:
        raise SpoiltError(f"{GOLD_READ} cannot be read") from error
    if not isinstance(said, dict) or any(gold.get(name) != sha for name, sha in said.items()):
        raise SpoiltError("it was trained on other gold files")


def spoilt(place: str, error: SpoiltError) -> DependencyError:
    """Return the error for outputs that cannot be used, although they were just made."""
    return DependencyError(
        f"What a job has just left at {place} cannot be used: {error}.",
        "Somebody else writes there: find out who, then start this command again.",
    )

"""Outputs of jobs, checked against their records before they are used."""

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


class InvalidOutputError(Exception):
    """Outputs are missing, were changed, or were made from other inputs."""


def copy_stage(stage: Stage, source: Path, folder: Path, inputs: Mapping[str, str]) -> None:
    """Copy a stage's outputs, which its record lists, to a folder.

    Older files beside them are not in the record. ``inputs`` are the digests of the job's input
    files, by name; those that are not a sha256 are not compared. Raises InvalidOutputError if
    there is no record, a file differs from it, or other inputs were read.
    """
    step = read_step(stage, source)
    if step is None:
        raise InvalidOutputError(f"{stage} has no record")
    expected = {digest for digest in inputs.values() if len(digest) == SHA256}
    if not expected <= set(step.inputs.values()):
        raise InvalidOutputError(f"{stage} was made from other files")
    present = content(source)
    for name, digest in step.outputs.items():
        if present.get(name) != digest:
            raise InvalidOutputError(f"{stage}/{name} was changed after the job")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)


def extract_training(source: Path, folder: Path, gold: Mapping[str, str]) -> None:
    """Extract the ``model.tar.gz`` of a training job into an empty folder.

    ``gold`` contains the sha256 of each gold file, by name. Raises InvalidOutputError if there is
    no archive, it cannot be used, or the model was trained on other gold files.
    """
    if not (source / ARCHIVE).is_file():
        raise InvalidOutputError(f"there is no {ARCHIVE}")
    try:
        extract(source / ARCHIVE, folder, dotted=True)
        read = json.loads((folder / GOLD_READ).read_bytes())
    except InputError as error:
        raise InvalidOutputError(error.headline) from error
    except (OSError, ValueError) as error:
        raise InvalidOutputError(f"{GOLD_READ} cannot be read") from error
    if not isinstance(read, dict) or any(gold.get(name) != sha for name, sha in read.items()):
        raise InvalidOutputError("it was trained on other gold files")


def invalid_output(uri: str, error: InvalidOutputError) -> DependencyError:
    """Return the error for outputs that cannot be used, although the job has just ended."""
    return DependencyError(
        f"The output that a job has just written to {uri} cannot be used: {error}.",
        "Another process writes there: find out which, then run this command again.",
    )

"""Outputs of jobs, checked against their records before they are used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from basketwise.artifact.archive import extract
from basketwise.aws.running.jobs import JobState
from basketwise.aws.s3 import Bucket, S3Object
from basketwise.aws.storage.known import SHA256, remember, remembered
from basketwise.digests import content
from basketwise.errors import DependencyError, InputError
from basketwise.files import ARCHIVE, GOLD_READ
from basketwise.run.record import Stage, Step, file_name, read_step
from basketwise.storage.protocol import Storage


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
    _require_inputs(step, inputs)
    present = content(source)
    for name, digest in step.outputs.items():
        if present.get(name) != digest:
            raise InvalidOutputError(f"{stage}/{name} was changed after the job")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)


def take_record(
    stage: Stage,
    state: JobState,
    storage: Storage,
    bucket: Bucket,
    folder: Path,
    inputs: Mapping[str, str],
) -> None:
    """Copy the record of a stage that a job has left in the workspace, not the files it lists.

    Those are held against the record without being downloaded, where that can be: what was written
    while the job ran is taken for what its record says. Whoever reads a file later checks its
    sha256. ``storage`` and ``bucket`` are the workspace; for ``inputs`` and errors see
    :func:`copy_stage`.
    """
    record = file_name(stage)
    if storage.exists(f"{stage}/{record}"):
        (folder / record).write_bytes(storage.read(f"{stage}/{record}"))
    step = read_step(stage, folder)
    if step is None:
        raise InvalidOutputError(f"{stage} has no record")
    _require_inputs(step, inputs)
    listed = bucket.below(stage)
    known = remembered(bucket, listed)
    present = {
        name: known.get(key, digest)
        for name, digest in step.outputs.items()
        for key in [f"{stage}/{name}"]
        if key in known or (key in listed and _is_of(state, listed[key]))
    }
    remember(bucket, ((listed[f"{stage}/{name}"], digest) for name, digest in present.items()))
    if step.outputs.keys() - present.keys():
        # Written by others than the job, and perhaps with the same bytes.
        present = storage.digests(stage)
    for name, digest in step.outputs.items():
        if present.get(name) != digest:
            raise InvalidOutputError(f"{stage}/{name} was changed after the job")


def _is_of(state: JobState, listed: S3Object) -> bool:
    """Whether an object was written while a job ran; S3 tells whole seconds."""
    if listed.modified is None or not (state.began and state.ended):
        return False
    began = datetime.fromisoformat(state.began).replace(microsecond=0)
    return began <= listed.modified <= datetime.fromisoformat(state.ended)


def _require_inputs(step: Step, inputs: Mapping[str, str]) -> None:
    expected = {digest for digest in inputs.values() if len(digest) == SHA256}
    if not expected <= set(step.inputs.values()):
        raise InvalidOutputError(f"{step.stage} was made from other files")


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

"""The training."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from basketwise.errors import InputError
from basketwise.etl.metadata import Metadata
from basketwise.etl.tables import METADATA_FILE
from basketwise.platforms.protocol import TrainingJob
from basketwise.report.numbers import shown
from basketwise.run.context import Context
from basketwise.run.etl import Data
from basketwise.run.outcome import FORCED, Outcome, tell
from basketwise.run.record import (
    Step,
    differences,
    file_name,
    found,
    intact,
    planned,
    recorded,
    seal,
    why_again,
)
from basketwise.run.workspace import ARTIFACTS, Staging
from basketwise.training.record import TrainingRecord, read_record


@dataclass(frozen=True)
class Trained:
    """A training: where it lies, what it found."""

    folder: Path
    record: TrainingRecord
    outcome: Outcome


def train(
    gold: Path, metadata: Metadata, staging: Staging, run_id: str, context: Context
) -> Trained:
    """Train into staging, or take an earlier training of the same data and settings."""
    with context.reporter.stage("training") as log:
        plan = planned("training", _training_inputs(gold, metadata), context.config)
        earlier = chain(_runs(plan, context), [staging.left / ARTIFACTS])
        folder, why = _earlier_training(plan, earlier)
        if not why and folder == staging.left / ARTIFACTS:
            # What a killed run had trained; what it found of it has not been published.
            bring(folder, staging.artifacts)
            folder = staging.artifacts
        if why or context.force:
            why = FORCED if context.force else why
            folder = staging.artifacts
            with context.workspace.checkpoints(run_id) as checkpoints:
                job = TrainingJob(gold, folder, checkpoints)
                context.platform.train(job, context.config, log.tick)
                seal(plan, folder)
        record = read_record(folder)
        best = next(c for c in record.candidates if c.model == record.winner)
        outcome = Outcome("training", why)
        tell(
            log,
            outcome,
            f"{len(record.candidates)} candidates; best cross-validated macro-F1: "
            f"{record.winner} {shown(best.cv_f1_mean or 0)}",
        )
    return Trained(folder, record, outcome)


def _runs(plan: Step, context: Context) -> Iterator[Path]:
    """Give the folders of earlier runs, newest first; of one that cannot hold only the record.

    A workspace in a bucket would otherwise have to be fetched whole.
    """
    workspace = context.workspace
    for name in reversed(workspace.runs()):
        key = f"{ARTIFACTS}/{name}"
        record = workspace.folder(f"{key}/{file_name('training')}")
        earlier = found("training", record.parent)
        holds = earlier is not None and not differences(plan, earlier)
        yield workspace.folder(key) if holds else record.parent


def _training_inputs(gold: Path, metadata: Metadata) -> dict[str, str]:
    """Return what a training reads; the metadata carries a time, so its content is named apart."""
    outputs = recorded("gold", gold).outputs
    files = {f"gold/{name}": sha for name, sha in outputs.items() if name != METADATA_FILE}
    return files | {"feature groups": " + ".join(metadata.groups)}


def bring(trained: Path, folder: Path) -> None:
    """Copy a training's own files, and its record, to an empty folder."""
    for name in [*recorded("training", trained).outputs, file_name("training")]:
        shutil.copyfile(trained / name, folder / name)


def _earlier_training(plan: Step, folders: Iterable[Path]) -> tuple[Path, str]:
    """Find a training that still holds; else say what sets the latest apart."""
    reasons = []
    for folder in folders:
        why = why_again(plan, folder)
        if not why:
            return folder, ""
        reasons.append(why)
    return Path(), reasons[0]


def present_training(folder: Path, data: Data, context: Context) -> Trained:
    """Take a run's training, to judge it by the gold files that it was trained on.

    Raises
    ------
    InputError
        If it has not finished, was touched since, or was trained on other gold files.
    """
    record = read_record(folder)
    plan = planned("training", _training_inputs(data.gold, data.metadata), context.config)
    if intact("training", folder).inputs != plan.inputs:
        raise InputError(
            f"The run {folder.name} was trained on other gold files than those in the workspace.",
            "Run 'basketwise train' on the present ones, then evaluate that run.",
        )
    return Trained(folder, record, Outcome("training", ""))

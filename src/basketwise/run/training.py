"""The training."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from basketwise.errors import InputError
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.platforms.protocol import TrainingJob
from basketwise.progress import counted
from basketwise.report.numbers import shown
from basketwise.run.cache import Cached, Outcome, Stale, look_up
from basketwise.run.context import Context
from basketwise.run.etl import Data
from basketwise.run.record import (
    Step,
    differences,
    file_name,
    planned,
    require_step,
    seal,
    step_of,
    verified_step,
)
from basketwise.run.workspace import ARTIFACTS, Staging, Workspace
from basketwise.training.record import TrainingRecord, read_record

LATEST = 100
"""Runs whose trainings may be taken again: of more, a bucket would have to be asked for each."""


@dataclass(frozen=True)
class Trained:
    """A training: its folder, and what it recorded."""

    folder: Path
    record: TrainingRecord
    outcome: Outcome


def train(data: Data, staging: Staging, run_id: str, context: Context) -> Trained:
    """Train into staging, or take an earlier training of the same data and settings."""
    with context.reporter.stage("training") as log:
        plan = planned("training", _inputs(data.gold, data.metadata), context.config)
        interrupted = staging.left / ARTIFACTS
        earlier = chain(earlier_runs(plan, context.workspace), [interrupted])
        decision = look_up(plan, earlier, force=context.force)
        folder = staging.artifacts
        if isinstance(decision, Stale):
            with context.workspace.checkpoints(run_id) as checkpoints:
                job = TrainingJob(data.gold, folder, checkpoints)
                context.platform.train(job, context.config, log.tick)
                seal(plan, folder)
        elif decision.folder == interrupted:
            # Only the training: its evaluation by the killed run has not been published.
            copy_training(interrupted, folder)
        else:
            folder = decision.folder
        record = read_record(folder)
        best = next(c for c in record.candidates if c.model == record.winner)
        outcome = Outcome("training", decision)
        log.finish(
            f"{counted(len(record.candidates), 'candidate')}; best cross-validated macro-F1: "
            f"{record.winner} {shown(best.cv_f1_mean or 0)}; {outcome}"
        )
    return Trained(folder, record, outcome)


def earlier_runs(plan: Step, workspace: Workspace) -> Iterator[Path]:
    """Yield the folder of the latest run, and those of the latest runs whose records match.

    The latest one's, if it does not match, has the record alone, which says why. A workspace in a
    bucket would otherwise have to be fetched whole.
    """
    records = {
        f"{ARTIFACTS}/{name}": f"{ARTIFACTS}/{name}/{file_name('training')}"
        for name in workspace.runs()[: -LATEST - 1 : -1]
    }
    contents = workspace.storage.read_each(records.values())
    for number, (key, record) in enumerate(records.items()):
        earlier = step_of("training", contents.get(record, b""))
        if earlier is not None and not differences(plan, earlier):
            yield workspace.folder(key)
        elif number == 0:
            yield workspace.folder(record).parent


def _inputs(gold: Path, metadata: Metadata) -> dict[str, str]:
    """Return what a training reads; the metadata carries a time, so its content is named apart."""
    outputs = require_step("gold", gold).outputs
    files = {f"gold/{name}": sha for name, sha in outputs.items() if name != METADATA_FILE}
    return files | {"feature groups": " + ".join(metadata.groups)}


def copy_training(trained: Path, folder: Path) -> None:
    """Copy a training's own files, and its record, to an empty folder."""
    for name in [*require_step("training", trained).outputs, file_name("training")]:
        shutil.copyfile(trained / name, folder / name)


def present_training(folder: Path, data: Data, context: Context) -> Trained:
    """Return a run's unchanged training, to evaluate it on the gold files it was trained on."""
    record = read_record(folder)
    plan = planned("training", _inputs(data.gold, data.metadata), context.config)
    if verified_step("training", folder).inputs != plan.inputs:
        raise InputError(
            f"The run {folder.name} was trained on other gold files than those in the workspace.",
            "Run 'basketwise train' on the current ones, then evaluate that run.",
        )
    return Trained(folder, record, Outcome("training", Cached(folder)))

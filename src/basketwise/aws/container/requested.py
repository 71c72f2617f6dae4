"""An evaluation that is told what one on a single machine knows, earlier models included."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from pydantic import ValidationError

from basketwise import clock
from basketwise.artifact.archive import extract
from basketwise.aws.requests.evaluation import (
    BROKEN_FILE,
    REQUEST_FILE,
    TRAINING,
    EvaluationRequest,
    Rival,
)
from basketwise.config import Config
from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.evaluation.champion import Earlier, NoChampion
from basketwise.files import ARCHIVE, move
from basketwise.registry.protocol import ArchiveError
from basketwise.report.types.run import StartedRun
from basketwise.run.record import Stage, planned, seal, verified_step

MAX_BYTES = 16 * 2**20
"""A larger request was not written by Basketwise."""


@dataclass(frozen=True)
class Mounts:
    """Where the job's inputs are mounted; the archives' paths are below ``root``.

    ``silver`` is None where no version has to score lines.
    """

    root: Path
    request: Path
    gold: Path
    silver: Path | None
    model: Path


def evaluate_as_requested(mounts: Mounts, output: Path) -> None:
    """Evaluate, and leave in ``output`` what an evaluation adds to a training's files.

    Raises InputError if what is mounted is not what the request names.
    """
    from basketwise.evaluation.stage import run_evaluation
    from basketwise.run.evaluation import broken

    request = _read_request(mounts.request)
    config = Config.model_validate(request.config)
    _require("gold", mounts.gold, request)
    if mounts.silver is not None:
        _require("silver", mounts.silver, request)
    # Within the output, which may be a mount of its own: the root disk of a job is small.
    with TemporaryDirectory(prefix=".scratch-", dir=output) as scratch:
        folder = Path(scratch) / "run"
        folder.mkdir()
        _take_training(mounts, request, folder)
        earlier = _scored(mounts, request, Path(scratch))
        report = run_evaluation(mounts.gold, folder, config, earlier, _started(request))
        text = json.dumps(sorted(broken(earlier)))
        (folder / BROKEN_FILE).write_text(text, encoding="utf-8")
        made = [path for path in folder.iterdir() if path.name not in request.trained]
        for path in made:
            move(path, output / path.name)
    seal(planned("evaluation", request.inputs, config), output)
    click.echo(report["verdict"]["headline"])


def _read_request(folder: Path) -> EvaluationRequest:
    path = folder / REQUEST_FILE
    try:
        with path.open("rb") as stream:
            return EvaluationRequest.model_validate_json(stream.read(MAX_BYTES))
    except (OSError, ValidationError) as error:
        raise InputError(
            f"The request {str(path)!r} cannot be read.", "Start the run again: it writes it anew."
        ) from error


def _require(stage: Stage, folder: Path, request: EvaluationRequest) -> None:
    """Hold the files of a stage against their record, and that against the request."""
    if verified_step(stage, folder).digest != request.inputs[stage]:
        raise InputError(
            f"The {stage} files are not those that the model was trained on.",
            "Another run has replaced them: start this run again.",
        )


def _take_training(mounts: Mounts, request: EvaluationRequest, folder: Path) -> None:
    """Copy the training's files to where it is evaluated, and check them."""
    for given in (mounts.request, mounts.request / TRAINING):
        for name in request.trained:
            if (given / name).is_file():
                shutil.copyfile(given / name, folder / name)
    if (mounts.model / ARCHIVE).is_file():
        extract(mounts.model / ARCHIVE, folder, dotted=True)
    for name, digest in request.trained.items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise InputError(
                f"The training's file {name} is missing, or not what the run has seen.",
                "Start the run again: it trains again if need be.",
            )


def _scored(mounts: Mounts, request: EvaluationRequest, scratch: Path) -> Earlier:
    """Score the test baskets with the versions that the request names."""
    from basketwise.serving.champion import score_earlier

    if request.champion is None or mounts.silver is None:
        return Earlier(NoChampion(), looks=request.looks)
    rivals = {rival.version: rival for rival in (request.champion, *request.better)}

    def fetch(version: str, _: Path) -> Path:
        return _archive(mounts.root, rivals[version])

    better = [rival.version for rival in request.better]
    return score_earlier(
        fetch,
        request.champion.version,
        better,
        mounts.silver,
        mounts.gold,
        scratch,
        looks=request.looks,
    )


def _archive(root: Path, rival: Rival) -> Path:
    """Return a version's archive, which is what was registered."""
    if not rival.archive:
        raise ArchiveError(rival.why)
    path = root / rival.archive
    if not path.is_file() or sha256(path) != rival.sha256:
        raise ArchiveError(f"The archive of version {rival.version} is not what was registered")
    return path


def _started(request: EvaluationRequest) -> StartedRun:
    """Return the run, whose seconds count from its start on another machine."""
    elapsed = (clock.now() - request.started_at).total_seconds()
    began = time.perf_counter() - max(elapsed, 0.0)
    return StartedRun(
        request.run_id,
        request.command,
        request.data,
        request.started_at,
        began,
        request.git_commit,
    )

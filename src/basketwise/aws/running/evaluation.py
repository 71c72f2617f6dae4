"""Where a run is evaluated, and what an evaluation as a job is given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from basketwise.aws.address import Address, is_address
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.evaluation import (
    ARCHIVES,
    BROKEN_FILE,
    REQUEST_FILE,
    RIVALS,
    TRAINING,
    EvaluationRequest,
    Rival,
)
from basketwise.aws.running.outputs import InvalidOutputError
from basketwise.aws.s3 import Bucket
from basketwise.aws.sizes import MEGABYTE, megabytes
from basketwise.aws.uploads.upload import upload
from basketwise.config import AwsConfig, Config
from basketwise.errors import DependencyError, InputError
from basketwise.files import ARCHIVE, JOB_FILE
from basketwise.platforms.protocol import EvaluationJob
from basketwise.progress import Tick
from basketwise.provenance import git_commit
from basketwise.registry.protocol import ModelVersion
from basketwise.run.record import Step, require_step
from basketwise.run.workspace import ARTIFACTS, GOLD, SILVER
from basketwise.serving.champion import TRIED

DOWNLOADED = 500 * MEGABYTE
"""With ``aws.evaluate = "auto"``, a run is evaluated on this machine if at most so many bytes have
to get there: 80 seconds at 50 Mbit/s, while a job has to start, and installs for a minute. The
evaluation itself takes half a minute and 1.4 GB then (``python -m benchmarks.evaluating``)."""


@dataclass(frozen=True)
class Needs:
    """Bytes in the bucket of what an evaluation reads: of gold, and of silver if need be."""

    gold: int
    silver: int

    def __str__(self) -> str:
        silver = f", silver {megabytes(self.silver)}" if self.silver else ""
        return f"gold {megabytes(self.gold)}{silver}"


def needs_of(job: EvaluationJob, bucket: Bucket) -> Needs:
    """Add up what the evaluation of a run reads; lines are read where versions score them."""
    silver = bucket.size(SILVER) if job.champion is not None else 0
    return Needs(bucket.size(GOLD), silver)


def is_job(config: AwsConfig, needs: Needs) -> bool:
    """Whether a run is evaluated as a job."""
    if config.evaluate == "auto":
        return needs.gold + needs.silver > DOWNLOADED
    return config.evaluate == "job"


@dataclass(frozen=True)
class Sources:
    """S3 URIs of what a job takes from the bucket itself; ``trained`` is empty if it is gone."""

    trained: str
    rivals: Mapping[str, str]


def send_request(
    job: EvaluationJob, config: Config, names: AwsNames, workspace: Bucket, tick: Tick
) -> Sources:
    """Upload what the job is told, and the archives and files that are not in the bucket."""
    step = require_step("training", job.out)
    below = f"{ARTIFACTS}/{names.evaluation_job(job.run.run_id)}/request"
    trained = _trained(job.out, names, workspace)
    own = {JOB_FILE: job.out / JOB_FILE} if (job.out / JOB_FILE).is_file() else {}
    if not trained:
        own = {f"{TRAINING}/{name}": job.out / name for name in step.outputs}
    with TemporaryDirectory() as scratch:
        rivals = list(_rivals(job, names, workspace, Path(scratch)))
        request = Path(scratch) / REQUEST_FILE
        text = _request(job, config, step, [rival for rival, _ in rivals]).model_dump_json(indent=2)
        request.write_text(text, encoding="utf-8")
        files = {REQUEST_FILE: request, **own}
        files |= {f"{ARCHIVES}/{path.name}": path for path in Path(scratch).glob("*.tar.gz")}
        upload(workspace, {f"{below}/{name}": path for name, path in files.items()}, tick)
    return Sources(trained, {rival.version: uri for rival, uri in rivals if uri})


def _request(
    job: EvaluationJob, config: Config, step: Step, rivals: list[Rival]
) -> EvaluationRequest:
    champion, better = (rivals[0], rivals[1:]) if rivals else (None, [])
    return EvaluationRequest(
        run_id=job.run.run_id,
        command=job.run.command,
        data=job.run.data,
        started_at=job.run.started_at,
        git_commit=job.run.commit or git_commit(),
        inputs=dict(job.inputs),
        trained=step.outputs,
        looks=job.looks,
        champion=champion,
        better=tuple(better),
        config=config.recorded(),
    )


def _trained(out: Path, names: AwsNames, workspace: Bucket) -> str:
    """Return where the training job left its archive; empty if it is no longer there."""
    try:
        name = json.loads((out / JOB_FILE).read_bytes())["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    key = f"{ARTIFACTS}/{name}/output/{ARCHIVE}"
    present = workspace.digest(key) is not None
    return f"{names.uri(ARTIFACTS, name, 'output')}{ARCHIVE}" if present else ""


def _rivals(
    job: EvaluationJob, names: AwsNames, workspace: Bucket, scratch: Path
) -> Iterator[tuple[Rival, str]]:
    """Yield the champion, then the others, each with where the job itself takes its archive from.

    An archive elsewhere is fetched to ``<version>.tar.gz`` in ``scratch``.
    """
    if job.champion is None or job.fetch is None:
        return
    for version in (job.champion, *job.better[:TRIED]):
        number, sha256 = version.version, version.sha256
        if _is_in_bucket(version, names, workspace):
            place = f"{Path(RIVALS).name}/{number}/{ARCHIVE}"
            yield Rival(version=number, sha256=sha256, archive=place), version.model_data_url
            continue
        folder = scratch / number
        folder.mkdir()
        try:
            archive = job.fetch(number, folder)
        except (InputError, DependencyError) as error:
            why = error.headline.replace(f"{folder}/", "")
            yield Rival(version=number, sha256=sha256, why=why), ""
            continue
        archive.rename(scratch / f"{number}.tar.gz")
        place = f"request/{ARCHIVES}/{number}.tar.gz"
        yield Rival(version=number, sha256=sha256, archive=place), ""


def _is_in_bucket(version: ModelVersion, names: AwsNames, workspace: Bucket) -> bool:
    """Whether a version's archive is in the bucket that jobs may read, and is what it was."""
    url = version.model_data_url
    if not is_address(url) or Address.parse(url).bucket != names.bucket:
        return False
    whole = Bucket(workspace.client, names.bucket)
    return bool(version.sha256) and whole.digest(Address.parse(url).key) == version.sha256


def read_broken(folder: Path) -> frozenset[str]:
    """Return which of ``champion`` and ``best`` the job could not open, and remove its note.

    Raises InvalidOutputError if there is no such note.
    """
    path = folder / BROKEN_FILE
    try:
        found = json.loads(path.read_bytes())
        path.unlink()
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidOutputError(f"{BROKEN_FILE} cannot be read") from error
    if not isinstance(found, list):
        raise InvalidOutputError(f"{BROKEN_FILE} is not a list")
    return frozenset(name for name in ("champion", "best") if name in found)

"""Stages as SageMaker jobs, which read and write the workspace's bucket themselves."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from basketwise.artifact import ARCHIVE, extract
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.processing import etl_job
from basketwise.aws.requests.training import training_job
from basketwise.aws.running.jobs import POLL_SECONDS, JobState, Kind, describe, follow, start_once
from basketwise.aws.sending.code import send_code
from basketwise.aws.sending.raw import inputs_in_bucket, send_raw
from basketwise.config import Config
from basketwise.errors import DependencyError, InputError
from basketwise.platforms.local import LocalPlatform
from basketwise.platforms.protocol import EtlJob, Tick, TrainingJob
from basketwise.steps.record import Stage, recorded
from basketwise.storage.opening import SCHEME
from basketwise.storage.protocol import Storage
from basketwise.training.record import JOB_FILE
from basketwise.workspace import ARTIFACTS, GOLD, SILVER

ATTEMPTS = 50
"""So many jobs of a run and a stage at most: each that failed or was stopped is one."""

PROGRESS = re.compile(r"(?P<what>[^0-9]+) (?P<done>[1-9][0-9]*)/(?P<total>[1-9][0-9]*)")
"""How a container tells of progress in its log, see :func:`basketwise.container.layout.teller`."""

AGAIN = frozenset({"Failed", "Stopped", "Stopping"})


@dataclass
class SageMakerPlatform:
    """Runs the jobs of one run.

    A job is known by its name, which is made of the run's: one that is there already is not started
    again but followed to its end. After a failure the next attempt gets a number.

    Attributes
    ----------
    sagemaker, logs, s3
        boto3's clients.
    names
        What everything is called; the workspace's bucket and prefix.
    storage
        The same workspace.
    run_id
        The run.
    tell
        Takes the states of the jobs and the lines of their logs.
    poll
        Seconds between two questions about a job.
    force
        Whether a job that has ended well is no reason not to run it again.
    ended
        The jobs that have ended well, in order.
    """

    sagemaker: Any
    logs: Any
    s3: Any
    names: AwsNames
    storage: Storage
    run_id: str
    tell: Callable[[str], None]
    poll: float = POLL_SECONDS
    force: bool = False
    ended: list[tuple[Kind, JobState]] = field(default_factory=list)
    current: tuple[Kind, str] | None = None
    in_place: bool = True

    def inputs(self, data: str, config: Config) -> dict[str, str]:
        """Return what names the content of each raw table, local or in the bucket."""
        if data.startswith(SCHEME):
            return inputs_in_bucket(self.s3, self.names, data)
        return LocalPlatform().inputs(data, config)

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        """Fill ``silver`` and ``gold`` of the workspace, and bring both here."""
        raw = send_raw(self.s3, self.names, job.data, tick) if job.clean else ""
        if not job.clean:
            self._settle(job.silver, SILVER)
        send_code(self.s3, self.names, tick)
        request = etl_job(self.names, config, self.run_id, raw=raw, clean=job.clean)
        self._run("Processing", request, tick)
        if job.clean:
            self._bring("silver", SILVER, job.silver)
        self._bring("gold", GOLD, job.gold)

    def train(self, job: TrainingJob, config: Config, tick: Tick) -> None:
        """Train on ``gold`` of the workspace, and bring what the job left here."""
        from basketwise.training.stage import read_metadata

        read_metadata(job.gold)
        self._settle(job.gold, GOLD)
        send_code(self.s3, self.names, tick)
        state = self._run("Training", training_job(self.names, config, self.run_id), tick)
        folder = self.storage.local(f"{ARTIFACTS}/{state.name}/output")
        if not (folder / ARCHIVE).is_file():
            raise DependencyError(
                f"The job {state.name} left no {ARCHIVE}.", "Its log says what it did."
            )
        try:
            extract(folder / ARCHIVE, job.out, dotted=True)
        except InputError as error:
            uri = self.names.uri(ARTIFACTS, state.name, "output")
            raise DependencyError(
                f"What the job left at {uri} is not used: {error.headline}",
                "Somebody has replaced it: find out who writes there, then start a new run.",
            ) from error
        (job.out / JOB_FILE).write_text(json.dumps(asdict(state), indent=2), encoding="utf-8")

    def stop(self) -> None:
        """Ask the job that is being followed to stop; none is no error."""
        from basketwise.aws.running.jobs import stop

        if self.current is not None:
            stop(self.sagemaker, *self.current)

    def _run(self, kind: Kind, request: dict[str, Any], tick: Tick) -> JobState:
        """Start a job, or find it; wait for its end."""

        def tell(line: str) -> None:
            if found := PROGRESS.fullmatch(line):
                tick(found["what"], int(found["done"]), int(found["total"]))
            else:
                self.tell(line)

        name = self._next_name(kind, request[f"{kind}JobName"])
        self.current = (kind, name)
        start_once(self.sagemaker, kind, {**request, f"{kind}JobName": name})
        state = follow(self.sagemaker, self.logs, kind, name, tell, poll=self.poll)
        self.current = None
        self.ended.append((kind, state))
        return state

    def _next_name(self, kind: Kind, name: str) -> str:
        """Name the attempt to follow: the latest, or a new one if that is of no use."""
        latest, status = "", ""
        for number in range(1, ATTEMPTS + 1):
            attempt = name if number == 1 else f"{name}-{number}"
            state = describe(self.sagemaker, kind, attempt)
            if state is None:
                useless = status in AGAIN or (self.force and status == "Completed")
                return latest if latest and not useless else attempt
            latest, status = attempt, state.status
        raise DependencyError(
            f"The run {self.run_id} has {ATTEMPTS} jobs {name}.", "Start one of another name."
        )

    def _settle(self, folder: Path, key: str) -> None:
        """Make the workspace hold the files that a job is to read."""
        if _content(folder) == _content(self.storage.local(key)):
            return
        with self._scratch() as scratch:
            copy = scratch / key
            shutil.copytree(folder, copy)
            self.storage.adopt(copy, key)

    def _bring(self, stage: Stage, key: str, folder: Path) -> None:
        """Copy what a job left; files that lay there before it are not in its record."""
        left = self.storage.local(key)
        step = recorded(stage, left)
        found = _content(left)
        for name, digest in step.outputs.items():
            if found.get(name) != digest:
                raise DependencyError(
                    f"{self.names.uri(key)}{name} is not what the job left.",
                    "Somebody writes there too; run again when nobody does.",
                )
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(left / name, target)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        place = self.storage.workplace
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".settle-", dir=place) as scratch:
            yield Path(scratch)


def _content(folder: Path) -> dict[str, str]:
    from basketwise.lineage import sha256

    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}

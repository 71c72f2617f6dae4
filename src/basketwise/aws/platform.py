"""Stages as SageMaker jobs, which read and write the workspace's bucket themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from basketwise.aws.address import is_address
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.controls import controls
from basketwise.aws.requests.entry import environment
from basketwise.aws.requests.evaluation import requested_evaluation
from basketwise.aws.requests.processing import etl_job
from basketwise.aws.requests.training import training_job
from basketwise.aws.running import jobs
from basketwise.aws.running.attempts import attempts, digest_of, select_job, with_digest
from basketwise.aws.running.evaluation import is_job, needs_of, read_broken, send_request
from basketwise.aws.running.jobs import POLL_SECONDS, JobFailedError, JobState, Kind
from basketwise.aws.running.lines import relay
from basketwise.aws.running.outputs import (
    InvalidOutputError,
    copy_stage,
    extract_training,
    invalid_output,
    take_record,
)
from basketwise.aws.s3 import Bucket
from basketwise.aws.sizes import megabytes
from basketwise.aws.uploads.code import upload_code
from basketwise.aws.uploads.raw import inputs_in_bucket, upload_raw, upload_size
from basketwise.config import Config
from basketwise.digests import content
from basketwise.errors import DependencyError
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.files import JOB_FILE
from basketwise.platforms.local import LocalPlatform
from basketwise.platforms.protocol import EtlJob, EvaluationJob, TrainingJob
from basketwise.progress import Tick
from basketwise.provenance import code_hash
from basketwise.run.record import changed_outputs, require_step
from basketwise.run.workspace import ARTIFACTS, GOLD
from basketwise.storage.protocol import Storage

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass
class SageMakerPlatform:
    """Runs the jobs of one run.

    A job that was already started for the same work is followed, not started again; see
    :mod:`basketwise.aws.running.attempts`.

    Attributes
    ----------
    storage
        The workspace of ``names``.
    report
        Called with the states of the jobs and the lines of their logs.
    poll
        Seconds between two polls of a job.
    nonce
        Makes jobs differ from all earlier ones with the same work; empty: those are reused.
    on_start
        Called with the digests of the raw files before anything is uploaded; may refuse them.
    started
        Whether the run can be resumed.
    current_job
        The job that is being followed; None once it is known to have ended.
    """

    sagemaker: SageMakerClient
    logs: CloudWatchLogsClient
    s3: S3Client
    names: AwsNames
    storage: Storage
    run_id: str
    report: Callable[[str], None]
    poll: float = POLL_SECONDS
    nonce: str = ""
    on_start: Callable[[Mapping[str, str]], None] = lambda _: None
    started: bool = False
    current_job: tuple[Kind, str] | None = None
    in_place: bool = True

    def inputs(self, data: str, config: Config) -> dict[str, str]:
        """Return the digest of each raw table, local or in the bucket."""
        if is_address(data):
            return inputs_in_bucket(self.s3, self.names, data)
        return LocalPlatform().inputs(data, config)

    def start(self, inputs: Mapping[str, str], config: Config) -> None:
        """Record the run, unless its jobs cannot take the settings."""
        LocalPlatform().start(inputs, config)
        etl_job(self.names, config, self.run_id)
        training_job(self.names, config, self.run_id)
        self.on_start(inputs)
        self.started = True

    def prepare(self) -> None:
        """Do nothing: training is a job."""

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        """Fill ``silver`` and ``gold`` of the workspace; only their records come here."""
        if job.clean:
            # Of the planned run, so that a file which has changed since is not mistaken for it.
            work = job.inputs or self.inputs(job.data, config)
            if size := upload_size(job.data):
                self.report(f"raw files: at most {megabytes(size)} are uploaded")
            raw = upload_raw(self.s3, self.names, job.data, tick)
        else:
            work, raw = self._stored("silver", job.silver), ""
        request = etl_job(self.names, config, self.run_id, raw=raw, clean=job.clean)

        def collect(state: JobState) -> None:
            storage, bucket = self.storage, self._bucket
            if job.clean:
                take_record("silver", state, storage, bucket, job.silver, work)
            take_record("gold", state, storage, bucket, job.gold, {})
            # By way of the cache, so that it is known to be what is in the bucket already.
            shutil.copyfile(storage.local(f"{GOLD}/{METADATA_FILE}"), job.gold / METADATA_FILE)

        self._run("Processing", request, config, work, tick, collect)

    def train(self, job: TrainingJob, config: Config, tick: Tick) -> None:
        """Train on ``gold`` of the workspace, and download the job's output."""
        from basketwise.etl.gold.metadata import read_metadata

        read_metadata(job.gold)
        gold = self._stored("gold", job.gold)

        def collect(state: JobState) -> None:
            shutil.rmtree(job.out)
            job.out.mkdir()
            extract_training(self._downloaded(state.name), job.out, gold)
            text = json.dumps(asdict(state), indent=2)
            (job.out / JOB_FILE).write_text(text, encoding="utf-8")

        request = training_job(self.names, config, self.run_id)
        self._run("Training", request, config, gold, tick, collect)

    def evaluate(self, job: EvaluationJob, config: Config, tick: Tick) -> frozenset[str] | None:
        """Evaluate as a job, if so much would have to be downloaded; see ``aws.evaluate``."""
        needs = needs_of(job, self._bucket)
        if not is_job(config.aws, needs):
            self.report(f"evaluation on this machine: {needs} are downloaded, unless they are here")
            return None
        self.report(f"evaluation as a job: {needs} stay in the bucket")
        sources = send_request(job, config, self.names, self._bucket, tick)
        request = requested_evaluation(
            self.names,
            config,
            self.run_id,
            trained=sources.trained,
            rivals=sources.rivals,
            silver=job.champion is not None,
        )
        output = f"{ARTIFACTS}/{self.names.evaluation_job(self.run_id)}/output"
        work = {**job.inputs, "looks": str(job.looks)}
        broken = frozenset[str]()

        def collect(_: JobState) -> None:
            nonlocal broken
            copy_stage("evaluation", self.storage.local(output), job.out, job.inputs)
            broken = read_broken(job.out)

        self._run("Processing", request, config, work, tick, collect)
        return broken

    def all_jobs(self) -> list[tuple[Kind, JobState]]:
        """Return every job of the run, whoever started it and however it ended."""
        firsts: list[tuple[Kind, str]] = [
            ("Processing", self.names.processing_job(self.run_id)),
            ("Training", self.names.training_job(self.run_id)),
            ("Processing", self.names.evaluation_job(self.run_id)),
        ]
        return [
            (kind, state)
            for kind, first in firsts
            for state in attempts(self.sagemaker, kind, first)
            if state.output_uri.startswith(self.names.uri())
        ]

    def stop(self) -> None:
        """Stop the job that is being followed, if there is one."""
        if self.current_job is not None:
            jobs.stop(self.sagemaker, *self.current_job)

    def _run(
        self,
        kind: Kind,
        request: dict[str, Any],
        config: Config,
        work: Mapping[str, str],
        tick: Tick,
        collect: Callable[[JobState], None],
    ) -> None:
        """Run a job, unless it has run already, and collect its output."""
        digest = digest_of(
            kind=kind,
            workspace=self.names.uri(),
            settings=environment(config),
            controls=controls(config.aws),
            code=code_hash(),
            nonce=self.nonce,
            work=dict(work),
        )
        request = with_digest(request, digest)
        upload_code(self.s3, self.names, config.aws, tick)
        invalid_jobs: list[str] = []
        while True:
            state, is_started = self._follow(kind, request, invalid_jobs, tick)
            try:
                collect(state)
            except InvalidOutputError as error:
                if is_started:
                    raise invalid_output(self.names.uri(), error) from error
                # The output of an earlier job was changed since: run it again.
                self.report(f"The output of {state.name} cannot be used, so it runs again: {error}")
                invalid_jobs.append(state.name)
            else:
                return

    def _follow(
        self, kind: Kind, request: dict[str, Any], invalid_jobs: list[str], tick: Tick
    ) -> tuple[JobState, bool]:
        """Start a job, unless it exists, and wait for its end; return whether it was started."""
        name = select_job(self.sagemaker, kind, request, self.names.uri(), invalid_jobs)
        self.current_job = (kind, name)
        try:
            is_started = jobs.start_once(self.sagemaker, kind, {**request, f"{kind}JobName": name})
            state = jobs.follow(
                self.sagemaker,
                self.logs,
                kind,
                name,
                relay(name, tick, self.report),
                poll=self.poll,
            )
        except JobFailedError:
            self.current_job = None
            raise
        self.current_job = None
        return state, is_started

    @property
    def _bucket(self) -> Bucket:
        return Bucket(self.s3, self.names.bucket, self.names.prefix)

    def _downloaded(self, job: str) -> Path:
        """Return a copy of a training job's output."""
        key = f"{ARTIFACTS}/{job}/output"
        size = megabytes(self._bucket.size(key))
        self.report(f"the training's output, {size}, is downloaded")
        return self.storage.local(key)

    def _stored(self, stage: Literal["silver", "gold"], folder: Path) -> dict[str, str]:
        """Return the digests of a stage's files, of which the folder has the record.

        The files are in the workspace, where a job is to read them.
        """
        step = require_step(stage, folder)
        if changed := changed_outputs(step, self.storage.digests(stage)):
            raise DependencyError(
                f"{self.names.uri(stage)} has changed since: {changed[0]}.",
                "Another process writes there. Run this command again.",
            )
        return step.outputs | content(folder)

"""``basketwise aws run``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from basketwise import clock
from basketwise.aws import clients
from basketwise.aws.cli.cost import Bill, cost_document, print_cost
from basketwise.aws.cli.session import settings
from basketwise.cli.asking import confirmed, to_stderr
from basketwise.cli.commands import program
from basketwise.cli.options import (
    FORCE_OPTION,
    NO_REGISTER_OPTION,
    Common,
    common,
    reporter,
    typed_command,
)
from basketwise.cli.output import print_json, print_next, print_summary, run_document
from basketwise.cli.run import overrides
from basketwise.errors import GATE_NOT_PASSED, BasketwiseError, DependencyError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from basketwise.aws.names import AwsNames
    from basketwise.aws.platform import SageMakerPlatform
    from basketwise.aws.running.runs import RunRecord
    from basketwise.config import Config
    from basketwise.run.workspace import Workspace


@click.command(short_help="Run all stages on SageMaker, from upload to export.")
@click.option(
    "--data",
    metavar="PATH|s3://…",
    help="Raw files; uploaded unless they are in the bucket. Required without --resume.",
)
@click.option("--name", metavar="RUN", help="Name of the run. Default: after the time.")
@click.option("--resume", is_flag=True, help="Resume the latest run, or the one of --name.")
@click.option("--split", metavar="NAME", help="time, stratified or customer.")
@click.option("--models", metavar="NAME", help="One candidate to train, instead of all.")
@click.option("--require-approval", is_flag=True, help="Exit with 1 if the gate does not approve.")
@NO_REGISTER_OPTION
@FORCE_OPTION
@common
def run(
    data: str | None,
    name: str | None,
    resume: bool,
    split: str | None,
    models: str | None,
    require_approval: bool,
    no_register: bool,
    force: bool,
    common: Common,
) -> None:
    """Run all stages on SageMaker: upload, jobs, evaluation, registry, export."""
    from basketwise.aws.uploads.raw import require_bucket
    from basketwise.run.context import Context
    from basketwise.run.pipeline import run_all
    from basketwise.run.workspace import open_workspace

    config, names = settings(common, *overrides(split, models))
    require_bucket(clients.client("s3", config.aws), names)
    workspace = open_workspace(names.uri().rstrip("/"), config.aws)
    if resume:
        if data or split or models or force:
            raise InputError(
                "A resumed run keeps its data and settings.",
                "Omit --data, --split, --models and --force, or start a new run.",
            )
        record, config = _resumed(workspace, name, config)
    else:
        record = _new(workspace, name, data, config, experiment=no_register, force=force)
    progress = reporter()
    platform = _platform(names, workspace, record, config, progress.say)
    progress.say(f"{record.run_id} in {workspace.storage.location}")
    force_stages = bool(record.nonce) and record.run_id not in workspace.runs()
    # The project's bucket need not be typed, but 'reproduce' needs it.
    command = typed_command({**common.named, "--workspace": workspace.storage.location})
    context = Context(workspace, config, platform, progress, command, force_stages)
    with _resumable(platform, workspace):
        result = run_all(
            record.path if resume else record.data,
            context,
            record.run_id,
            registering=not (no_register or record.experiment),
        )
    bill = _bill(platform, workspace)
    if common.as_json:
        print_json({**run_document(result), "aws": cost_document(bill, config)})
    else:
        print_summary(result)
        print_cost(bill, config)
        print_next(result, record.data, workspace.storage.location, common.config_path)
    if require_approval and not result.approved:
        sys.exit(GATE_NOT_PASSED)


def _bill(platform: SageMakerPlatform, workspace: Workspace) -> Bill:
    from basketwise.aws.s3 import Bucket
    from basketwise.aws.stored import stored

    names = platform.names
    return Bill(
        platform.all_jobs(),
        names.region,
        # Of a workspace in a bucket, which is what jobs have.
        getattr(workspace.storage, "downloaded", 0),
        stored(Bucket(platform.s3, names.bucket, names.prefix)),
    )


def _new(
    workspace: Workspace,
    name: str | None,
    data: str | None,
    config: Config,
    *,
    experiment: bool,
    force: bool,
) -> RunRecord:
    from basketwise.aws.running.runs import RunRecord, read, run_name, started
    from basketwise.provenance import code_hash
    from basketwise.run.workspace import time_of

    if not data:
        raise InputError("No data are given.", "Give --data PATH, or --resume for a started run.")
    # Should the clock have gone back, this run is the latest nevertheless.
    new_run = workspace.new_run(clock.now(), started(workspace.storage))
    run_id = run_name(name) if name else new_run
    earlier = read(workspace.storage, run_id)
    nonce = uuid4().hex if force else ""
    return RunRecord(
        run_id=run_id,
        data=data,
        path=data if "://" in data else str(Path(data).expanduser().absolute()),
        started_at=max(clock.now(), time_of(new_run)).isoformat(timespec="seconds"),
        code=code_hash(),
        # The same run started twice is one run.
        nonce=earlier.nonce if earlier and not force else nonce,
        experiment=experiment,
        config=config.recorded(),
    )


def _resumed(workspace: Workspace, name: str | None, config: Config) -> tuple[RunRecord, Config]:
    from basketwise.aws.running import runs

    storage = workspace.storage
    record = runs.read(storage, runs.run_name(name)) if name else runs.latest(storage)
    if record is None:
        raise InputError(
            f"There is no run {name!r} to resume." if name else "There is no run to resume.",
            "Start one: basketwise aws run --data PATH",
        )
    return record, runs.settings_of(record, config)


def _platform(
    names: AwsNames,
    workspace: Workspace,
    record: RunRecord,
    config: Config,
    report: Callable[[str], None],
) -> SageMakerPlatform:
    from basketwise.aws.platform import SageMakerPlatform
    from basketwise.aws.running.attempts import digest_of
    from basketwise.aws.running.runs import record_start

    return SageMakerPlatform(
        sagemaker=clients.client("sagemaker", config.aws),
        logs=clients.client("logs", config.aws),
        s3=clients.client("s3", config.aws),
        names=names,
        storage=workspace.storage,
        run_id=record.run_id,
        report=report,
        poll=config.aws.poll_seconds,
        nonce=record.nonce,
        on_start=lambda inputs: record_start(
            workspace.storage, record.model_copy(update={"inputs": digest_of(inputs=dict(inputs))})
        ),
    )


@contextmanager
def _resumable(platform: SageMakerPlatform, workspace: Workspace) -> Iterator[None]:
    """Say how to resume an interrupted run; offer to stop its job."""
    command = (
        f"{program()} aws run --resume --name {platform.run_id} "
        f"--workspace {workspace.storage.location}"
    )
    try:
        yield
    except KeyboardInterrupt as error:
        if not platform.started:
            raise
        raise KeyboardInterrupt(
            f"{_offer_to_stop(platform)}Resume the run with:\n  {command}"
        ) from error
    except DependencyError as error:
        if not platform.started:
            raise
        _, job = platform.current_job or ("", "")
        still_running = f"The job {job} may continue by itself. " if job else ""
        hint = f"{error.hint}\n{still_running}Then resume the run with:\n  {command}".lstrip("\n")
        raise DependencyError(error.headline, hint) from error


def _offer_to_stop(platform: SageMakerPlatform) -> str:
    """Ask whether to stop the running job; return what happens to it."""
    if platform.current_job is None:
        return ""
    _, job = platform.current_job
    if sys.stdin.isatty():
        try:
            if confirmed(f"\nThe job {job} continues by itself. Stop it?"):
                platform.stop()
                return f"{job} was asked to stop; its checkpoints are kept. "
        except click.Abort:
            to_stderr("")
        except BasketwiseError as error:
            to_stderr(str(error))
    return f"{job} continues. "

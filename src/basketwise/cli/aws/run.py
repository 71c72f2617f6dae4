"""``basketwise aws run``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.aws.asking import asked, names, project_workspace, tell
from basketwise.cli.options import FORCE_OPTION, Common, common, program, reporter, typed_command
from basketwise.cli.output import print_json, print_next, print_summary, run_document
from basketwise.cli.run import overrides
from basketwise.errors import GATE_NOT_PASSED, BasketwiseError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from basketwise.aws.names import AwsNames
    from basketwise.aws.running.cost import Cost
    from basketwise.aws.running.runs import RunRecord
    from basketwise.config import Config
    from basketwise.platforms.sagemaker import SageMakerPlatform
    from basketwise.workspace import Workspace


@click.command()
@click.option(
    "--data",
    metavar="PATH|s3://…",
    help="Raw files: they are uploaded, unless they lie in the bucket. Needed, but with --resume.",
)
@click.option("--name", metavar="RUN", help="Name of the run. Default: after the time.")
@click.option("--resume", is_flag=True, help="Pick up the latest run, or the one of --name.")
@click.option("--split", metavar="NAME", help="time, stratified or customer.")
@click.option("--models", metavar="NAME", help="One candidate to train, instead of all.")
@click.option("--require-approval", is_flag=True, help="Exit with 1 if the gate does not approve.")
@FORCE_OPTION
@common
def run(
    data: str | None,
    name: str | None,
    resume: bool,
    split: str | None,
    models: str | None,
    require_approval: bool,
    force: bool,
    common: Common,
) -> None:
    """Run the main job on SageMaker: upload, jobs, evaluation, registry, export."""
    from basketwise.aws.running.cost import cost_of
    from basketwise.aws.running.runs import begin
    from basketwise.context import Context
    from basketwise.pipeline import run_all
    from basketwise.workspace import open_workspace

    config = common.config(*overrides(split, models))
    called = names(config, common.workspace)
    workspace = open_workspace(project_workspace(called), config.aws)
    if resume:
        if data or split or models:
            raise InputError(
                "A run that is picked up keeps its data and settings.",
                "Leave --data, --split and --models away, or start a new run.",
            )
        record, config = _earlier(workspace, name, config)
    else:
        record = _new(workspace, name, data, config)
    shown = reporter()
    platform = _platform(called, workspace, record.run_id, config, shown.say, force=force)
    if not resume:
        begin(workspace.storage, record)
    shown.say(f"{record.run_id} in {workspace.storage.location}")
    context = Context(workspace, config, platform, shown, typed_command(), force)
    try:
        result = run_all(record.data, context, record.run_id)
    except KeyboardInterrupt:
        _interrupted(platform, record.run_id, workspace)
        raise
    cost = cost_of(platform.ended, config.aws.usd_per_hour)
    if common.as_json:
        print_json({**run_document(result), "aws": _document(platform, cost)})
    else:
        print_summary(result)
        _print_cost(platform, cost, config)
        print_next(result, record.data, workspace.storage.location)
    if require_approval and not result.approved:
        sys.exit(GATE_NOT_PASSED)


def _new(workspace: Workspace, name: str | None, data: str | None, config: Config) -> RunRecord:
    from basketwise.aws.running.runs import RunRecord, name_of_run
    from basketwise.lineage import code_hash

    if not data:
        raise InputError("No data are given.", "Give --data PATH, or --resume for a started run.")
    now = datetime.now(UTC)
    return RunRecord(
        run_id=name_of_run(name) if name else workspace.new_run(now),
        data=data,
        started_at=now.isoformat(timespec="seconds"),
        code=code_hash(),
        config=config.recorded(),
    )


def _earlier(workspace: Workspace, name: str | None, config: Config) -> tuple[RunRecord, Config]:
    from basketwise.aws.running import runs

    storage = workspace.storage
    record = runs.read(storage, runs.name_of_run(name)) if name else runs.latest(storage)
    if record is None:
        raise InputError(
            f"There is no run {name!r} to pick up." if name else "There is no run to pick up.",
            f"Start one: {program()} aws run --data PATH",
        )
    return record, runs.settings_of(record, config)


def _platform(
    called: AwsNames,
    workspace: Workspace,
    run_id: str,
    config: Config,
    say: Callable[[str], None],
    *,
    force: bool,
) -> SageMakerPlatform:
    from basketwise.aws.clients import client
    from basketwise.platforms.sagemaker import SageMakerPlatform

    return SageMakerPlatform(
        sagemaker=client("sagemaker", config.aws),
        logs=client("logs", config.aws),
        s3=client("s3", config.aws),
        names=called,
        storage=workspace.storage,
        run_id=run_id,
        tell=say,
        poll=config.aws.poll_seconds,
        force=force,
    )


def _interrupted(platform: SageMakerPlatform, run_id: str, workspace: Workspace) -> None:
    """Ask what is to become of a job that goes on by itself."""
    if platform.current is None:
        return
    _, job = platform.current
    again = f"{program()} aws run --resume --name {run_id} --workspace {workspace.storage.location}"
    if sys.stdin.isatty():
        try:
            if asked(f"\nThe job {job} goes on by itself. Stop it?"):
                platform.stop()
                tell(f"{job} is asked to stop. Go on with what it has finished:\n  {again}")
                return
        except (click.Abort, BasketwiseError) as error:
            tell(str(error))
    tell(f"{job} goes on. Pick the run up with:\n  {again}")


def _document(platform: SageMakerPlatform, cost: Cost) -> dict[str, Any]:
    return {
        "jobs": [{"kind": kind, **vars(state)} for kind, state in platform.ended],
        "billable_seconds": cost.billable_seconds,
        "spot_saving": round(cost.spot_saving, 4),
        "estimated_usd": round(cost.usd, 4),
    }


def _print_cost(platform: SageMakerPlatform, cost: Cost, config: Config) -> None:
    click.secho("\nAmazon SageMaker", bold=True)
    if not platform.ended:
        click.echo("  no job was needed: what they left still holds")
        return
    for _, state in platform.ended:
        click.echo(f"  {state.name}: {state.seconds or 0:,.0f} s")
    saved = (
        f", spot capacity saved {cost.spot_saving:.0%} of the training" if config.aws.spot else ""
    )
    click.echo(f"  billable  {cost.billable_seconds:,.0f} s{saved}")
    click.echo(
        f"  cost      about {cost.usd:.4f} USD, at {config.aws.usd_per_hour:g} USD an hour "
        "(aws.usd_per_hour); storage not counted"
    )

"""``basketwise aws pipeline …``: runs as a SageMaker Pipeline."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from basketwise import clock
from basketwise.aws import clients
from basketwise.aws.cli.session import settings
from basketwise.cli.asking import to_stderr
from basketwise.cli.commands import completed, program
from basketwise.cli.options import Common, common, reporter
from basketwise.cli.output import print_json

if TYPE_CHECKING:
    from basketwise.aws.running.executions import Execution


@click.group()
def pipeline() -> None:
    """Create, start and inspect the SageMaker Pipeline."""


@pipeline.command()
@click.option("--dry-run", is_flag=True, help="Print the definition, and change nothing.")
@common
def upsert(dry_run: bool, common: Common) -> None:
    """Create the pipeline, or update it to match the settings."""
    from basketwise.aws.requests.pipeline import definition_text
    from basketwise.aws.running import pipelines

    config, names = settings(common)
    if dry_run:
        print_json(json.loads(definition_text(names, config)))
        return
    if config.aws.installs:
        from basketwise.aws.requests.entry import CODE
        from basketwise.aws.uploads.code import upload_code

        with reporter().stage("code") as log:
            upload_code(clients.client("s3", config.aws), names, config.aws, log.tick)
            log.finish(names.uri(CODE))
    result = pipelines.upsert(clients.client("sagemaker", config.aws), names, config)
    if common.as_json:
        print_json({"pipeline": result.name, "arn": result.arn, "action": result.action})
        return
    outcome = "is up to date" if result.action == "unchanged" else f"is {result.action}"
    click.echo(f"The pipeline {result.name} {outcome}.")
    click.echo(f"  arn     {result.arn}")
    click.echo(f"  next    {program()} aws pipeline start --wait")


@pipeline.command()
@click.option("--name", default="", metavar="RUN", help="Name of the run. Default: after the time.")
@click.option("--wait", is_flag=True, help="Follow the steps to the end; exit with 3 if it fails.")
@common
def start(name: str, wait: bool, common: Common) -> None:
    """Start the pipeline on the files below raw/."""
    from basketwise.aws.running import executions, pipelines
    from basketwise.run.workspace import RUN_FORMAT

    config, names = settings(common)
    sagemaker, s3 = clients.client("sagemaker", config.aws), clients.client("s3", config.aws)
    # Two people may start in the same second.
    run_id = name or f"{clock.now().strftime(RUN_FORMAT)}-{uuid4().hex[:4]}"
    started = pipelines.start(sagemaker, s3, names, config, run_id)
    if started.other_settings:
        older = (
            "The pipeline was created with other settings, and runs with those. To update it: "
            "basketwise aws pipeline upsert"
        )
        to_stderr(completed(older, common.named))
    document: dict[str, Any] = dataclasses.asdict(started)
    if not common.as_json:
        outcome = "is started" if started.started else "exists already; nothing was started"
        click.echo(f"The execution {started.run_id} {outcome}.")
        click.echo(f"  arn     {started.arn}")
        click.echo(f"  files   {names.uri('artifacts', started.run_id)}")
    if wait:
        logs, poll = clients.client("logs", config.aws), config.aws.poll_seconds
        try:
            ended = executions.follow(sagemaker, logs, started.arn, to_stderr, poll=poll)
        except KeyboardInterrupt:
            later = f"It continues. See its status: basketwise aws pipeline status {started.run_id}"
            to_stderr(completed(later, common.named))
            raise
        document["execution"] = _document(ended)
        if not common.as_json:
            _print(ended)
    elif not common.as_json:
        click.echo(f"  next    {program()} aws pipeline status {started.run_id}")
    if common.as_json:
        print_json(document)


@pipeline.command()
@click.argument("execution", default="")
@common
def status(execution: str, common: Common) -> None:
    """Show the steps of EXECUTION, by default the latest."""
    from basketwise.aws.running import executions

    config, names = settings(common)
    sagemaker = clients.client("sagemaker", config.aws)
    arn = executions.execution_arn(sagemaker, names, execution)
    shown = executions.describe(sagemaker, arn)
    if common.as_json:
        print_json(_document(shown))
    else:
        _print(shown)


def _document(execution: Execution) -> dict[str, Any]:
    document = dataclasses.asdict(execution)
    for step in document["steps"]:
        del step["log_group"]
        step["made"] = step.pop("arn")
        if step["seconds"] is not None:
            step["seconds"] = round(step["seconds"], 1)
    return document


def _print(execution: Execution) -> None:
    click.echo(f"{execution.name}  {execution.status}  started {execution.started}")
    for step in execution.steps:
        duration = "" if step.seconds is None else f"{step.seconds:,.0f} s"
        duration = "cached" if step.cached else duration
        click.echo(f"  {step.name:<10}{step.status:<11}{duration:>9}  {step.arn}".rstrip())
        if step.reason:
            click.echo(f"    {step.reason}")
    if execution.reason and not any(step.reason for step in execution.steps):
        click.echo(f"  {execution.reason}")

"""``basketwise etl``, ``train``, ``evaluate``, ``register``, ``export``: one stage each."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from basketwise.cli.options import FORCE_OPTION, Common, common, context
from basketwise.cli.output import leaderboard_lines, print_json, shown, split_lines
from basketwise.cli.run import overrides
from basketwise.errors import InputError

RUN_OPTION = click.option("--run", "run_id", metavar="RUN", help="Default: the latest run.")


@click.command()
@click.option("--data", required=True, metavar="PATH", help="A file, a folder or a quoted glob.")
@click.option("--split", metavar="NAME", help="time, stratified or customer.")
@FORCE_OPTION
@common
def etl(data: str, split: str | None, force: bool, common: Common) -> None:
    """Clean raw files into silver, make features in gold."""
    from basketwise.run import etl as steps
    from basketwise.run import pipeline
    from basketwise.run.workspace import GOLD

    ctx = context(common, common.config(*overrides(split, None)), force=force)
    with ctx.workspace.staged() as staging:
        made = steps.etl(data, staging, ctx)
        pipeline.publish_data(made, staging, ctx)
    if common.as_json:
        print_json(made.metadata.model_dump(mode="json"))
    else:
        click.echo(f"gold      {shown(ctx.workspace.address(GOLD))}")


@click.command()
@click.option("--models", metavar="NAMES", help="Candidates to train, separated by commas.")
@FORCE_OPTION
@common
def train(models: str | None, force: bool, common: Common) -> None:
    """Train the candidates on gold, choose the winner, predict the test part."""
    from basketwise.run import etl as data_step
    from basketwise.run import pipeline, training
    from basketwise.run.workspace import ARTIFACTS

    ctx = context(common, common.config(*overrides(None, models)), force=force)
    with ctx.workspace.staged() as staging:
        run_id = ctx.workspace.new_run(datetime.now(UTC))
        data = data_step.present_data(ctx)
        trained = training.train(data.gold, data.metadata, staging, run_id, ctx)
        folder = trained.folder
        if trained.folder == staging.artifacts:
            folder = pipeline.publish(run_id, staging, ctx)
    if common.as_json:
        print_json({"run_id": folder.name, **trained.record.model_dump(mode="json")})
    else:
        click.echo(f"run       {folder.name}")
        click.echo(f"artifacts {shown(ctx.workspace.address(ARTIFACTS, folder.name))}")


@click.command()
@RUN_OPTION
@click.option("--all-splits", is_flag=True, help="Score the winner on all three splits.")
@FORCE_OPTION
@common
def evaluate(run_id: str | None, all_splits: bool, force: bool, common: Common) -> None:
    """Judge a training on the test part; write report, pictures and model.tar.gz."""
    from basketwise.report.types import Run
    from basketwise.run import etl as data_step
    from basketwise.run import evaluation as evaluation_step
    from basketwise.run import pipeline
    from basketwise.run.training import present_training
    from basketwise.run.workspace import ARTIFACTS

    ctx = context(common, common.config(), force=force)
    started = datetime.now(UTC)
    with ctx.workspace.staged() as staging:
        name, folder = ctx.workspace.run_folder(run_id)
        data = data_step.present_data(ctx)
        trained = present_training(folder, data, ctx)
        registry = pipeline.registry_of(ctx) if pipeline.has_registry(ctx) else None
        run = Run(
            run_id=name,
            started_at=started.isoformat(timespec="seconds"),
            seconds=(datetime.now(UTC) - started).total_seconds(),
            command=ctx.command,
            data=data_step.source_of(data),
        )
        judged = evaluation_step.evaluate(
            data, trained, staging, run, registry, ctx, all_splits=all_splits
        )
        if judged.folder == staging.artifacts:
            folder = pipeline.publish(name, staging, ctx)
    report = judged.report
    if common.as_json:
        print_json(report)
        return
    for line in leaderboard_lines(report["leaderboard"]):
        click.echo(line)
    for line in split_lines(report["splits"]):
        click.echo(line)
    click.echo(report["verdict"]["headline"])
    click.echo(f"report    {shown(ctx.workspace.address(ARTIFACTS, folder.name))}/report.html")


@click.command()
@RUN_OPTION
@common
def register(run_id: str | None, common: Common) -> None:
    """Keep an evaluated run's model in the registry, approved if the gate said so."""
    from basketwise.evaluation.outputs import REPORT_JSON
    from basketwise.report.types import read_report
    from basketwise.run import pipeline

    ctx = context(common, common.config())
    with ctx.workspace.storage.exclusive():
        _, folder = ctx.workspace.run_folder(run_id)
        report = read_report(folder / REPORT_JSON)
        version = pipeline.register(pipeline.registry_of(ctx), folder, report, ctx)
    if common.as_json:
        print_json(
            {
                "version": version.version,
                "state": str(version.state),
                "champion": version.champion,
                "reasons": report["verdict"]["reasons"],
            }
        )
    else:
        click.echo(f"version   {version.version}: {version.state}\n{version.description}")


@click.command()
@click.option("--version", metavar="VERSION", help="Default: the champion.")
@common
def export(version: str | None, common: Common) -> None:
    """Write the deployment configuration of an approved version."""
    from basketwise.registry.deployment import export_version
    from basketwise.registry.protocol import ApprovalState
    from basketwise.run import pipeline
    from basketwise.run.workspace import DEPLOYMENT_CONFIGS

    ctx = context(common, common.config())
    registry = pipeline.registry_of(ctx)
    chosen = registry.get(version) if version else registry.champion()
    if chosen is None:
        raise InputError(
            "There is no champion to export: no version is approved.",
            "Approve one: basketwise models approve VERSION",
        )
    if chosen.state is not ApprovalState.APPROVED:
        raise InputError(
            f"Version {chosen.version} is {chosen.state}: only Approved versions are exported.",
            f"Approve it: basketwise models approve {chosen.version}",
        )
    with ctx.workspace.storage.edited(DEPLOYMENT_CONFIGS) as folder:
        path = export_version(registry, chosen, folder, ctx.config.deployment)
        document = json.loads(path.read_bytes())
    if common.as_json:
        print_json(document)
    else:
        click.echo(shown(ctx.workspace.address(DEPLOYMENT_CONFIGS, path.name)))

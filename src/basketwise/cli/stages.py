"""``basketwise etl``, ``train``, ``evaluate``, ``register``, ``export``: one stage each."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from basketwise.cli.options import Common, common, context
from basketwise.cli.output import leaderboard_lines, print_json, shown
from basketwise.cli.run import overrides
from basketwise.errors import InputError

RUN_OPTION = click.option("--run", "run_id", metavar="RUN", help="Default: the latest run.")


@click.command()
@click.option("--data", required=True, metavar="PATH", help="A file, a folder or a quoted glob.")
@click.option("--split", metavar="NAME", help="time, stratified or customer.")
@common
def etl(data: str, split: str | None, common: Common) -> None:
    """Clean raw files into silver, make features in gold."""
    from basketwise import pipeline
    from basketwise.workspace import GOLD, SILVER

    ctx = context(common, common.config(*overrides(split, None)))
    with ctx.workspace.staged() as staging:
        metadata = pipeline.etl(data, staging, ctx)
        ctx.workspace.publish(staging.silver, SILVER)
        ctx.workspace.publish(staging.gold, GOLD)
    if common.as_json:
        print_json(metadata.model_dump(mode="json"))
    else:
        click.echo(f"gold      {shown(ctx.workspace.folder(GOLD))}")


@click.command()
@click.option("--models", metavar="NAMES", help="Candidates to train, separated by commas.")
@common
def train(models: str | None, common: Common) -> None:
    """Train the candidates on gold, choose the winner, predict the test part."""
    from basketwise import pipeline
    from basketwise.workspace import GOLD

    ctx = context(common, common.config(*overrides(None, models)))
    with ctx.workspace.staged() as staging:
        run_id = ctx.workspace.new_run(datetime.now(UTC))
        record = pipeline.train(ctx.workspace.folder(GOLD), staging.artifacts, ctx)
        folder = pipeline.publish(run_id, staging, ctx, data=False)
    if common.as_json:
        print_json({"run_id": run_id, **record.model_dump(mode="json")})
    else:
        click.echo(f"run       {run_id}\nartifacts {shown(folder)}")


@click.command()
@RUN_OPTION
@common
def evaluate(run_id: str | None, common: Common) -> None:
    """Judge a training on the test part; write report, pictures and model.tar.gz."""
    from basketwise import pipeline
    from basketwise.evaluation.report_types import Run
    from basketwise.workspace import GOLD, SILVER

    ctx = context(common, common.config())
    started = datetime.now(UTC)
    with ctx.workspace.staged() as staging:
        name, folder = ctx.workspace.run_folder(run_id)
        shutil.copytree(folder, staging.artifacts, dirs_exist_ok=True)
        gold = ctx.workspace.folder(GOLD)
        _check_same_data(gold, staging.artifacts)
        champion = None
        if pipeline.has_registry(ctx):
            champion = pipeline.find_champion(
                pipeline.registry_of(ctx), ctx.workspace.folder(SILVER), gold, ctx.config
            )
        run = Run(
            run_id=name,
            started_at=started.isoformat(timespec="seconds"),
            seconds=(datetime.now(UTC) - started).total_seconds(),
            command=ctx.command,
        )
        evaluation = pipeline.evaluate(gold, staging.artifacts, champion, run, ctx)
        folder = pipeline.publish(name, staging, ctx, data=False)
    if common.as_json:
        print_json(evaluation.report)
        return
    for line in leaderboard_lines(evaluation.report["leaderboard"]):
        click.echo(line)
    click.echo(evaluation.report["verdict"]["headline"])
    click.echo(f"report    {shown(folder)}/report.html")


@click.command()
@RUN_OPTION
@common
def register(run_id: str | None, common: Common) -> None:
    """Keep an evaluated run's model in the registry, approved if the gate said so."""
    from basketwise import pipeline
    from basketwise.evaluation.gate import decision_of
    from basketwise.evaluation.outputs import REPORT_JSON
    from basketwise.evaluation.stage import Evaluation

    ctx = context(common, common.config())
    with ctx.workspace.storage.exclusive():
        name, folder = ctx.workspace.run_folder(run_id)
        report = _report(folder / REPORT_JSON)
        evaluation = Evaluation(report, decision_of(report["verdict"]))
        registry = pipeline.registry_of(ctx)
        version = pipeline.register(registry, name, folder, evaluation, ctx)
    if common.as_json:
        print_json(
            {"version": version.version, "state": str(version.state), "champion": version.champion}
        )
    else:
        click.echo(f"version   {version.version}: {version.state}\n{version.description}")


@click.command()
@click.option("--version", metavar="VERSION", help="Default: the champion.")
@common
def export(version: str | None, common: Common) -> None:
    """Write the deployment configuration of an approved version."""
    from basketwise import pipeline
    from basketwise.registry.deployment import export_version
    from basketwise.registry.protocol import ApprovalState
    from basketwise.workspace import DEPLOYMENT_CONFIGS

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
    path = export_version(
        registry, chosen, ctx.workspace.folder(DEPLOYMENT_CONFIGS), ctx.config.deployment
    )
    if common.as_json:
        print_json(json.loads(path.read_bytes()))
    else:
        click.echo(shown(path))


def _report(path: Path) -> Any:
    if not path.is_file():
        raise InputError(
            f"The run {path.parent.name} has not been evaluated.", "Run 'basketwise evaluate'."
        )
    return json.loads(path.read_bytes())


def _check_same_data(gold: Path, trained: Path) -> None:
    """Refuse to judge a training by gold files that were made again since."""
    import polars as pl

    from basketwise.gold.tables import KEY, TEST_FILE
    from basketwise.training.stage import TEST_PREDICTIONS_FILE

    predictions = trained / TEST_PREDICTIONS_FILE
    test = gold / TEST_FILE
    if not test.is_file() or not predictions.is_file():
        return
    if not pl.read_parquet(test, columns=[KEY]).equals(pl.read_parquet(predictions, columns=[KEY])):
        raise InputError(
            f"The run {trained.name} was trained on other gold files than those in the workspace.",
            "Run 'basketwise train' on the present ones, then evaluate that run.",
        )

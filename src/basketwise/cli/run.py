"""``basketwise run``, and each of its stages: ``etl``, ``train``, ``evaluate`` and so on."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack

import click

from basketwise.cli.ahead import readers_ahead
from basketwise.cli.engines import (
    OVERWRITE_OPTION,
    TABLES_OPTION,
    Tables,
    engine_options,
    platform_of,
    tables_of,
)
from basketwise.cli.options import (
    FORCE_OPTION,
    MODELS_OPTION,
    NO_REGISTER_OPTION,
    PRODUCTS_OPTION,
    SPLIT_OPTION,
    Common,
    common,
    context,
    data_of,
    products_flag,
)
from basketwise.cli.output import (
    emit,
    leaderboard_lines,
    print_json,
    print_next,
    print_summary,
    run_document,
    shown,
    split_lines,
)
from basketwise.errors import GATE_NOT_PASSED
from basketwise.files import REPORT_HTML

ENGINE_OPTIONS = engine_options(
    "Where ETL runs; spark reads files or a table, and needs a workspace that its executors reach."
)
RUN_OPTION = click.option("--run", "run_id", metavar="RUN", help="Default: the latest run.")


@click.command()
@data_of(required=True)
@PRODUCTS_OPTION
@SPLIT_OPTION
@MODELS_OPTION
@click.option("--require-approval", is_flag=True, help="Exit with 1 if the gate does not approve.")
@NO_REGISTER_OPTION
@FORCE_OPTION
@ENGINE_OPTIONS
@TABLES_OPTION
@OVERWRITE_OPTION
@common
def run(
    data: str,
    products: str | None,
    split: str | None,
    models: str | None,
    require_approval: bool,
    no_register: bool,
    force: bool,
    engine: str,
    url: str,
    schema: str | None,
    overwrite: bool,
    common: Common,
) -> None:
    """Run all stages, from the raw files at PATH to an approved, exported model."""
    with ExitStack() as stack:
        stack.enter_context(readers_ahead(data, common.workspace, engine=engine, force=force))
        config = common.config(*overrides(split, models, products))
        from basketwise.run.pipeline import run_all

        platform = stack.enter_context(platform_of(engine, url, common.workspace))
        where = (common.workspace, config.aws)
        tables = tables_of(platform, engine, schema, *where, overwrite=overwrite)
        ctx = context(common, config, force=force, platform=platform, tables=tables)
        result = run_all(data, ctx, registering=not no_register)
    if common.as_json:
        print_json(run_document(result) | _tables(tables))
    else:
        print_summary(result, tables.names if tables else ())
        print_next(result, data, common.workspace, common.config_path)
    # The version's state counts, not the verdict: a person may have rejected it since.
    if require_approval and not result.approved:
        sys.exit(GATE_NOT_PASSED)


def overrides(split: str | None, models: str | None, products: str | None = None) -> list[str]:
    """Turn a command's own flags into settings."""
    flags = []
    if split:
        flags.append(f"split.strategy={split}")
    if models:
        flags.append(f"training.models={models}")
    return [*flags, *products_flag(products)]


@click.command()
@data_of(required=True)
@PRODUCTS_OPTION
@SPLIT_OPTION
@FORCE_OPTION
@ENGINE_OPTIONS
@TABLES_OPTION
@OVERWRITE_OPTION
@common
def etl(
    data: str,
    products: str | None,
    split: str | None,
    force: bool,
    engine: str,
    url: str,
    schema: str | None,
    overwrite: bool,
    common: Common,
) -> None:
    """Clean raw files (silver) and compute features (gold)."""
    with ExitStack() as stack:
        stack.enter_context(readers_ahead(data, common.workspace, engine=engine, force=force))
        config = common.config(*overrides(split, None, products))
        from basketwise.run.pipeline import run_etl
        from basketwise.run.workspace import GOLD

        platform = stack.enter_context(platform_of(engine, url, common.workspace))
        where = (common.workspace, config.aws)
        tables = tables_of(platform, engine, schema, *where, overwrite=overwrite)
        ctx = context(common, config, force=force, platform=platform, tables=tables)
        metadata = run_etl(data, ctx).metadata
    emit(
        common,
        metadata.model_dump(mode="json") | _tables(tables),
        *(f"table     {name}, snapshot {which}" for name, which in metadata.snapshots.items()),
        f"gold      {shown(ctx.workspace.address(GOLD))}",
        *(f"written   {name}" for name in (tables.names if tables else ())),
    )


def _tables(written: Tables | None) -> dict[str, list[str]]:
    """Return what a document says of the tables that were written, if they were."""
    return {"tables": written.names} if written else {}


@click.command()
@MODELS_OPTION
@FORCE_OPTION
@engine_options(
    "Where the test baskets are scored, and XGBoost's final fit is made with "
    "training.xgboost_on_spark; all else is trained here."
)
@common
def train(models: str | None, force: bool, engine: str, url: str, common: Common) -> None:
    """Train the candidates on gold, select the winner and predict the test set."""
    from basketwise.run.pipeline import run_train
    from basketwise.run.workspace import ARTIFACTS

    config = common.config(*overrides(None, models))
    with platform_of(engine, url, common.workspace) as platform:
        ctx = context(common, config, force=force, existing=True, platform=platform)
        run_id, trained = run_train(ctx)
    emit(
        common,
        {"run_id": run_id, **trained.record.model_dump(mode="json")},
        f"run       {run_id}",
        f"artifacts {shown(ctx.workspace.address(ARTIFACTS, run_id))}",
    )


@click.command()
@RUN_OPTION
@click.option("--all-splits", is_flag=True, help="Score the winner on all three splits.")
@FORCE_OPTION
@common
def evaluate(run_id: str | None, all_splits: bool, force: bool, common: Common) -> None:
    """Evaluate a training run on the test set; write report, pictures and model.tar.gz."""
    from basketwise.run.pipeline import run_evaluate
    from basketwise.run.workspace import ARTIFACTS

    ctx = context(common, common.config(), force=force, existing=True)
    name, report = run_evaluate(run_id, ctx, all_splits=all_splits)
    emit(
        common,
        report,
        *leaderboard_lines(report["leaderboard"]),
        *split_lines(report["splits"]),
        report["verdict"]["headline"],
        f"report    {shown(ctx.workspace.address(ARTIFACTS, name))}/{REPORT_HTML}",
    )


@click.command()
@RUN_OPTION
@common
def register(run_id: str | None, common: Common) -> None:
    """Register an evaluated run's model, approved if the gate approved it."""
    from basketwise.run.pipeline import run_register

    version, report = run_register(run_id, context(common, common.config(), existing=True))
    document = {
        "version": version.version,
        "state": str(version.state),
        "champion": version.champion,
        "reasons": report["verdict"]["reasons"],
    }
    lines = version.description.splitlines()
    emit(common, document, f"version   {version.version}: {version.state}", *lines)


@click.command()
@click.option("--version", metavar="VERSION", help="Default: the champion.")
@common
def export(version: str | None, common: Common) -> None:
    """Write the deployment configuration of an approved version."""
    from basketwise.files import DEPLOYMENT_CONFIGS
    from basketwise.run.pipeline import run_export

    ctx = context(common, common.config())
    path = run_export(version, ctx)
    address = ctx.workspace.address(DEPLOYMENT_CONFIGS, path.name)
    emit(common, json.loads(path.read_bytes()), shown(address))

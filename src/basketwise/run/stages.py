"""One stage by itself, on what earlier commands left in the workspace."""

from __future__ import annotations

from pathlib import Path

from basketwise.errors import InputError
from basketwise.files import REPORT_JSON
from basketwise.registry.opening import existing_registry, registry_of
from basketwise.registry.protocol import ApprovalState, ModelVersion
from basketwise.report.types import Report, read_report
from basketwise.run import pipeline
from basketwise.run.context import Context
from basketwise.run.etl import Data, etl, present_data
from basketwise.run.evaluation import evaluate
from basketwise.run.training import Trained, present_training, train
from basketwise.run.workspace import DEPLOYMENT_CONFIGS


def run_etl(data: str, context: Context) -> Data:
    """Clean raw files into silver, make features in gold; both are in the workspace then."""
    with context.workspace.staged() as staging:
        return pipeline.publish_data(etl(data, staging, context), staging, context)


def run_train(context: Context) -> tuple[str, Trained]:
    """Train on the gold files of the workspace; returns the run, which may be an earlier one."""
    with context.workspace.staged() as staging:
        run_id = context.new_run()
        trained = train(present_data(context), staging, run_id, context)
        folder = trained.folder
        if folder == staging.artifacts:
            folder = pipeline.publish(run_id, staging, context)
    return folder.name, trained


def run_evaluate(
    run_id: str | None, context: Context, *, all_splits: bool = False
) -> tuple[str, Report]:
    """Evaluate a run's training, the latest run's by default; returns the run.

    Raises
    ------
    InputError
        If there is no such run, or its training or its data were changed since.
    """
    with context.workspace.staged() as staging:
        name, folder = context.workspace.run_folder(run_id)
        data = present_data(context)
        trained = present_training(folder, data, context)
        registry = registry_of(context.config, context.workspace.storage)
        evaluated = evaluate(data, trained, staging, name, registry, context, all_splits=all_splits)
        if evaluated.folder == staging.artifacts:
            pipeline.publish(name, staging, context)
    return name, evaluated.report


def run_register(run_id: str | None, context: Context) -> tuple[ModelVersion, Report]:
    """Register an evaluated run's model, the latest run's by default; returns its report too.

    Raises
    ------
    InputError
        If there is no such run, it has not been evaluated, or its files were changed since.
    """
    with context.workspace.storage.exclusive():
        _, folder = context.workspace.run_folder(run_id)
        report = read_report(folder / REPORT_JSON)
        registry = registry_of(context.config, context.workspace.storage)
        version = pipeline.register(registry, folder, report, context)
    return version, report


def run_export(version: str | None, context: Context) -> Path:
    """Write the deployment configuration of an approved version, the champion by default.

    Returns
    -------
    Path
        The file, on this machine; of a workspace in a bucket, a copy.

    Raises
    ------
    InputError
        If there is no such version, or it is not approved.
    """
    registry = existing_registry(context.config, context.workspace.storage)
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
    with context.workspace.storage.exclusive():
        name = pipeline.write_config(registry, chosen, context)
    return context.workspace.folder(DEPLOYMENT_CONFIGS) / name

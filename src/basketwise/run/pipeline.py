"""The order of the stages, and what each hands to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from basketwise.concurrency import abandoning_pool
from basketwise.etl.metadata import Metadata
from basketwise.registry.deployment import export_version
from basketwise.registry.opening import registry_of
from basketwise.registry.protocol import ApprovalState, ModelVersion, Registry
from basketwise.registry.submission import registered, submission
from basketwise.report.types import Report
from basketwise.run.cache import Outcome
from basketwise.run.context import Context
from basketwise.run.etl import Data, etl
from basketwise.run.evaluation import evaluate
from basketwise.run.record import verified_step
from basketwise.run.training import train
from basketwise.run.workspace import (
    ARTIFACTS,
    DEPLOYMENT_CONFIGS,
    GOLD,
    SILVER,
    Staging,
)
from basketwise.training.record import TrainingRecord

GATE = "gate"
"""Who approves when the gate does."""


@dataclass(frozen=True)
class RunResult:
    """What a whole run made, or took from earlier runs because it is still valid.

    Attributes
    ----------
    folder, deployment_config
        On this machine; of a workspace in a bucket, copies.
    address
        Where the workspace keeps the run's artifacts, as people write it.
    config_address
        The same of the deployment configuration; None if the version is not approved.
    """

    run_id: str
    metadata: Metadata
    record: TrainingRecord
    report: Report
    version: ModelVersion
    deployment_config: Path | None
    folder: Path
    address: str
    config_address: str | None
    seconds: float
    outcomes: tuple[Outcome, ...]

    @property
    def approved(self) -> bool:
        """Whether the version is approved now."""
        return self.version.state is ApprovalState.APPROVED


def run_all(data: str, context: Context, run_id: str = "") -> RunResult:
    """Run every stage, from raw files to the deployment configuration.

    Parameters
    ----------
    data : str
        A file, a folder or a glob of raw files; or their address in a bucket.
    context : Context
        Where, how and by what command.
    run_id : str
        Name of the run; empty: after the time.

    Notes
    -----
    Outputs appear in the workspace when evaluation has finished, all together; silver and gold of
    a platform that works in the workspace itself as soon as they are there. A registry that
    fails after that leaves the run there, to be registered again with ``basketwise register``, or
    by the same command once more. A run that changes nothing makes no new version.
    """
    workspace = context.workspace
    # A server that cannot be reached says so now, not after the training.
    registry = registry_of(context.config, workspace.storage)
    with workspace.staged() as staging:
        run_id = run_id or context.new_run()
        made = etl(data, staging, context)
        if context.platform.in_place:
            made = publish_data(made, staging, context)
        with abandoning_pool(1) as pool:
            if any(outcome.ran for outcome in made.outcomes):
                # A version will follow, and training does not need this thread. Should it fail,
                # the registration says so.
                pool.submit(registry.prepare)
            trained = train(made, staging, run_id, context)
        evaluated = evaluate(made, trained, staging, run_id, registry, context)
        publish_data(made, staging, context)
        folder = evaluated.folder
        if evaluated.outcome.ran:
            folder = publish(run_id, staging, context)
        version = register(registry, folder, evaluated.report, context)
        document = export(registry, version, context)
    return RunResult(
        run_id=folder.name,
        metadata=made.metadata,
        record=trained.record,
        report=evaluated.report,
        version=version,
        deployment_config=document,
        folder=folder,
        address=workspace.address(ARTIFACTS, folder.name),
        config_address=workspace.address(DEPLOYMENT_CONFIGS, document.name) if document else None,
        seconds=context.seconds,
        outcomes=(*made.outcomes, trained.outcome, evaluated.outcome),
    )


def publish_data(data: Data, staging: Staging, context: Context) -> Data:
    """Move the data that was made in staging to its places in the workspace, and say where."""
    workspace, silver, gold = context.workspace, data.silver, data.gold
    if silver == staging.silver:
        workspace.publish(silver, SILVER)
        silver = workspace.folder(SILVER)
    if gold == staging.gold:
        workspace.publish(gold, GOLD)
        gold = workspace.folder(GOLD)
    return replace(data, silver=silver, gold=gold)


def publish(run_id: str, staging: Staging, context: Context) -> Path:
    """Move a run's artifacts into the workspace."""
    context.workspace.publish(staging.artifacts, f"{ARTIFACTS}/{run_id}")
    return context.workspace.folder(f"{ARTIFACTS}/{run_id}")


def register(registry: Registry, folder: Path, report: Report, context: Context) -> ModelVersion:
    """Register a run's model, approved if the gate said so.

    A model that is registered already gets no second version, whatever else its archive says. The
    gate revises what it decided of that version itself, and leaves alone what a person decided.

    Raises
    ------
    InputError
        If the run's files are not what its evaluation left.
    """
    with context.reporter.stage("registry") as log:
        verified_step("evaluation", folder)
        submitted = submission(folder.name, folder, report)
        version = registered(registry, submitted) or registry.register(submitted, who=GATE)
        verdict = report["verdict"]
        state = ApprovalState.APPROVED if verdict["approved"] else ApprovalState.PENDING
        *_, last = registry.history(version.version)
        undecided = last.old is None
        if undecided or (last.who == GATE and last.new is not state):
            why = verdict["description"]
            version = registry.set_state(version.version, state, who=GATE, why=why)
            log.finish(f"version {version.version} is {version.state}")
        else:
            log.finish(f"version {version.version} is {version.state}; cached")
    return version


def export(registry: Registry, version: ModelVersion, context: Context) -> Path | None:
    """Write the deployment configuration of an approved version; None if it is not."""
    if version.state is not ApprovalState.APPROVED:
        return None
    workspace = context.workspace
    with context.reporter.stage("export") as log:
        name = write_config(registry, version, context)
        log.finish(name)
    return workspace.folder(DEPLOYMENT_CONFIGS) / name


def write_config(registry: Registry, version: ModelVersion, context: Context) -> str:
    """Write the deployment configuration of a version; returns the file's name."""
    with context.workspace.storage.edit(DEPLOYMENT_CONFIGS) as folder:
        return export_version(registry, version, folder, context.config.deployment).name

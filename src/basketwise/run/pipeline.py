"""The stages in their order, and what each hands to the next; or one stage by itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from basketwise.concurrency import abandoning_pool
from basketwise.errors import BasketwiseError, InputError
from basketwise.etl.gold.metadata import Metadata
from basketwise.files import DEPLOYMENT_CONFIGS, REPORT_JSON
from basketwise.importing import DRAWING, load
from basketwise.registry.approval import Approvals
from basketwise.registry.ledger import described
from basketwise.registry.opening import existing_registry, registry_of
from basketwise.registry.protocol import (
    CHAMPION,
    ApprovalState,
    ModelVersion,
    Registry,
    find_version,
)
from basketwise.registry.submission import registered, submission
from basketwise.report.html import load_templates
from basketwise.report.types.document import Report, read_report
from basketwise.run.cache import Outcome
from basketwise.run.context import Context
from basketwise.run.etl import Data, etl, present_data, publish_records
from basketwise.run.evaluation import evaluate
from basketwise.run.record import verified_step
from basketwise.run.training import Trained, present_training, train
from basketwise.run.workspace import ARTIFACTS, GOLD, SILVER, Staging
from basketwise.training.record import TrainingRecord

GATE = "gate"
"""Who approves when the gate does."""


@dataclass(frozen=True)
class RunResult:
    """What a whole run made, or took from earlier runs because it is still valid.

    Of a workspace in a bucket, ``folder`` and ``deployment_config`` are copies on this machine. The
    configuration is None if the version is not approved.
    """

    run_id: str
    metadata: Metadata
    record: TrainingRecord
    report: Report
    version: ModelVersion | None
    """None of an experiment, which is not registered."""
    approved: bool
    """Whether the version is approved, by a person or by what the gate found in this run; of an
    experiment, whether the gate would approve it."""
    deployment_config: Path | None
    folder: Path
    address: str
    """Of the run's artifacts in the workspace, as people write it."""
    config_address: str | None
    seconds: float
    outcomes: tuple[Outcome, ...]


def run_all(
    data: str, context: Context, run_id: str = "", *, registering: bool = True
) -> RunResult:
    """Run every stage, from raw files to the deployment configuration.

    Outputs appear in the workspace when evaluation has finished, all together; silver and gold of
    a platform that works in the workspace itself as soon as they are there. A registry that
    fails after that leaves the run there, to be registered again with ``basketwise register``, or
    by the same command once more. A run that changes nothing makes no new version.

    Parameters
    ----------
    data : str
        A file, a folder or a glob of raw files; or their address in a bucket.
    context : Context
        Where, how and by what command.
    run_id : str
        Name of the run; empty: after the time.
    registering : bool
        Whether the model becomes a version. If not, the run is an experiment: evaluated and
        reported only.
    """
    workspace = context.workspace
    # A server that cannot be reached says so now, not after the training.
    registry = registry_of(context.config, workspace.storage)
    with workspace.staged() as staging:
        approvals = approvals_of(registry, context)
        approvals.finish()
        note_changes(approvals, context)
        run_id = run_id or context.new_run()
        with abandoning_pool(1) as pool:

            def ahead() -> None:
                # First of all what ETL shares with the libraries: two threads must not load it.
                load("basketwise.etl.gold.stage")
                pool.submit(context.platform.prepare)
                if registering:
                    pool.submit(registry.load)
                for name in DRAWING:
                    pool.submit(load, name)
                pool.submit(load_templates)

            made = etl(data, staging, context, ahead)
            if context.platform.in_place:
                made = publish_data(made, staging, context)
            if registering and any(outcome.ran for outcome in made.outcomes):
                # A version will follow, and training does not need this thread. Should it fail,
                # the registration says so.
                pool.submit(registry.prepare)
            trained = train(made, staging, run_id, context)
        evaluated = evaluate(made, trained, staging, run_id, registry, context)
        made = publish_data(made, staging, context)
        folder = evaluated.folder
        if evaluated.outcome.ran:
            folder = workspace.publish(staging.artifacts, f"{ARTIFACTS}/{run_id}")
        version, approved = None, evaluated.report["verdict"]["approved"]
        if registering:
            version, approved = register(approvals, folder, evaluated.report, context)
        document = None
        if approved and version:
            with context.reporter.stage("export") as log:
                document = write_config(approvals, version, context)
                log.finish(document.name)
        write_tables(made, context)
    return RunResult(
        run_id=folder.name,
        metadata=made.metadata,
        record=trained.record,
        report=evaluated.report,
        version=version,
        approved=approved,
        deployment_config=document,
        folder=folder,
        address=workspace.address(ARTIFACTS, folder.name),
        config_address=workspace.address(DEPLOYMENT_CONFIGS, document.name) if document else None,
        seconds=context.seconds,
        outcomes=(*made.outcomes, trained.outcome, evaluated.outcome),
    )


def publish_data(data: Data, staging: Staging, context: Context) -> Data:
    """Move the data that was made in staging into the workspace, and return where it is now.

    Of a platform that works in the workspace, the files are there already; other files beside them
    are removed.
    """

    def publish(folder: Path, name: str, staged: Path) -> Path:
        if folder != staged:
            return folder
        if context.platform.in_place:
            return publish_records(folder, name, staging, context.workspace)
        return context.workspace.publish(folder, name)

    silver = publish(data.silver, SILVER, staging.silver)
    return replace(data, silver=silver, gold=publish(data.gold, GOLD, staging.gold))


def register(
    approvals: Approvals, folder: Path, report: Report, context: Context
) -> tuple[ModelVersion, bool]:
    """Register the model of a run whose files are unchanged, approved if the gate said so.

    A model that is registered already gets no second version, whatever else its archive says,
    unless the registry has lost that version's archive. The gate may approve such a version later,
    if it was the gate that left it pending; it never takes one out of production, and leaves alone
    what a person decided.

    Returns
    -------
    version : ModelVersion
        The model's version.
    approved : bool
        Whether it is approved, by a person or by what the gate found in this run: a version may
        stay in production though the gate would not approve it now.
    """
    registry = approvals.registry
    with context.reporter.stage("registry") as log:
        verified_step("evaluation", folder)
        submitted = submission(folder.name, folder, report)
        passed, why = report["verdict"]["approved"], report["verdict"]["description"]
        version = registered(registry, submitted)
        if version and not approvals.is_stored(version):
            *_, last = registry.history(version.version)
            if last.who != GATE and last.new is not ApprovalState.APPROVED:
                # A new number must not get around what a person decided.
                passed = False
                why = (
                    f"the model of version {version.version}, whose archive is lost, and which "
                    f"{last.who} set to {last.new}"
                )
            version = None
        by_gate = decides = True
        if version is None:
            version = registry.register(submitted, who=GATE)
        else:
            *_, last = registry.history(version.version)
            by_gate = last.who == GATE
            decides = last.old is None or (passed and by_gate and last.new is ApprovalState.PENDING)
        if decides and passed:
            version = approvals.approve(version.version, who=GATE, why=why).version
        elif decides:
            version = registry.set_state(version.version, ApprovalState.PENDING, who=GATE, why=why)
        cached = "" if decides else "; cached"
        log.finish(f"version {version.version} is {version.state}{cached}")
    return version, version.state is ApprovalState.APPROVED and (passed or not by_gate)


def write_config(approvals: Approvals, version: ModelVersion, context: Context) -> Path:
    """Write the deployment configuration of a version; of a bucket's, return a copy."""
    return context.workspace.folder(DEPLOYMENT_CONFIGS) / approvals.export(version)


def approvals_of(registry: Registry, context: Context) -> Approvals:
    """Return what changes the states of versions in a run's workspace."""
    return Approvals(registry, context.workspace.storage, context.config.deployment)


def note_changes(approvals: Approvals, context: Context) -> None:
    """Store and show the changes of versions that were made elsewhere.

    An error of the registry is left to whatever needs it next.
    """
    with suppress(BasketwiseError):
        for change in approvals.sync():
            context.reporter.say(described(change))


def run_etl(data: str, context: Context) -> Data:
    """Clean raw files into silver, make features in gold; both are in the workspace then."""
    with context.workspace.staged() as staging:
        made = publish_data(etl(data, staging, context), staging, context)
        write_tables(made, context)
    return made


def write_tables(data: Data, context: Context) -> None:
    """Write silver and gold, which are in the workspace, as tables too, if that is wanted."""
    if context.tables:
        with context.reporter.stage("tables") as log:
            context.tables(data.silver, data.gold)
            log.finish("silver and gold")


def run_train(context: Context) -> tuple[str, Trained]:
    """Train on the gold files of the workspace; returns the run, which may be an earlier one."""
    with context.workspace.staged() as staging:
        run_id = context.new_run()
        trained = train(present_data(context), staging, run_id, context)
        if trained.folder != staging.artifacts:
            return trained.folder.name, trained
        context.workspace.publish(staging.artifacts, f"{ARTIFACTS}/{run_id}")
    return run_id, trained


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
            context.workspace.publish(staging.artifacts, f"{ARTIFACTS}/{name}")
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
        approvals = approvals_of(registry, context)
        note_changes(approvals, context)
        version, _ = register(approvals, folder, report, context)
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
    chosen = find_version(registry, version or CHAMPION)
    if chosen.state is not ApprovalState.APPROVED:
        raise InputError(
            f"Version {chosen.version} is {chosen.state}: only Approved versions are exported.",
            f"Approve it: basketwise models approve {chosen.version}",
        )
    with context.workspace.storage.exclusive():
        approvals = approvals_of(registry, context)
        approvals.finish()
        note_changes(approvals, context)
        return write_config(approvals, chosen, context)

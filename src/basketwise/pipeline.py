"""The order of the stages, and what each hands to the next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from basketwise.concurrency import abandoning_pool
from basketwise.config import Config
from basketwise.evaluation.metrics import shown
from basketwise.evaluation.report_types import Report, Run
from basketwise.evaluation.stage import ChampionPredictions, Evaluation, run_evaluation
from basketwise.gold.metadata import Metadata
from basketwise.platforms.protocol import EtlJob, Platform, TrainingJob
from basketwise.progress import Reporter
from basketwise.registry.deployment import export_version
from basketwise.registry.opening import DATABASE, open_registry
from basketwise.registry.protocol import ApprovalState, ModelVersion, Registry
from basketwise.registry.submission import submission
from basketwise.training.record import TrainingRecord
from basketwise.training.stage import RECORD_FILE, read_metadata
from basketwise.workspace import (
    ARTIFACTS,
    DEPLOYMENT_CONFIGS,
    GOLD,
    REGISTRY,
    SILVER,
    Staging,
    Workspace,
)

GATE = "gate"
"""Who approves when the gate does."""


@dataclass(frozen=True)
class Context:
    """What every stage needs."""

    workspace: Workspace
    config: Config
    platform: Platform
    reporter: Reporter
    command: str
    """The command that repeats the run, for the report."""


@dataclass(frozen=True)
class RunResult:
    """What a whole run made."""

    run_id: str
    metadata: Metadata
    record: TrainingRecord
    report: Report
    version: ModelVersion
    deployment_config: Path | None
    folder: Path
    seconds: float


def run_all(data: str, context: Context) -> RunResult:
    """Run every stage, from raw files to the deployment configuration.

    Outputs appear in the workspace when evaluation has finished, all together. A registry that
    fails after that leaves the run there, to be registered again with ``basketwise register``.
    """
    started, now = time.perf_counter(), datetime.now(UTC)
    workspace, config = context.workspace, context.config
    if config.registry.uri:
        # A server that cannot be reached says so now, not after the training.
        registry_of(context)
    with workspace.staged() as staging:
        run_id = workspace.new_run(now)
        metadata = etl(data, staging, context)
        with abandoning_pool(1) as pool:
            # Loading MLflow takes seconds; training does not need this thread.
            opening = pool.submit(open_registry, config.registry, workspace.folder(REGISTRY))
            record = train(staging.gold, staging.artifacts, context)
            registry = opening.result()
        run = Run(
            run_id=run_id,
            started_at=now.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - started,
            command=context.command,
        )
        champion = find_champion(registry, staging.silver, staging.gold, config)
        evaluation = evaluate(staging.gold, staging.artifacts, champion, run, context)
        folder = publish(run_id, staging, context, data=True)
        version = register(registry, run_id, folder, evaluation, context)
        document = export(registry, version, context)
    seconds = time.perf_counter() - started
    return RunResult(
        run_id, metadata, record, evaluation.report, version, document, folder, seconds
    )


def etl(data: str, staging: Staging, context: Context) -> Metadata:
    """Run ETL into staging."""
    with context.reporter.stage("ETL") as log:
        job = EtlJob(data, staging.silver, staging.gold, staging.scratch)
        context.platform.etl(job, context.config, log.tick)
        metadata = read_metadata(staging.gold)
        lines = metadata.lines
        log.finish(
            f"{lines.read:,} lines read, {lines.rejected:,} rejected; "
            f"{metadata.train_samples:,} training and {metadata.test_samples:,} test baskets, "
            f"{metadata.products:,} products"
        )
    return metadata


def train(gold: Path, out: Path, context: Context) -> TrainingRecord:
    """Run training into a folder."""
    with context.reporter.stage("training") as log:
        context.platform.train(TrainingJob(gold, out), context.config, log.tick)
        record = TrainingRecord.model_validate_json((out / RECORD_FILE).read_bytes())
        best = next(c for c in record.candidates if c.model == record.winner)
        log.finish(
            f"{len(record.candidates)} candidates; best cross-validated macro-F1: "
            f"{record.winner} {shown(best.cv_f1_mean or 0)}"
        )
    return record


def find_champion(
    registry: Registry, silver: Path, gold: Path, config: Config
) -> ChampionPredictions | None:
    """Score the test baskets with the champion, if the gate asks for it and there is one."""
    if not config.gate.champion:
        return None
    from basketwise.serving.champion import champion_predictions

    return champion_predictions(registry, silver, gold)


def evaluate(
    gold: Path,
    trained: Path,
    champion: ChampionPredictions | None,
    run: Run,
    context: Context,
) -> Evaluation:
    """Judge a training; leaves report, pictures and ``model.tar.gz`` beside it."""
    with context.reporter.stage("evaluation") as log:
        evaluation = run_evaluation(gold, trained, context.config, champion, run)
        winner = evaluation.report["winner"]
        log.finish(
            f"test accuracy {shown(winner['accuracy']['estimate'])}, "
            f"macro-F1 {shown(winner['macro_f1']['estimate'])}"
        )
    return evaluation


def publish(run_id: str, staging: Staging, context: Context, *, data: bool) -> Path:
    """Move what was staged to its places in the workspace."""
    workspace = context.workspace
    if data:
        workspace.publish(staging.silver, SILVER)
        workspace.publish(staging.gold, GOLD)
    workspace.publish(staging.artifacts, f"{ARTIFACTS}/{run_id}")
    return workspace.folder(ARTIFACTS) / run_id


def register(
    registry: Registry, run_id: str, folder: Path, evaluation: Evaluation, context: Context
) -> ModelVersion:
    """Keep the run's model in the registry, approved if the gate said so."""
    with context.reporter.stage("registry") as log:
        version = registry.register(
            submission(run_id, folder, evaluation.report, context.config), who=GATE
        )
        state = ApprovalState.APPROVED if evaluation.decision.approved else ApprovalState.PENDING
        version = registry.set_state(
            version.version, state, who=GATE, why=evaluation.decision.description
        )
        log.finish(f"version {version.version} is {version.state}")
    return version


def export(registry: Registry, version: ModelVersion, context: Context) -> Path | None:
    """Write the deployment configuration of an approved version; None if it is not."""
    if version.state is not ApprovalState.APPROVED:
        return None
    folder = context.workspace.folder(DEPLOYMENT_CONFIGS)
    with context.reporter.stage("export") as log:
        path = export_version(registry, version, folder, context.config.deployment)
        log.finish(path.name)
    return path


def registry_of(context: Context) -> Registry:
    """Open the workspace's registry, or the server that the config names."""
    return open_registry(context.config.registry, context.workspace.folder(REGISTRY))


def has_registry(context: Context) -> bool:
    """Whether there is a registry to ask; the embedded one appears with the first run."""
    embedded = context.workspace.folder(REGISTRY) / DATABASE
    return bool(context.config.registry.uri) or embedded.is_file()

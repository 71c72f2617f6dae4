"""The evaluation."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from basketwise.config import Config
from basketwise.etl.gold.cohorts import COHORTS_FILE
from basketwise.evaluation.champion import Earlier, NoChampion, NotScored
from basketwise.evaluation.stage import OtherSplits, run_evaluation
from basketwise.files import MANIFEST, REPORT_JSON
from basketwise.platforms.protocol import EvaluationJob
from basketwise.registry.memory import best_first
from basketwise.registry.protocol import ModelVersion, Registry
from basketwise.report.numbers import shown
from basketwise.report.types.document import Report, read_report
from basketwise.report.types.scores import SplitScores
from basketwise.run.cache import Cached, Outcome, Stale, look_up
from basketwise.run.context import Context
from basketwise.run.etl import Data
from basketwise.run.record import (
    Step,
    config_of,
    file_name,
    planned,
    read_step,
    require_step,
    seal,
    verified_step,
)
from basketwise.run.training import Trained, copy_training
from basketwise.run.workspace import ARTIFACTS, GOLD, SILVER, Staging, Workspace
from basketwise.training.record import TrainingRecord

COUNTED = 100
"""Runs, the latest, among which those on the same test baskets are counted."""


@dataclass(frozen=True)
class Evaluated:
    """An evaluation."""

    folder: Path
    report: Report
    outcome: Outcome


def evaluate(
    data: Data,
    trained: Trained,
    staging: Staging,
    run_id: str,
    registry: Registry | None,
    context: Context,
    *,
    all_splits: bool = False,
) -> Evaluated:
    """Evaluate a training into staging, or take its earlier evaluation if that is still valid.

    If the training is not in staging, it is copied there beside its evaluation. With ``all_splits``
    the winner's algorithm is also measured on the splits that were not chosen.
    """
    with context.reporter.stage("evaluation") as log:
        steps = {
            "silver": require_step("silver", data.silver),
            "gold": require_step("gold", data.gold),
            "training": require_step("training", trained.folder),
        }
        config = config_of(context.config, steps.values())
        # Asked once: what decides whether to evaluate again is what the winner is compared with.
        version = registry.champion() if registry and context.config.gate.champion else None
        better = _better_than(version, registry, context.config.gate.memory)
        inputs = {name: step.digest for name, step in steps.items()} | {
            "champion": _named(version),
            "best": _named(better[0] if better else version),
            "splits": "all" if all_splits else "the chosen one",
        }
        plan = planned("evaluation", inputs, config)
        decision: Cached | Stale = Stale(("the models are new",))
        if not trained.outcome.ran or context.force:
            compared = _with_own_champion(plan, trained, version)
            decision = look_up(compared, [trained.folder], force=context.force)
        if isinstance(decision, Cached):
            folder = decision.folder
            report = read_report(folder / REPORT_JSON)
        else:
            folder = staging.artifacts
            if trained.folder != folder:
                copy_training(trained.folder, folder)

            def other_splits(record: TrainingRecord) -> list[SplitScores]:
                from basketwise.evaluation.splits import score_other_splits

                scratch = staging.scratch / "splits"
                silver = _files("silver", data, context)
                return score_other_splits(silver, scratch, record.winner, config, log.tick)

            block = steps["gold"].outputs.get(COHORTS_FILE, "")
            job = EvaluationJob(
                gold=data.gold,
                out=folder,
                run=context.started_run(run_id, data.source),
                inputs=inputs,
                looks=looks_at(block, run_id, context.workspace),
                champion=version,
                better=better,
                fetch=registry.fetch if registry else None,
            )
            lost = None if all_splits else context.platform.evaluate(job, config, log.tick)
            if lost is None:
                splits = other_splits if all_splits else None
                lost = _evaluated_here(job, data, staging, config, context, splits)
            report = read_report(folder / REPORT_JSON)
            for name in sorted(lost):
                # It may be restored: the next run asks again.
                asked = f"{plan.inputs[name]}, which could not be opened"
                plan = plan.model_copy(update={"inputs": plan.inputs | {name: asked}})
            others = {*steps["training"].outputs, file_name("training")}
            seal(plan, folder, [path for path in folder.iterdir() if path.name not in others])
        outcome = Outcome("evaluation", decision)
        winner = report["winner"]
        log.finish(
            f"test accuracy {shown(winner['accuracy']['estimate'])}, "
            f"macro-F1 {shown(winner['macro_f1']['estimate'])}; {outcome}"
        )
    return Evaluated(folder, report, outcome)


def _with_own_champion(plan: Step, trained: Trained, champion: ModelVersion | None) -> Step:
    """Let a model that has become the champion count as compared with what it was then."""
    earlier = read_step("evaluation", trained.folder)
    if earlier is None or champion is None or champion.workspace:
        return plan
    if champion.run_id != trained.folder.name:
        return plan
    inputs = plan.inputs | {name: earlier.inputs.get(name, "") for name in ("champion", "best")}
    return plan.model_copy(update={"inputs": inputs})


def _named(version: ModelVersion | None) -> str:
    return f"version {version.version} ({version.sha256[:12]})" if version else "none"


def _better_than(
    champion: ModelVersion | None, registry: Registry | None, memory: int
) -> list[ModelVersion]:
    """Return the versions of the gate's memory that are better than the champion, best first."""
    if champion is None or registry is None or memory == 1:
        return []
    ranked = best_first(registry.versions(), memory)
    names = [version.version for version in ranked]
    return ranked[: names.index(champion.version)] if champion.version in names else ranked


def _evaluated_here(
    job: EvaluationJob,
    data: Data,
    staging: Staging,
    config: Config,
    context: Context,
    other_splits: OtherSplits | None,
) -> frozenset[str]:
    """Evaluate in this process; return what of ``champion`` and ``best`` could not be opened.

    The lines of silver are only fetched where a version has to score them.
    """
    gold = _files("gold", data, context)
    earlier = Earlier(NoChampion(), looks=job.looks)
    if job.champion is not None and job.fetch is not None:
        from basketwise.serving.champion import score_earlier

        silver = _files("silver", data, context)
        better = [version.version for version in job.better]
        champion, beside = job.champion.version, staging.scratch
        earlier = score_earlier(job.fetch, champion, better, silver, gold, beside, looks=job.looks)
    run_evaluation(gold, job.out, config, earlier, job.run, other_splits)
    return broken(earlier)


def _files(stage: Literal["silver", "gold"], data: Data, context: Context) -> Path:
    """Return the files of silver or gold, which are fetched if only their record is here."""
    if not context.platform.in_place:
        return data.silver if stage == "silver" else data.gold
    folder = context.workspace.folder(SILVER if stage == "silver" else GOLD)
    verified_step(stage, folder)
    return folder


def broken(earlier: Earlier) -> frozenset[str]:
    """Return what of ``champion`` and ``best`` has an archive that cannot be opened."""
    rivals = {"champion": (earlier.champion,), "best": earlier.lost}
    return frozenset(
        name
        for name, versions in rivals.items()
        if any(isinstance(lost, NotScored) and lost.broken for lost in versions)
    )


def looks_at(block: str, run: str, workspace: Workspace) -> int:
    """Count the other runs in the workspace that were evaluated on the same test baskets.

    ``block`` is the digest of ``test_baskets.parquet``, which every run's manifest names.
    """

    def is_one(manifest: bytes) -> bool:
        with suppress(ValueError, AttributeError):
            outputs = json.loads(manifest).get("outputs", {})
            return bool(outputs.get(COHORTS_FILE) == block)
        return False

    others = [name for name in workspace.runs()[-COUNTED:] if name != run]
    manifests = workspace.storage.read_each([f"{ARTIFACTS}/{name}/{MANIFEST}" for name in others])
    return sum(map(is_one, manifests.values()))

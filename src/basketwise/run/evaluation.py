"""The evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from basketwise.errors import InputError
from basketwise.etl.cohorts import COHORTS_FILE
from basketwise.evaluation.champion import Earlier, NoChampion, NotScored, Scored
from basketwise.evaluation.stage import run_evaluation
from basketwise.files import MANIFEST, REPORT_JSON
from basketwise.registry.memory import best_first
from basketwise.registry.protocol import ModelVersion, Registry
from basketwise.report.numbers import shown
from basketwise.report.types import Report, SplitScores, read_report
from basketwise.run.cache import Cached, Outcome, Stale, look_up
from basketwise.run.context import Context
from basketwise.run.etl import Data
from basketwise.run.record import Step, config_of, file_name, planned, read_step, require_step, seal
from basketwise.run.training import Trained, copy_training
from basketwise.run.workspace import ARTIFACTS, Staging, Workspace
from basketwise.training.record import TrainingRecord

TRIED = 3
"""Versions of the memory that are tried at most, where the archives of the best are lost."""

READERS = 8
"""Manifests read at the same time."""

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
                return score_other_splits(data.silver, scratch, record.winner, config, log.tick)

            block = steps["gold"].outputs.get(COHORTS_FILE, "")
            earlier = Earlier(NoChampion(), looks=looks_at(block, run_id, context.workspace))
            if registry is not None and version is not None:
                earlier = _scored(earlier, version, better, registry, data, staging)
            report = run_evaluation(
                data.gold,
                folder,
                config,
                earlier,
                context.started_run(run_id, data.source),
                other_splits if all_splits else None,
            )
            for name, other in (("champion", earlier.champion), ("best", earlier.lost)):
                broken = other if isinstance(other, tuple) else (other,)
                if any(isinstance(lost, NotScored) and lost.broken for lost in broken):
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


def _scored(
    earlier: Earlier,
    champion: ModelVersion,
    better: Sequence[ModelVersion],
    registry: Registry,
    data: Data,
    staging: Staging,
) -> Earlier:
    """Score the test baskets with the champion, and with the best version that can be had."""
    from basketwise.serving.champion import score_champion

    def score(version: ModelVersion) -> Scored | NotScored:
        return score_champion(registry, version.version, data.silver, data.gold, staging.scratch)

    lost: list[NotScored] = []
    best = None
    for version in better[:TRIED]:
        result = score(version)
        if isinstance(result, Scored):
            best = result
            break
        lost.append(result)
    return Earlier(score(champion), best, tuple(lost), earlier.looks)


def looks_at(block: str, run: str, workspace: Workspace) -> int:
    """Count the other runs in the workspace that were evaluated on the same test baskets.

    ``block`` is the digest of ``test_baskets.parquet``, which every run's manifest names.
    """

    def is_one(name: str) -> bool:
        with suppress(InputError, ValueError, AttributeError):
            manifest = json.loads(workspace.storage.read(f"{ARTIFACTS}/{name}/{MANIFEST}"))
            return bool(manifest.get("outputs", {}).get(COHORTS_FILE) == block)
        return False

    others = [name for name in workspace.runs()[-COUNTED:] if name != run]
    # From a bucket, one after the other takes seconds.
    with ThreadPoolExecutor(READERS) as pool:
        return sum(pool.map(is_one, others))

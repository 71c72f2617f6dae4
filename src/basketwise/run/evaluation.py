"""The evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from basketwise.evaluation.champion import Champion, NoChampion, NotScored
from basketwise.evaluation.stage import run_evaluation
from basketwise.files import REPORT_JSON
from basketwise.registry.protocol import ModelVersion, Registry
from basketwise.report.numbers import shown
from basketwise.report.types import Report, SplitScores, read_report
from basketwise.run.cache import Cached, Outcome, Stale, look_up
from basketwise.run.context import Context
from basketwise.run.etl import Data
from basketwise.run.record import Step, config_of, file_name, planned, read_step, require_step, seal
from basketwise.run.training import Trained, copy_training
from basketwise.run.workspace import Staging
from basketwise.training.record import TrainingRecord


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
        inputs = {name: step.digest for name, step in steps.items()} | {
            "champion": f"version {version.version} ({version.sha256[:12]})" if version else "none",
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

            champion: Champion = NoChampion()
            if registry is not None and version is not None:
                from basketwise.serving.champion import score_champion

                champion = score_champion(
                    registry, version.version, data.silver, data.gold, staging.scratch
                )
            report = run_evaluation(
                data.gold,
                folder,
                config,
                champion,
                context.started_run(run_id, data.source),
                other_splits if all_splits else None,
            )
            if isinstance(champion, NotScored) and champion.broken:
                # It may be restored: the next run asks again.
                asked = f"{plan.inputs['champion']}, which could not be opened"
                plan = plan.model_copy(update={"inputs": plan.inputs | {"champion": asked}})
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
    if earlier is None or champion is None or champion.run_id != trained.folder.name:
        return plan
    inputs = plan.inputs | {"champion": earlier.inputs.get("champion", "")}
    return plan.model_copy(update={"inputs": inputs})

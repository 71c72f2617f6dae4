"""The evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from basketwise.evaluation.champion import Champion, NoChampion
from basketwise.evaluation.outputs import REPORT_JSON
from basketwise.evaluation.stage import run_evaluation
from basketwise.registry.protocol import ModelVersion, Registry
from basketwise.report.numbers import shown
from basketwise.report.types import Report, Run, SplitScores, read_report
from basketwise.run.context import Context
from basketwise.run.etl import Data
from basketwise.run.outcome import FORCED, Outcome, tell
from basketwise.run.record import (
    Step,
    file_name,
    found,
    made_with,
    planned,
    recorded,
    seal,
    why_again,
)
from basketwise.run.training import Trained, bring
from basketwise.run.workspace import Staging
from basketwise.training.record import TrainingRecord

NO_CHAMPION = "none"


@dataclass(frozen=True)
class Judged:
    """An evaluation: where it lies, what it found."""

    folder: Path
    report: Report
    outcome: Outcome


def evaluate(
    data: Data,
    trained: Trained,
    staging: Staging,
    run: Run,
    registry: Registry | None,
    context: Context,
    *,
    all_splits: bool = False,
) -> Judged:
    """Judge a training in staging, or take the judgement that was passed on it before.

    Parameters
    ----------
    data, trained : Data, Trained
        What to judge.
    staging : Staging
        ``artifacts`` gets the evaluation, and the training beside it if it lies elsewhere.
    run : Run
        The run that this would be.
    registry : Registry or None
        Holds the champion; None: there is none.
    context : Context
        The run's surroundings.
    all_splits : bool
        Whether the winner's algorithm is also measured on the splits that were not chosen.
    """
    with context.reporter.stage("evaluation") as log:
        steps = {
            "silver": recorded("silver", data.silver),
            "gold": recorded("gold", data.gold),
            "training": recorded("training", trained.folder),
        }
        config = made_with(context.config, steps.values())
        # Asked once: what decides whether to evaluate again is what the winner is compared with.
        version = registry.champion() if registry and context.config.gate.champion else None
        inputs = {name: step.digest for name, step in steps.items()} | {
            "champion": _champion_name(version),
            "splits": "all" if all_splits else "the chosen one",
        }
        plan = planned("evaluation", inputs, config)
        why = "the models are new" if trained.outcome.why else _why_again(plan, trained, version)
        if context.force:
            why = FORCED
        if not why:
            folder = trained.folder
            report = read_report(folder / REPORT_JSON)
        else:
            folder = staging.artifacts
            if trained.folder != folder:
                bring(trained.folder, folder)

            def other_splits(record: TrainingRecord) -> list[SplitScores]:
                from basketwise.evaluation.splits import score_other_splits

                scratch = staging.scratch / "splits"
                return score_other_splits(data.silver, scratch, record.winner, config, log.tick)

            champion: Champion = NoChampion()
            if registry is not None and version is not None:
                from basketwise.serving.champion import score_champion

                champion = score_champion(registry, version.version, data.silver, data.gold)
            report = run_evaluation(
                data.gold,
                folder,
                config,
                champion,
                run,
                other_splits if all_splits else None,
            )
            _seal_evaluation(plan, folder)
        outcome = Outcome("evaluation", why)
        winner = report["winner"]
        tell(
            log,
            outcome,
            f"test accuracy {shown(winner['accuracy']['estimate'])}, "
            f"macro-F1 {shown(winner['macro_f1']['estimate'])}",
        )
    return Judged(folder, report, outcome)


def _champion_name(champion: ModelVersion | None) -> str:
    """Name what the challenger is compared with."""
    return f"version {champion.version} ({champion.sha256[:12]})" if champion else NO_CHAMPION


def _why_again(plan: Step, trained: Trained, champion: ModelVersion | None) -> str:
    """Say why a training must be judged again."""
    earlier = found("evaluation", trained.folder)
    if earlier is not None and champion is not None and champion.run_id == trained.folder.name:
        # The champion is this very model: what it was compared with then still counts.
        seen = plan.inputs | {"champion": earlier.inputs.get("champion", "")}
        plan = plan.model_copy(update={"inputs": seen})
    return why_again(plan, trained.folder)


def _seal_evaluation(plan: Step, folder: Path) -> None:
    others = {*recorded("training", folder).outputs, file_name("training")}
    seal(plan, folder, [path for path in folder.iterdir() if path.name not in others])

"""The evaluation."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from basketwise.context import Context
from basketwise.evaluation.metrics import shown
from basketwise.evaluation.report_types import Run, SplitScores
from basketwise.evaluation.stage import Evaluation, read_evaluation, run_evaluation
from basketwise.registry.protocol import Registry
from basketwise.steps.data import Data
from basketwise.steps.outcome import FORCED, Outcome, tell
from basketwise.steps.record import Step, digest_of, file_name, found, planned, seal, why_again
from basketwise.steps.training import Trained
from basketwise.training.record import TrainingRecord
from basketwise.workspace import Staging


@dataclass(frozen=True)
class Judged:
    """An evaluation: where it lies, what it found."""

    folder: Path
    evaluation: Evaluation
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
        inputs = {
            "training": digest_of("training", trained.folder),
            "gold": digest_of("gold", data.gold),
            "champion": _champion_name(registry, trained, context),
            "splits": "all" if all_splits else "the chosen one",
        }
        plan = planned("evaluation", inputs, context.config)
        why = "the models are new" if trained.outcome.why else why_again(plan, trained.folder)
        if context.force:
            why = FORCED
        if not why:
            folder, evaluation = trained.folder, read_evaluation(trained.folder)
        else:
            folder = staging.artifacts
            _bring(trained.folder, folder)

            def other_splits(record: TrainingRecord) -> list[SplitScores]:
                from basketwise.evaluation.splits import score_other_splits

                scratch = staging.scratch / "splits"
                return score_other_splits(
                    data.silver, scratch, record.winner, context.config, log.tick
                )

            champion = None
            if registry is not None and context.config.gate.champion:
                from basketwise.serving.champion import champion_predictions

                champion = champion_predictions(registry, data.silver, data.gold)
            evaluation = run_evaluation(
                data.gold,
                folder,
                context.config,
                champion,
                run,
                other_splits if all_splits else None,
            )
            _seal_evaluation(plan, folder)
        outcome = Outcome("evaluation", why)
        winner = evaluation.report["winner"]
        tell(
            log,
            outcome,
            f"test accuracy {shown(winner['accuracy']['estimate'])}, "
            f"macro-F1 {shown(winner['macro_f1']['estimate'])}",
        )
    return Judged(folder, evaluation, outcome)


def _champion_name(registry: Registry | None, trained: Trained, context: Context) -> str:
    """Name what the challenger is compared with."""
    champion = registry.champion() if registry and context.config.gate.champion else None
    if champion is None:
        return "none"
    earlier = found("evaluation", trained.folder)
    if earlier is not None and champion.run_id == trained.folder.name:
        # The champion is this very model: what it was compared with then still counts.
        return earlier.inputs["champion"]
    return f"version {champion.version}"


def _bring(trained: Path, folder: Path) -> None:
    """Copy a training's own files, and its record, to where it will be evaluated."""
    step = found("training", trained)
    if trained == folder or step is None:
        return
    for name in [*step.outputs, file_name("training")]:
        shutil.copyfile(trained / name, folder / name)


def _seal_evaluation(plan: Step, folder: Path) -> None:
    step = found("training", folder)
    others = {*(step.outputs if step else {}), file_name("training")}
    seal(plan, folder, [path for path in folder.iterdir() if path.name not in others])

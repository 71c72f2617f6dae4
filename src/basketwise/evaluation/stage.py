"""The evaluation stage: predictions in; scores, intervals, money, verdict and report out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.artifact import MODEL, load_model
from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.evaluation.documents import leaderboard
from basketwise.evaluation.gate import Decision, decide
from basketwise.evaluation.impact import business_impact
from basketwise.evaluation.importance import permutation_importance, telling_products
from basketwise.evaluation.intervals import (
    Bootstrap,
    Interval,
    accuracy_interval,
    macro_f1_interval,
    paired_accuracy_difference,
)
from basketwise.evaluation.metrics import confusion_matrix, scores
from basketwise.evaluation.outputs import write_outputs
from basketwise.evaluation.report_document import interval_document, report_document
from basketwise.evaluation.report_types import Champion, Report, Run
from basketwise.gold.metadata import Metadata
from basketwise.gold.tables import INDEX_FILE, TARGET, TEST_FILE
from basketwise.schema import CLASSES
from basketwise.training.examples import class_numbers, read_examples
from basketwise.training.record import TrainingRecord
from basketwise.training.stage import (
    ABLATION,
    OOF_FILE,
    RECORD_FILE,
    TEST_PREDICTIONS_FILE,
    probability_columns,
    read_metadata,
)
from basketwise.training.stage import decide as decide_classes

Labels = NDArray[np.int8]


@dataclass(frozen=True)
class ChampionPredictions:
    """What the current champion says of the test baskets.

    Attributes
    ----------
    version
        Its version in the registry.
    predicted
        One entry per test basket, in the order of the gold file; None if it could not score them.
    """

    version: str
    predicted: Labels | None


@dataclass(frozen=True)
class Evaluation:
    """What evaluation found, for the registry and the summary."""

    report: Report
    decision: Decision


def run_evaluation(
    gold: Path,
    trained: Path,
    config: Config,
    champion: ChampionPredictions | None,
    run: Run,
) -> Evaluation:
    """Judge the models of one training.

    Parameters
    ----------
    gold : Path
        The gold folder that was trained on.
    trained : Path
        What training left; gets the pictures, the JSON files, ``report.html`` and
        ``model.tar.gz``.
    config : Config
        All settings.
    champion : ChampionPredictions or None
        For the gate.
    run : Run
        Which run this is.
    """
    metadata = read_metadata(gold)
    record = _record(trained)
    predictions = pl.read_parquet(trained / TEST_PREDICTIONS_FILE)
    true = class_numbers(predictions[TARGET])
    models = [*(c.model for c in record.candidates), ABLATION]
    judged = {
        name: scores(confusion_matrix(true, predicted_class(predictions, name))) for name in models
    }
    commonest = _commonest(trained)
    judged["baseline"] = scores(confusion_matrix(true, np.full_like(true, commonest)))
    bootstrap = Bootstrap(
        config.evaluation.resamples, config.evaluation.confidence, config.training.random_state
    )
    winner = judged[record.winner]
    accuracy = accuracy_interval(winner.confusion, bootstrap)
    difference = _difference(true, predicted_class(predictions, record.winner), champion, bootstrap)
    decision = decide(
        winner.accuracy,
        winner.f1,
        champion.version if champion else None,
        difference,
        config.gate,
    )
    index = _index(gold, metadata)
    model = load_model(trained / MODEL)
    test = read_examples(gold / TEST_FILE, metadata.feature_columns)
    report = report_document(
        run=run,
        decision=decision,
        rows=leaderboard(record, judged),
        winner=(record.winner, winner, accuracy, macro_f1_interval(winner.confusion, bootstrap)),
        bootstrap=bootstrap,
        champion=_champion(champion, difference, true.size),
        importance=permutation_importance(
            model,
            test,
            baskets=config.evaluation.importance_baskets,
            repeats=config.evaluation.importance_repeats,
            seed=config.training.random_state,
        ),
        products=telling_products(index) if index is not None else {},
        impact=business_impact(winner.confusion, bootstrap, commonest, config.business),
        metadata=metadata,
        config=config,
    )
    write_outputs(trained, gold, report, record, metadata, judged, config)
    return Evaluation(report, decision)


def predicted_class(predictions: pl.DataFrame, model: str) -> Labels:
    """Return the likeliest class of each basket by one model."""
    return decide_classes(predictions.select(probability_columns(model)).to_numpy())


def _record(trained: Path) -> TrainingRecord:
    path = trained / RECORD_FILE
    if not path.is_file():
        raise InputError(
            f"{str(trained)!r} holds no finished training.", "Run 'basketwise train' first."
        )
    return TrainingRecord.model_validate_json(path.read_bytes())


def _commonest(trained: Path) -> int:
    """Return the number of the commonest class of the training part, which has these labels."""
    labels = pl.read_parquet(trained / OOF_FILE, columns=[TARGET])[TARGET]
    return int(np.argmax(np.bincount(class_numbers(labels), minlength=len(CLASSES))))


def _index(gold: Path, metadata: Metadata) -> pl.DataFrame | None:
    return pl.read_parquet(gold / INDEX_FILE) if "product" in metadata.groups else None


def _difference(
    true: Labels, challenger: Labels, champion: ChampionPredictions | None, bootstrap: Bootstrap
) -> Interval | None:
    if champion is None or champion.predicted is None:
        return None
    return paired_accuracy_difference(true, challenger, champion.predicted, bootstrap)


def _champion(
    champion: ChampionPredictions | None, difference: Interval | None, rows: int
) -> Champion | None:
    if champion is None or difference is None:
        return None
    return Champion(
        version=champion.version,
        accuracy_difference=interval_document(difference),
        test_rows=rows,
    )

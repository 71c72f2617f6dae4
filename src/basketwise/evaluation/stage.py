"""The evaluation stage: predictions in; scores, intervals, money, verdict and report out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from basketwise.arrays import Labels
from basketwise.concurrency import abandoning_pool
from basketwise.config import Config
from basketwise.digests import sha256
from basketwise.etl.gold.cohorts import COHORTS_FILE, CUSTOMER, read_cohorts, units_of
from basketwise.etl.gold.metadata import Metadata, read_metadata
from basketwise.etl.gold.tables import INDEX_FILE, TEST_FILE, class_numbers
from basketwise.evaluation.champion import Champion, Earlier, Scored
from basketwise.evaluation.face_validity import face_validity
from basketwise.evaluation.findings import BASELINE, BEST, CHAMPION, Findings
from basketwise.evaluation.gate import Decision, Evidence, decide, memory_confidence
from basketwise.evaluation.impact import business_impact
from basketwise.evaluation.importance import feature_importance, informative_products
from basketwise.evaluation.intervals import Bootstrap, Resampled, resample
from basketwise.evaluation.outputs import write_outputs
from basketwise.evaluation.reliability import reliability
from basketwise.evaluation.rule import describe_rule
from basketwise.evaluation.slices import slice_tables
from basketwise.evaluation.summary import report_document
from basketwise.features.groups import of_index
from basketwise.files import MODEL, OOF_FILE, TEST_PREDICTIONS_FILE
from basketwise.report.types.calibration import Calibration
from basketwise.report.types.document import Report
from basketwise.report.types.run import StartedRun
from basketwise.report.types.scores import SplitScores
from basketwise.schema import CLASSES, TARGET
from basketwise.training.calibration import read_calibration
from basketwise.training.examples import read_examples
from basketwise.training.metrics import confusion_matrix, scores
from basketwise.training.persistence import load_model
from basketwise.training.predictions import CALIBRATED, predicted_class, probability_columns
from basketwise.training.record import TrainingRecord, read_record

OtherSplits = Callable[[TrainingRecord], list[SplitScores]]
"""Scores of the winner's algorithm on the splits that were not chosen."""


def run_evaluation(
    gold: Path,
    trained: Path,
    config: Config,
    earlier: Champion | Earlier,
    run: StartedRun,
    other_splits: OtherSplits | None = None,
) -> Report:
    """Evaluate the models of one training.

    Parameters
    ----------
    gold, trained : Path
        The gold folder that was trained on; what training left, which gets the pictures, the JSON
        files, ``report.html`` and ``model.tar.gz``.
    config : Config
        All settings.
    earlier : Champion or Earlier
        What the gate compares the winner with; a champion alone is one without a memory.
    run : StartedRun
        Which run this is.
    other_splits : callable or None
        Measures the other splits; None leaves them out.
    """
    if not isinstance(earlier, Earlier):
        earlier = Earlier(earlier)
    # One BLAS thread, as in training: the order of sums must not depend on the machine.
    with threadpool_limits(1, user_api="blas"):
        findings = _measure(gold, trained, config, earlier, other_splits)
    report = report_document(run.document(), findings, config, run.commit)
    write_outputs(trained, gold, report, run, findings)
    return report


def _measure(
    gold: Path, trained: Path, config: Config, earlier: Earlier, other_splits: OtherSplits | None
) -> Findings:
    metadata = read_metadata(gold)
    record = read_record(trained)
    predictions = pl.read_parquet(trained / TEST_PREDICTIONS_FILE, glob=False)
    true = class_numbers(predictions[TARGET])
    majority = _majority(trained)
    predicted = _all_predicted(predictions, record, majority)
    cohorts = read_cohorts(gold)
    units = units_of(cohorts[CUSTOMER]) if config.evaluation.resample == "customers" else None
    bootstrap = Bootstrap(
        config.evaluation.resamples, config.evaluation.confidence, config.training.random_state
    )
    rivals = {CHAMPION: earlier.champion, BEST: earlier.best}
    answers = {name: rival.predicted for name, rival in rivals.items() if isinstance(rival, Scored)}
    index = pl.read_parquet(gold / INDEX_FILE, glob=False) if of_index(metadata.groups) else None
    test = read_examples(gold / TEST_FILE, metadata.feature_columns)
    with abandoning_pool(1) as beside:
        resampling = beside.submit(resample, true, predicted | answers, units, bootstrap)
        importance = feature_importance(
            load_model(trained / MODEL),
            test,
            baskets=config.evaluation.importance_baskets,
            repeats=config.evaluation.importance_repeats,
            seed=config.training.random_state,
        )
        rule = describe_rule(gold, test, predicted[record.winner], majority, metadata)
        calibration = _calibration(trained, predictions, record, true)
        resampled = resampling.result()
    decision = _decide(resampled, record.winner, earlier, metadata, config)
    return Findings(
        metadata=metadata,
        record=record,
        scores={name: scores(confusion_matrix(true, by)) for name, by in predicted.items()},
        resampled=resampled,
        by_customer=units is not None,
        champion=earlier.champion,
        best=earlier.best,
        block=sha256(gold / COHORTS_FILE),
        looks=None if earlier.looks is None else earlier.looks + 1,
        decision=decision,
        calibration=calibration,
        slices=slice_tables(
            cohorts,
            true,
            predicted[record.winner],
            units,
            config.evaluation.slices,
            config.evaluation.confidence,
        ),
        splits=[
            _chosen_split(resampled, record, metadata),
            *(other_splits(record) if other_splits else []),
        ],
        importance=importance,
        products=informative_products(index) if index is not None else {},
        rule=rule,
        face_validity=face_validity(index, bootstrap.confidence) if index is not None else None,
        # A model that is not approved earns nothing: no figure must suggest otherwise.
        impact=business_impact(
            resampled, record.winner, majority, config.business, config.data.currency
        )
        if decision.approved
        else None,
    )


def _all_predicted(
    predictions: pl.DataFrame, record: TrainingRecord, majority: int
) -> dict[str, Labels]:
    """Return every model's predictions; the winner's as it is shipped, that is calibrated."""
    models = [trained.model for trained in (*record.candidates, *record.references)]
    predicted = {name: predicted_class(predictions, name) for name in models}
    predicted[record.winner] = predicted_class(predictions, CALIBRATED)
    predicted[BASELINE] = np.full(predictions.height, majority, dtype=np.int8)
    return predicted


def _majority(trained: Path) -> int:
    """Return the number of the majority class of the training set."""
    labels = pl.read_parquet(trained / OOF_FILE, columns=[TARGET], glob=False)[TARGET]
    return int(np.argmax(np.bincount(class_numbers(labels), minlength=len(CLASSES))))


def _decide(
    resampled: Resampled, winner: str, earlier: Earlier, metadata: Metadata, config: Config
) -> Decision:
    champion, best = earlier.champion, earlier.best
    surer = resampled.at(memory_confidence(resampled.bootstrap.confidence))
    evidence = Evidence(
        accuracy=resampled.accuracy(winner),
        macro_f1=resampled.macro_f1(winner),
        confidence=resampled.bootstrap.confidence,
        champion=champion,
        difference=resampled.accuracy_difference(winner, CHAMPION)
        if isinstance(champion, Scored)
        else None,
        best=best,
        best_difference=surer.accuracy_difference(winner, BEST) if best else None,
        lost=earlier.lost,
        test_baskets=int(resampled.confusion(winner).sum()),
        lines_read=metadata.lines.read,
        lines_rejected=metadata.lines.rejected,
        skipped=[file.name for file in metadata.skipped if file.is_data],
        history=metadata.history,
    )
    return decide(evidence, config.gate)


def _calibration(
    trained: Path, predictions: pl.DataFrame, record: TrainingRecord, true: Labels
) -> Calibration:
    fitted = read_calibration(trained)
    raw, shipped = (
        reliability(
            true, predictions.select(probability_columns(name)).to_numpy().astype(np.float64)
        )
        for name in (record.winner, CALIBRATED)
    )
    return Calibration(
        method=fitted.method, description=fitted.description, raw=raw, shipped=shipped
    )


def _chosen_split(resampled: Resampled, record: TrainingRecord, metadata: Metadata) -> SplitScores:
    return SplitScores(
        strategy=metadata.split.strategy,
        chosen=True,
        train_baskets=metadata.train_samples,
        test_baskets=metadata.test_samples,
        accuracy=resampled.accuracy(record.winner),
        macro_f1=resampled.macro_f1(record.winner),
        reason=None,
    )

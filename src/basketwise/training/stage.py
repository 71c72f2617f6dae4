"""The training stage: gold in; the winner, all predictions and what training knows of them out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from basketwise.arrays import Floats, Matrix, Probabilities, spaced
from basketwise.concurrency import abandoning_pool
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import InputError
from basketwise.etl.gold.metadata import Metadata, read_metadata
from basketwise.etl.gold.tables import HIDDEN_FILE, TEST_FILE, TRAIN_FILE
from basketwise.features.groups import ALWAYS_WRITTEN, columns_of
from basketwise.files import (
    CALIBRATION_FILE,
    JOBLIB,
    MODEL,
    NOVELTY,
    OOF_FILE,
    RECORD_FILE,
    TEST_PREDICTIONS_FILE,
)
from basketwise.progress import Tick
from basketwise.schema import CLASSES
from basketwise.training.answering import Answered, Ask, Model, answered
from basketwise.training.calibrating import fit_calibration
from basketwise.training.calibration import (
    Calibration,
    NewProducts,
)
from basketwise.training.candidates import Classifier
from basketwise.training.checkpoints import Checkpoints, training_key
from basketwise.training.crossvalidation import CrossValidated
from basketwise.training.distributed import (
    XGBOOST,
    Boost,
    fit_distributed,
    require_boost,
    rows_of,
    stored_facts,
)
from basketwise.training.elimination import Judge
from basketwise.training.examples import Examples, read_examples
from basketwise.training.fitting import Fitted
from basketwise.training.novelty import Novelty, calibrated, fit_novelty
from basketwise.training.persistence import dump_model
from basketwise.training.predictions import CALIBRATED, write_predictions
from basketwise.training.race import Answers, Fits, train_all
from basketwise.training.record import CandidateRecord, ReferenceRecord, TrainingRecord
from basketwise.training.references import Plan, fit_references, plan_references
from basketwise.training.weights import judging_weights

JUDGED = 500_000
"""Training baskets that candidates are asked about out of fold, and that the calibration rests on,
at most: in millions of predictions there is no more to see."""
LOOKED_AT = 50_000
"""Training baskets that the training accuracy rests on, at most."""


class _Aside(NamedTuple):
    """What does not wait for the winner's fit; the answers are those of all other models."""

    plans: list[Plan]
    references: dict[str, Fitted]
    calibration: Calibration
    novelty: Novelty | None
    answers: dict[str, Answered]


def run_training(
    gold: Path,
    out: Path,
    config: TrainingConfig,
    tick: Tick,
    checkpoints: Path | None = None,
    boost: Boost | None = None,
    ask: Ask | None = None,
) -> TrainingRecord:
    """Train the candidates, choose the winner, then look at the test set once.

    Parameters
    ----------
    gold : Path
        The gold folder.
    out : Path
        Empty folder. Gets ``model.skops`` and ``model.joblib`` (the winner), ``novelty.skops`` (if
        there is a second model for baskets with new products), ``calibration.json``,
        ``oof_predictions.parquet``, ``test_predictions.parquet`` (see
        :func:`basketwise.training.predictions.write_predictions`; the references and the
        calibrated winner are in the latter too) and ``training.json``.
    config : TrainingConfig
        Settings.
    tick : callable
        Called with the progress.
    checkpoints : Path or None
        Folder for finished pieces; a training that finds pieces of its own there goes on from them
        and ends with the same result. None: none are stored.
    boost : callable, optional
        Makes XGBoost's final fit elsewhere, if XGBoost wins; needed with
        ``training.xgboost_on_spark``.
    ask : callable, optional
        Asks the models about the test set elsewhere.

    Raises
    ------
    InputError
        If gold is absent or does not suit the settings.
    ConfigError
        If a setting cannot be used.
    """
    require_boost(config, boost)
    metadata = read_metadata(gold)
    both = _read(gold / TRAIN_FILE, metadata, gold / HIDDEN_FILE)
    train = both.real
    _check_folds(train, config)
    seen = both.only(metadata.feature_columns)
    forward = bool(metadata.split.forward_weeks)
    pieces = Checkpoints(checkpoints, training_key(gold, config))
    # One BLAS thread: what a matrix product adds up first must not depend on the machine.
    with threadpool_limits(1, user_api="blas"):
        judged = seen.evenly(JUDGED)
        judge = Judge(judged, judging_weights(judged, forward, metadata.new_products), forward)
        elsewhere: dict[ModelName, Callable[[], Fitted]] = {}
        if boost is not None:
            rows = rows_of(gold, seen)
            elsewhere[XGBOOST] = partial(fit_distributed, boost, rows, seen, config, pieces)
        # A calibration takes nothing from the test set.
        weights = judging_weights(judged, forward)
        test = _read(gold / TEST_FILE, metadata)
        some = train.take(spaced(train.y.size, LOOKED_AT))
        columns = metadata.feature_columns
        of_test = None if ask is None else partial(ask, path=gold / TEST_FILE)
        with abandoning_pool(1) as beside:

            def meanwhile(winner: ModelName, known: Answers, fits: Fits) -> _Aside:
                plans = plan_references(winner, metadata.groups)
                fitting = beside.submit(fit_references, plans, both, config, pieces)
                write_predictions(out / OOF_FILE, train, _of_all(train, judged, known))
                calibration, novelty = _corrected(judged, known[winner], weights, config)
                # A winner of millions of baskets is long not fitted when all others are.
                losers = {name: fit.result() for name, fit in fits.items() if name != winner}
                references = fitting.result()
                models = {name: Model(fitted, columns) for name, fitted in losers.items()}
                models |= {plan.name: Model(references[plan.name], plan.columns) for plan in plans}
                answers = answered(models, test, some, of_test)
                return _Aside(plans, references, calibration, novelty, answers)

            race, aside = train_all(seen, config, tick, judge, pieces, meanwhile, elsewhere)
        winner, fitted = race.winner, race.fitted
        references, plans = aside.references, aside.plans
        chosen = {winner: Model(fitted[winner], columns)}
        answers = answered(chosen, test, some, of_test) | aside.answers
    tested: dict[str, Matrix | Probabilities] = {
        name: answers[name].of_test for name in (*config.models, *references)
    }
    tested[CALIBRATED] = calibrated(
        test.only(columns), tested[winner].astype(np.float64), aside.calibration, aside.novelty
    )
    record = TrainingRecord(
        winner=winner,
        candidates=[
            _candidate(name, race.scores[name], fitted[name], answers[name], metadata, pieces)
            for name in config.models
        ],
        references=[
            ReferenceRecord(
                model=plan.name,
                algorithm=plan.algorithm,
                groups=list(plan.groups),
                train_accuracy=answers[plan.name].train_accuracy,
                fit_seconds=references[plan.name].seconds,
                kind=plan.kind,
                without=plan.without,
            )
            for plan in plans
        ],
        groups=metadata.groups,
        feature_columns=metadata.feature_columns,
    )
    write_predictions(out / TEST_PREDICTIONS_FILE, test, tested)
    _write(out, fitted[winner].model, aside.novelty, aside.calibration, record)
    return record


def _read(path: Path, metadata: Metadata, more: Path | None = None) -> Examples:
    """Read gold files once, for the candidates and for the references."""
    columns = [*metadata.feature_columns, *columns_of(ALWAYS_WRITTEN)]
    return read_examples(path, list(dict.fromkeys(columns)), more)


def _check_folds(train: Examples, config: TrainingConfig) -> None:
    folds = int(train.fold.max()) + 1
    if folds != config.folds:
        raise InputError(
            f"The gold files contain {folds} folds, training.folds is {config.folds}.",
            "Folds are set when the index is learned: run 'basketwise etl' again, or set "
            f"training.folds to {folds}.",
        )


def _candidate(
    name: ModelName,
    crossed: CrossValidated,
    fitted: Fitted,
    answers: Answered,
    metadata: Metadata,
    pieces: Checkpoints,
) -> CandidateRecord:
    return CandidateRecord(
        model=name,
        algorithm=name,
        groups=metadata.groups,
        train_accuracy=answers.train_accuracy,
        cv_accuracy_mean=crossed.accuracy,
        cv_accuracy_std=crossed.accuracy_std,
        cv_f1_mean=crossed.f1,
        cv_folds=crossed.folds,
        forward_accuracy=crossed.forward_accuracy,
        forward_f1=crossed.forward_f1,
        fit_seconds=fitted.seconds,
        distributed=fitted.distributed or stored_facts(pieces, name),
    )


def _of_all(train: Examples, judged: Examples, known: Answers) -> dict[ModelName, Matrix]:
    """Return answers about all training baskets: NaN where a candidate was not asked."""
    given = spaced(train.y.size, JUDGED)
    spread = {
        name: np.full((train.y.size, len(CLASSES)), np.nan, dtype=np.float32) for name in known
    }
    for name, answers in known.items():
        spread[name][given] = answers[judged.is_real]
    return spread


def _corrected(
    rows: Examples, out_of_fold: Probabilities, weights: Floats, config: TrainingConfig
) -> tuple[Calibration, Novelty | None]:
    """Fit what corrects the winner: its calibration, and the second model if it is of use."""
    calibration = _calibrated(rows, out_of_fold, None, weights, config)
    novelty = fit_novelty(rows, out_of_fold, calibration, config)
    if novelty is not None:
        calibration = _calibrated(rows, out_of_fold, novelty, weights, config)
    return calibration, novelty


def _calibrated(
    rows: Examples,
    out_of_fold: Probabilities,
    novelty: Novelty | None,
    weights: Floats,
    config: TrainingConfig,
) -> Calibration:
    """Fit the calibration on the baskets that the winner answers for."""
    marked = rows.is_real
    if novelty is not None:
        marked &= rows.new_shares <= novelty.share
    own = np.flatnonzero(marked)
    calibration = fit_calibration(
        config.calibration, out_of_fold[own], rows.y[own], rows.fold[own], weights[own]
    )
    if novelty is None:
        return calibration
    second = NewProducts(share=novelty.share, calibration=novelty.calibration)
    return calibration.model_copy(update={"new_products": second})


def _write(
    out: Path,
    winner: Classifier,
    novelty: Novelty | None,
    calibration: Calibration,
    record: TrainingRecord,
) -> None:
    import joblib

    if novelty is not None:
        (out / NOVELTY).write_bytes(dump_model(novelty.fitted.model))
    (out / MODEL).write_bytes(dump_model(winner))
    joblib.dump(winner, out / JOBLIB, compress=3)
    documents = {CALIBRATION_FILE: calibration, RECORD_FILE: record}
    for name, document in documents.items():
        (out / name).write_text(document.model_dump_json(indent=2), encoding="utf-8")

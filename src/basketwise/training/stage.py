"""The training stage: gold in; the winner, all predictions and what training knows of them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import InputError
from basketwise.evaluation.metrics import Scores, confusion_matrix, scores
from basketwise.features.groups import columns_of
from basketwise.gold.metadata import Metadata
from basketwise.gold.tables import KEY, METADATA_FILE, TARGET, TEST_FILE, TRAIN_FILE
from basketwise.schema import CLASSES
from basketwise.split import FOLD
from basketwise.training.candidates import Classifier, Labels, Probabilities
from basketwise.training.crossval import fold_accuracies
from basketwise.training.examples import Examples, read_examples
from basketwise.training.pieces import Fitted, fit, train_all
from basketwise.training.record import Candidate, TrainingRecord

ABLATION = "without_product"
OOF_FILE = "oof_predictions.parquet"
TEST_PREDICTIONS_FILE = "test_predictions.parquet"
RECORD_FILE = "training.json"

Tick = Callable[[str, int, int], None]


def run_training(gold: Path, out: Path, config: TrainingConfig, tick: Tick) -> TrainingRecord:
    """Train the candidates, choose the winner, then look at the test part once.

    Parameters
    ----------
    gold : Path
        The gold folder.
    out : Path
        Empty folder. Gets ``model.skops`` and ``model.joblib`` (the winner),
        ``oof_predictions.parquet`` and ``test_predictions.parquet`` (one row per basket:
        ``basket_id``, ``price_sensitivity``, and per model ``<model>_p_low``, ``_p_medium``,
        ``_p_high``) and ``training.json``.
    config : TrainingConfig
        Settings.
    tick : callable
        Told of progress.

    Raises
    ------
    InputError
        If gold is absent or does not suit the settings.
    """
    metadata = read_metadata(gold)
    train, basket_only = _read_both(gold / TRAIN_FILE, metadata.feature_columns)
    _check_folds(train, config)
    # One BLAS thread: what a matrix product adds up first must not depend on the machine.
    with threadpool_limits(1, user_api="blas"):
        out_of_fold, fitted = train_all(train, config, tick)
        chosen = _winner(train, out_of_fold, config)
        reference = fit(chosen, basket_only, config)
    train_scores: dict[str, Scores] = {
        name: _scored(train, one.predict(train.X)) for name, one in fitted.items()
    }
    train_scores[ABLATION] = _scored(basket_only, reference.predict(basket_only.X))
    test, test_basket = _read_both(gold / TEST_FILE, metadata.feature_columns)
    predictions: dict[str, Probabilities] = {
        name: one.predict(test.X) for name, one in fitted.items()
    }
    predictions[ABLATION] = reference.predict(test_basket.X)
    record = TrainingRecord(
        winner=chosen,
        candidates=[
            _candidate(
                name, train, out_of_fold[name], fitted[name], train_scores[name], metadata.groups
            )
            for name in config.models
        ],
        ablation=Candidate(
            model=ABLATION,
            algorithm=chosen,
            groups=["basket"],
            train_accuracy=train_scores[ABLATION].accuracy,
            fit_seconds=reference.seconds,
        ),
        groups=metadata.groups,
        feature_columns=metadata.feature_columns,
    )
    _write(out, train, out_of_fold, test, predictions, record, fitted[chosen].model)
    return record


def probability_columns(model: str) -> list[str]:
    """Name the columns that hold a model's probabilities in the prediction files."""
    return [f"{model}_p_{label.lower()}" for label in CLASSES]


def _read_both(path: Path, columns: list[str]) -> tuple[Examples, Examples]:
    """Read a gold file once, for the candidates and for the model without the product group."""
    basket = columns_of(["basket"])
    everything = read_examples(path, list(dict.fromkeys([*columns, *basket])))
    return everything.only(columns), everything.only(basket)


def read_metadata(gold: Path) -> Metadata:
    """Read ``metadata.json`` of a gold folder."""
    path = gold / METADATA_FILE
    if not path.is_file():
        raise InputError(f"There is no gold data in {str(gold)!r}.", "Run 'basketwise etl' first.")
    return Metadata.model_validate_json(path.read_bytes())


def _check_folds(train: Examples, config: TrainingConfig) -> None:
    held = int(train.fold.max()) + 1
    if held != config.folds:
        raise InputError(
            f"The gold files hold {held} folds, training.folds is {config.folds}.",
            "Folds are set when the index is learned: run 'basketwise etl' again, or set "
            f"training.folds to {held}.",
        )


def _winner(
    train: Examples, out_of_fold: dict[ModelName, Probabilities], config: TrainingConfig
) -> ModelName:
    """Choose the best cross-validated macro-F1; of equals, the one named first."""
    return max(config.models, key=lambda name: _scored(train, out_of_fold[name]).f1)


def decide(probabilities: Probabilities) -> Labels:
    """Take the likeliest class; of equals, the first of Low, Medium, High."""
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int8)


def _scored(examples: Examples, probabilities: Probabilities) -> Scores:
    return scores(confusion_matrix(examples.y, decide(probabilities)))


def _candidate(
    name: ModelName,
    train: Examples,
    out_of_fold: Probabilities,
    fitted: Fitted,
    train_scores: Scores,
    groups: list[str],
) -> Candidate:
    per_fold = fold_accuracies(train, decide(out_of_fold))
    return Candidate(
        model=name,
        algorithm=name,
        groups=groups,
        train_accuracy=train_scores.accuracy,
        cv_accuracy_mean=float(per_fold.mean()),
        cv_accuracy_std=float(per_fold.std()),
        cv_f1_mean=_scored(train, out_of_fold).f1,
        fit_seconds=fitted.seconds,
    )


def _write(
    out: Path,
    train: Examples,
    out_of_fold: Mapping[ModelName, Probabilities],
    test: Examples,
    predictions: Mapping[str, Probabilities],
    record: TrainingRecord,
    winner: Classifier,
) -> None:
    import joblib
    import skops.io

    fold = pl.Series(FOLD, train.fold)
    _predictions(train, out_of_fold).with_columns(fold).write_parquet(out / OOF_FILE)
    _predictions(test, predictions).write_parquet(out / TEST_PREDICTIONS_FILE)
    skops.io.dump(winner, out / "model.skops")
    joblib.dump(winner, out / "model.joblib", compress=3)
    (out / RECORD_FILE).write_text(record.model_dump_json(indent=2), encoding="utf-8")


def _predictions(examples: Examples, predictions: Mapping[Any, Probabilities]) -> pl.DataFrame:
    columns = {
        column: probabilities[:, k].astype(np.float32)
        for name, probabilities in predictions.items()
        for k, column in enumerate(probability_columns(name))
    }
    labels = np.asarray(CLASSES)[examples.y]
    return pl.DataFrame({KEY: examples.ids, TARGET: pl.Series(labels, dtype=pl.String), **columns})

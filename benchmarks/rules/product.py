"""Runs Basketwise on a data set, in a process of its own, and scores its winner."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from basketwise.arrays import Labels
from basketwise.evaluation.reliability import reliability
from basketwise.files import REPORT_JSON, TEST_PREDICTIONS_FILE
from basketwise.schema import BASKET_ID, CLASSES, DEFAULT_LABELS, KEY, LABEL, TARGET
from basketwise.training.metrics import confusion_matrix, scores
from basketwise.training.predictions import CALIBRATED, decide, probability_columns
from benchmarks.measuring import basketwise, measure
from benchmarks.rules.lines import Made
from benchmarks.rules.split import required_test_size


@dataclass(frozen=True)
class Scores:
    """How well the winner does on the test set, and what cross-validation said of it.

    ``ids``: the test baskets, sorted. ``log_loss`` in nats. ``cv_accuracy``: on the training set.
    """

    ids: pl.Series
    winner: str
    accuracy: float
    macro_f1: float
    log_loss: float
    ece: float
    cv_accuracy: float


def run(made: Made, settings: Sequence[str] = ()) -> Scores:
    """Train on a data set with default settings, except for the size of the test set.

    Parameters
    ----------
    settings
        More settings, as ``NAME=VALUE``.

    Raises
    ------
    CommandFailedError
        If ``basketwise run`` fails.
    """
    share = required_test_size(made)
    settings = [*([] if share is None else [f"split.test_size={share}"]), *settings]
    with tempfile.TemporaryDirectory() as folder:
        data, workspace = Path(folder) / "raw", Path(folder) / "workspace"
        made.write(data)
        measure(basketwise("run", "--data", data, "--workspace", workspace, settings=settings))
        (artifacts,) = (workspace / "artifacts").iterdir()
        return judge(artifacts, made.clean)


def judge(artifacts: Path, clean: pl.DataFrame | None) -> Scores:
    """Score the shipped probabilities of a run.

    Parameters
    ----------
    artifacts
        Folder of the run.
    clean
        BASKET_ID and label: what predicted *classes* are compared with; by default the labels that
        the run had. Probabilities are always about the latter.
    """
    predictions = pl.read_parquet(artifacts / TEST_PREDICTIONS_FILE).sort(KEY)
    probabilities = predictions.select(probability_columns(CALIBRATED)).to_numpy()
    probabilities = probabilities.astype(np.float64)
    y = numbers(predictions[TARGET])
    true = y if clean is None else truth(predictions[KEY], clean)
    result = scores(confusion_matrix(true, decide(probabilities)))
    reliable = reliability(y, probabilities)
    report = json.loads((artifacts / REPORT_JSON).read_text(encoding="utf-8"))
    (winner,) = (row for row in report["leaderboard"] if row["winner"])
    return Scores(
        ids=predictions[KEY],
        winner=winner["model"],
        accuracy=result.accuracy,
        macro_f1=result.f1,
        log_loss=reliable["log_loss"],
        ece=reliable["ece"],
        cv_accuracy=winner["cv_accuracy_mean"],
    )


def truth(ids: pl.Series, clean: pl.DataFrame) -> Labels:
    """Return the clean classes of baskets."""
    joined = pl.DataFrame({BASKET_ID: ids}).join(
        clean, on=BASKET_ID, how="left", maintain_order="left"
    )
    return numbers(joined[LABEL].replace_strict(dict(DEFAULT_LABELS), return_dtype=pl.String))


def numbers(classes: pl.Series) -> Labels:
    """Return the numbers of classes, given by their names."""
    return classes.replace_strict(CLASSES, range(len(CLASSES)), return_dtype=pl.Int8).to_numpy()

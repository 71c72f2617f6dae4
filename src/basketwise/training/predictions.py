"""The prediction files: one row per basket, three probabilities per model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.disk import write_parquet
from basketwise.schema import CLASSES, FOLD, KEY, TARGET
from basketwise.training.examples import Examples

CALIBRATED = "calibrated"
"""Under this name stand the winner's probabilities as they are shipped."""


def probability_columns(model: str) -> list[str]:
    """Name the columns of a model's probabilities."""
    return [f"{model}_p_{label.lower()}" for label in CLASSES]


def decide(probabilities: Probabilities) -> Labels:
    """Take the likeliest class; of equals, the first of Low, Medium, High."""
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int8)


def write_predictions(
    path: Path, examples: Examples, predictions: Mapping[Any, Matrix | Probabilities]
) -> None:
    """Write a prediction file: one row per basket.

    Its columns are ``basket_id``, ``price_sensitivity``, per model ``<model>_p_low``,
    ``<model>_p_medium``, ``<model>_p_high`` (Float32; null where a candidate was not asked), and
    ``fold`` where there are folds.
    """
    columns = {
        column: pl.Series(probabilities[:, k].astype(np.float32), nan_to_null=True)
        for name, probabilities in predictions.items()
        for k, column in enumerate(probability_columns(name))
    }
    labels = pl.Series(CLASSES).gather(examples.y)
    folds = {FOLD: pl.Series(examples.fold)} if examples.fold.size else {}
    table = pl.DataFrame({KEY: examples.ids, TARGET: labels, **columns, **folds})
    write_parquet(table, path)


def predicted_class(predictions: pl.DataFrame, model: str) -> Labels:
    """Return the likeliest class of each basket by one model."""
    return decide(predictions.select(probability_columns(model)).to_numpy())

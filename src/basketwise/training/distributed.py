"""XGBoost's final fit on all training baskets, by an engine that reads their rows where they are.

Cross-validation, calibration and the references stay with the sample in memory. What comes back is
a booster, which becomes the same classifier as one that was boosted here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import numpy as np
from pydantic import ValidationError

from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import ConfigError
from basketwise.etl.gold.tables import REST_FOLDER, TRAIN_FILE
from basketwise.training.boosters import load_booster
from basketwise.training.boosting import adopt
from basketwise.training.candidates import build
from basketwise.training.checkpoints import Checkpoints
from basketwise.training.examples import Examples, leaves_out_new
from basketwise.training.fitting import Fitted
from basketwise.training.persistence import store_model
from basketwise.training.record import DistributedFit

if TYPE_CHECKING:
    from xgboost import XGBClassifier

XGBOOST: ModelName = "xgboost"


@dataclass(frozen=True)
class TrainingRows:
    """Rows of gold to learn from.

    Attributes
    ----------
    files
        Parquet and Arrow files, with the features and ``price_sensitivity``.
    columns
        The features, in the order of the model's inputs.
    without_new
        Whether baskets with new products are passed over, see
        :func:`basketwise.training.examples.learned_from`.
    """

    files: tuple[Path, ...]
    columns: tuple[str, ...]
    without_new: bool


class Boosted(NamedTuple):
    """A booster as XGBoost's JSON, and what it was made by."""

    booster: bytes
    fit: DistributedFit


Boost: TypeAlias = "Callable[[XGBClassifier, TrainingRows], Boosted]"
"""Boosts an untrained classifier's trees on rows, somewhere; the classifier is left as it is."""


def require_boost(config: TrainingConfig, boost: Boost | None) -> None:
    """Refuse ``training.xgboost_on_spark`` where there is no Spark.

    Raises
    ------
    ConfigError
        If it is set, and nothing boosts elsewhere.
    """
    if config.xgboost_on_spark and boost is None:
        raise ConfigError(
            "training.xgboost_on_spark needs a Spark session, and this training has none.",
            "Add --engine spark and --spark URL, or set training.xgboost_on_spark to false.",
        )


def rows_of(gold: Path, train: Examples) -> TrainingRows:
    """Return what is learned from of a gold folder: the sample, and the baskets not drawn for it.

    ``train`` are the sample's rows; whether baskets with new products are passed over is decided by
    them.
    """
    rest = sorted((gold / REST_FOLDER).glob("*.arrow"))
    return TrainingRows((gold / TRAIN_FILE, *rest), train.columns, leaves_out_new(train))


def fit_distributed(
    boost: Boost, rows: TrainingRows, train: Examples, config: TrainingConfig, pieces: Checkpoints
) -> Fitted:
    """Fit XGBoost on all rows, and store the fit as one that was made here.

    Of the sample, ``train``, only a row of each class is used, by which XGBoost makes a classifier
    of the booster.
    """
    started = time.perf_counter()
    model = cast("XGBClassifier", build(XGBOOST, config, train.y.size))
    booster, fit = boost(model, rows)
    examples = np.unique(train.y, return_index=True)[1]
    adopt(model, load_booster(booster, 1), train.X[examples], train.y[examples])
    seconds = time.perf_counter() - started
    # First: a stored fit without it would count as one that was made here.
    pieces.store(_facts(XGBOOST), fit.model_dump_json().encode())
    store_model(pieces, XGBOOST, model, seconds)
    return Fitted(model, seconds, fit)


def stored_facts(pieces: Checkpoints, name: ModelName) -> DistributedFit | None:
    """Return who made a candidate's stored fit; None if no other process did."""
    payload = pieces.load(_facts(name))
    try:
        return DistributedFit.model_validate_json(payload) if payload else None
    except ValidationError:
        return None


def _facts(name: ModelName) -> str:
    return f"{name}-distributed"

"""Trains and evaluates the small sample once, for all the tests that look at what that leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import polars as pl

from basketwise.artifact.archive import pack, unpack, write_manifest
from basketwise.config import Config, EvaluationConfig, TrainingConfig
from basketwise.etl.gold.tables import TRAIN_FILE
from basketwise.evaluation.champion import NoChampion
from basketwise.evaluation.stage import run_evaluation
from basketwise.files import ARCHIVE, CALIBRATION_FILE, MODEL, NOVELTY, TEST_PREDICTIONS_FILE
from basketwise.report.types.document import Report
from basketwise.report.types.run import StartedRun
from basketwise.training.calibration import read_calibration
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from basketwise.training.persistence import dump_model
from basketwise.training.record import TrainingRecord
from basketwise.training.stage import run_training
from tests.cli.calling import blank_pictures
from tests.etl.running import quiet

FEW_TREES = {"n_estimators": 4, "max_depth": 4}

CONFIG = Config(
    training=TrainingConfig(random_forest=FEW_TREES, xgboost=FEW_TREES, calibration="isotonic"),
    evaluation=EvaluationConfig(resamples=200, importance_baskets=300, importance_repeats=2),
)
"""All four candidates, small enough for a test; a calibration that surely changes something."""

RUN = StartedRun(
    "20260301-120000-abc123",
    "basketwise run --data till-lines",
    "till-lines",
    datetime(2026, 3, 1, 12, tzinfo=UTC),
)


@dataclass(frozen=True)
class Evaluated:
    """One training and its evaluation; not to be changed."""

    folder: Path
    record: TrainingRecord
    report: Report

    @property
    def archive(self) -> Path:
        return self.folder / ARCHIVE

    @property
    def predictions(self) -> pl.DataFrame:
        return pl.read_parquet(self.folder / TEST_PREDICTIONS_FILE)


def tree_archive(evaluated: Evaluated, gold: Path, root: Path) -> Path:
    """Pack a decision tree alone, as a training does that has no use for a second model."""
    folder, archive = root / "tree", root / "tree.tar.gz"
    folder.mkdir()
    unpack(evaluated.archive, folder)
    (folder / NOVELTY).unlink()
    alone = read_calibration(folder).model_copy(update={"new_products": None})
    (folder / CALIBRATION_FILE).write_text(alone.model_dump_json(), encoding="utf-8")
    train = read_examples(gold / TRAIN_FILE, evaluated.record.feature_columns)
    tree = build("decision_tree", CONFIG.training, train.y.size).fit(train.X, train.y)
    (folder / MODEL).write_bytes(dump_model(tree))
    write_manifest(folder, {})
    pack(folder, archive)
    return archive


@cache
def evaluated_once(gold: Path) -> Evaluated:
    """Train and evaluate; the pictures remain blank."""
    folder = gold.parent.with_name("evaluated")
    folder.mkdir()
    with blank_pictures():
        record = run_training(gold, folder, CONFIG.training, quiet)
        return Evaluated(folder, record, run_evaluation(gold, folder, CONFIG, NoChampion(), RUN))

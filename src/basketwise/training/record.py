"""``training.json``: what training knows before the test set is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from basketwise.config import ModelName
from basketwise.errors import InputError
from basketwise.files import RECORD_FILE, read_document


class DistributedFit(BaseModel):
    """A fit that an engine made, on rows that it read itself."""

    model_config = ConfigDict(frozen=True)

    estimator: str
    """Its full name."""
    baskets: int
    """That it learned from."""
    workers: int
    """Tasks that it ran in side by side; with another number, sums of floats differ."""


class CandidateRecord(BaseModel):
    """One trained model; scores are null where it was not cross-validated."""

    model_config = ConfigDict(frozen=True)

    model: str
    algorithm: ModelName
    groups: list[str]
    train_accuracy: float
    cv_accuracy_mean: float | None = None
    cv_accuracy_std: float | None = None
    """Null too where one fold alone was scored."""
    cv_f1_mean: float | None = None
    cv_folds: int | None = None
    """Folds that the three scores rest on: fewer than there are if the candidate was given up."""
    forward_accuracy: float | None = None
    """On the latest training weeks, by a model and an index of the earlier ones."""
    forward_f1: float | None = None
    fit_seconds: float
    distributed: DistributedFit | None = None
    """Null of a fit that was made in the training's own process."""


class ReferenceRecord(CandidateRecord):
    """A model that cannot win, trained to show what something is worth."""

    kind: Literal["ablation", "simpler"]
    """The winner's algorithm without a group of features, or a simpler model."""
    without: str | None = None
    """The group that an ablation does not see."""


class TrainingRecord(BaseModel):
    """All candidates, and the winner by cross-validated macro-F1."""

    model_config = ConfigDict(frozen=True)

    winner: ModelName
    candidates: list[CandidateRecord]
    references: list[ReferenceRecord]
    groups: list[str]
    feature_columns: list[str]


def read_record(trained: Path) -> TrainingRecord:
    """Read ``training.json`` of a training.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = trained / RECORD_FILE
    if not path.is_file():
        raise InputError(
            f"{str(trained)!r} contains no finished training.", "Run 'basketwise train' first."
        )
    return read_document(TrainingRecord, path, "basketwise train --force")

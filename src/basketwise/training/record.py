"""``training.json``: what training knows before the test part is judged."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from basketwise.config import ModelName


class Candidate(BaseModel):
    """One trained model; scores are null where it was not cross-validated."""

    model_config = ConfigDict(frozen=True)

    model: str
    algorithm: ModelName
    groups: list[str]
    train_accuracy: float
    cv_accuracy_mean: float | None = None
    cv_accuracy_std: float | None = None
    cv_f1_mean: float | None = None
    fit_seconds: float


class TrainingRecord(BaseModel):
    """All candidates, and the winner by cross-validated macro-F1."""

    model_config = ConfigDict(frozen=True)

    winner: ModelName
    candidates: list[Candidate]
    ablation: Candidate
    """The winner's algorithm, trained on the group ``basket`` alone."""
    groups: list[str]
    feature_columns: list[str]

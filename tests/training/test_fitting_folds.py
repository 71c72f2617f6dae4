import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.config import ModelName, TrainingConfig
from basketwise.training import fitting
from basketwise.training.candidates import Classifier
from basketwise.training.examples import Examples
from basketwise.training.fitting import fit_fold, fold_accuracies

ROWS = 300


@pytest.fixture
def train() -> Examples:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, ROWS).astype(np.int8)
    X = np.column_stack([np.arange(ROWS), y + rng.normal(0, 0.1, ROWS)]).astype(np.float32)
    fold = (rng.permutation(ROWS) % 3).astype(np.int8)
    return Examples(pl.Series(np.arange(ROWS)), X, y, fold, ("row", "signal"))


class RecordingEstimator:
    """Notes which rows it is fitted on and asked about."""

    def __init__(self) -> None:
        self.fitted: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.labels: Labels = np.empty(0, dtype=np.int8)
        self.scored: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.row_count = 0

    def fit(self, X: Matrix, y: Labels) -> Classifier:
        self.fitted, self.labels = X[:, 0].astype(np.int64), y
        return self

    def predict_proba(self, X: Matrix) -> Probabilities:
        self.scored = X[:, 0].astype(np.int64)
        return np.full((len(X), 3), 1 / 3)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> RecordingEstimator:
    made = RecordingEstimator()

    def build(name: ModelName, config: TrainingConfig, baskets: int) -> Classifier:
        assert name == "logistic"
        assert config.folds
        made.row_count = baskets
        return made

    monkeypatch.setattr(fitting, "build", build)
    return made


@pytest.mark.parametrize("most", [0, ROWS])
def test_a_fold_is_scored_by_the_others(
    train: Examples, recorder: RecordingEstimator, most: int
) -> None:
    result = fit_fold("logistic", 1, train, TrainingConfig(cv_max_baskets=most))
    assert result.shape == (100, 3)
    assert recorder.scored.tolist() == np.flatnonzero(train.fold == 1).tolist()
    assert recorder.fitted.tolist() == np.flatnonzero(train.fold != 1).tolist()


def test_at_most_so_many_are_fitted_and_all_are_scored(
    train: Examples, recorder: RecordingEstimator
) -> None:
    config = TrainingConfig(cv_max_baskets=50)
    assert len(fit_fold("logistic", 2, train, config)) == 100
    first = recorder.fitted.copy()
    assert len(set(first)) == recorder.row_count == 50
    assert not set(first) & set(np.flatnonzero(train.fold == 2))
    np.testing.assert_array_equal(recorder.labels, train.y[first])
    fit_fold("logistic", 2, train, config)
    np.testing.assert_array_equal(recorder.fitted, first)
    fit_fold("logistic", 2, train, TrainingConfig(cv_max_baskets=50, random_state=1))
    assert recorder.fitted.tolist() != first.tolist()


def test_a_real_candidate_finds_the_signal(train: Examples) -> None:
    config = TrainingConfig()
    predicted = np.empty(ROWS, dtype=np.int8)
    for fold in range(3):
        scores = fit_fold("decision_tree", fold, train, config)
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        predicted[train.fold == fold] = scores.argmax(axis=1)
    assert (fold_accuracies(train, predicted) > 0.95).all()


def test_accuracies_by_hand(train: Examples) -> None:
    predicted = train.y.copy()
    wrong = np.flatnonzero(train.fold == 1)[:25]
    predicted[wrong] = (predicted[wrong] + 1) % 3
    assert fold_accuracies(train, predicted).tolist() == [1.0, 0.75, 1.0]

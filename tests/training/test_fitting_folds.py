from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.config import ModelName, TrainingConfig
from basketwise.features.product import SHARE_NEW
from basketwise.training import fitting
from basketwise.training.candidates import Classifier
from basketwise.training.examples import Examples
from basketwise.training.fitting import fit, fit_fold

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
    result = fit_fold("logistic", 1, train, TrainingConfig(cv_max_baskets=most)).probabilities
    assert result.shape == (100, 3)
    assert recorder.scored.tolist() == np.flatnonzero(train.fold == 1).tolist()
    assert recorder.fitted.tolist() == np.flatnonzero(train.fold != 1).tolist()


def test_at_most_so_many_are_fitted_and_all_are_scored(
    train: Examples, recorder: RecordingEstimator
) -> None:
    config = TrainingConfig(cv_max_baskets=50)
    assert len(fit_fold("logistic", 2, train, config).probabilities) == 100
    first = recorder.fitted.copy()
    assert len(set(first)) == recorder.row_count == 50
    assert not set(first) & set(np.flatnonzero(train.fold == 2))
    np.testing.assert_array_equal(recorder.labels, train.y[first])
    fit_fold("logistic", 2, train, config)
    np.testing.assert_array_equal(recorder.fitted, first)
    fit_fold("logistic", 2, train, TrainingConfig(cv_max_baskets=50, random_state=1))
    assert recorder.fitted.tolist() != first.tolist()


def test_baskets_with_new_products_are_scored_but_not_learned_from(
    train: Examples, recorder: RecordingEstimator
) -> None:
    order = np.arange(ROWS)
    # The last fifty rows are hidden ones; of the others, six have products that are really new.
    X = np.column_stack([order, (order % 40 == 0) | (order >= 250)]).astype(np.float32)
    rows = replace(train, X=X, columns=("row", SHARE_NEW), hidden=50)
    result = fit_fold("logistic", 1, rows, TrainingConfig()).probabilities
    assert result.shape == (100, 3)
    assert recorder.scored.tolist() == np.flatnonzero(train.fold == 1).tolist()
    known = (order < 250) & (order % 40 != 0)
    assert recorder.fitted.tolist() == np.flatnonzero(known & (train.fold != 1)).tolist()


def test_so_is_the_whole_training_set(
    train: Examples, recorder: RecordingEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit_candidate(name: str, model: Classifier, X: Matrix, y: Labels, *_: object) -> float:
        assert name == "logistic"
        model.fit(X, y)
        return 0.0

    monkeypatch.setattr(fitting, "fit_candidate", fit_candidate)
    monkeypatch.setattr(fitting, "store_model", lambda *_: None)
    X = np.column_stack([np.arange(ROWS), np.arange(ROWS) < 5]).astype(np.float32)
    fit("logistic", replace(train, X=X, columns=("row", SHARE_NEW), hidden=50), TrainingConfig())
    assert recorder.fitted.tolist() == list(range(5, 250))
    assert recorder.row_count == 245


def test_a_real_candidate_finds_the_signal(train: Examples) -> None:
    config = TrainingConfig()
    for fold in range(3):
        scores = fit_fold("decision_tree", fold, train, config).probabilities
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        right = scores.argmax(axis=1) == train.y[train.fold == fold]
        assert right.mean() > 0.95

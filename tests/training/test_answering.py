from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.training import answering
from basketwise.training.answering import Model, answered
from basketwise.training.candidates import Classifier
from basketwise.training.examples import Examples
from basketwise.training.fitting import Fitted


class Third:
    """Is sure of the class that its only feature, or its last one, names."""

    def __init__(self, asked: list[int]) -> None:
        self.asked = asked

    def fit(self, X: Matrix, y: Labels) -> Classifier:
        return self

    def predict_proba(self, X: Matrix) -> Probabilities:
        self.asked.append(len(X))
        return np.eye(3)[X[:, -1].astype(np.int64)]


def rows(size: int) -> Examples:
    a = np.arange(size) % 3
    X = np.stack([a, a[::-1]], axis=1).astype(np.float32)
    return Examples(
        pl.Series(range(size)), X, a.astype(np.int8), np.empty(0, dtype=np.int8), ("a", "b")
    )


@pytest.mark.parametrize("most", [3, 50])
def test_models_are_asked_some_rows_at_a_time(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "PREDICT_ROWS", most)
    test, train, asked = rows(7), rows(4), list[int]()
    models = {
        "both": Model(Fitted(Third(asked), 0.0), ("a", "b")),
        "first": Model(Fitted(Third(asked), 0.0), ("a",)),
    }
    answers = answered(models, test, train)
    for name, column in (("both", 1), ("first", 0)):
        expected = np.eye(3, dtype=np.float32)[test.X[:, column].astype(np.int64)]
        np.testing.assert_array_equal(answers[name].of_test, expected)
        assert answers[name].of_test.dtype == np.float32
    assert answers["first"].train_accuracy == 1
    assert answers["both"].train_accuracy == 0.5
    assert max(asked) == min(most, 7)
    assert sum(asked) == 2 * (7 + 4)


def test_what_is_answered_elsewhere_is_not_asked_again() -> None:
    asked = list[int]()
    models = {"both": Model(Fitted(Third(asked), 0.0), ("a", "b"))}
    given = np.full((7, 3), 0.25, dtype=np.float32)

    def elsewhere(models: Mapping[str, Model]) -> dict[str, Matrix]:
        return dict.fromkeys(models, given)

    assert answered(models, rows(7), rows(4), elsewhere)["both"].of_test is given
    assert asked == [4]

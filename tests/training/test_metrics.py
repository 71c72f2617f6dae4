from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.metrics import confusion_matrix as reference_matrix

from basketwise.training.metrics import confusion_matrix, macro_f1, scores

CLASS = st.integers(0, 2)


def numbers(values: list[int]) -> NDArray[np.int8]:
    return np.array(values, dtype=np.int8)


@given(st.lists(st.tuples(CLASS, CLASS), min_size=1, max_size=60))
def test_every_score_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    true, predicted = (numbers(list(column)) for column in zip(*pairs, strict=True))
    result = scores(confusion_matrix(true, predicted))
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=[0, 1, 2], zero_division=0
    )
    np.testing.assert_array_equal(
        result.confusion, reference_matrix(true, predicted, labels=[0, 1, 2])
    )
    np.testing.assert_allclose(result.per_class_precision, precision)
    np.testing.assert_allclose(result.per_class_recall, recall)
    np.testing.assert_allclose(result.per_class_f1, f1)
    np.testing.assert_array_equal(result.support, support)
    assert result.accuracy == pytest.approx(accuracy_score(true, predicted))
    assert result.precision == pytest.approx(precision.mean())
    assert result.recall == pytest.approx(recall.mean())
    assert result.f1 == pytest.approx(f1.mean())


def test_rows_are_true_classes_and_columns_predicted_ones() -> None:
    result = confusion_matrix(numbers([0, 0, 2]), numbers([0, 1, 0]))
    assert result.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_a_class_that_is_absent_or_never_predicted_scores_zero() -> None:
    # Medium is never predicted, High does not occur.
    result = scores(confusion_matrix(numbers([0, 0, 1, 1]), numbers([0, 0, 0, 2])))
    assert result.per_class_precision.tolist() == [2 / 3, 0, 0]
    assert result.per_class_recall.tolist() == [1, 0, 0]
    assert result.support.tolist() == [2, 2, 0]
    assert result.recall == pytest.approx(1 / 3)


@given(st.lists(st.lists(st.integers(0, 9), min_size=9, max_size=9), min_size=1, max_size=5))
def test_macro_f1_of_many_matrices_is_that_of_each(cells: list[list[int]]) -> None:
    tables = np.array(cells, dtype=np.int64).reshape(-1, 3, 3)
    np.testing.assert_allclose(macro_f1(tables), [scores(table).f1 for table in tables])

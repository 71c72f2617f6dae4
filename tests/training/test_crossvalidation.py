import numpy as np
import pytest
from sklearn.metrics import f1_score

from basketwise.arrays import Labels, Probabilities
from basketwise.training.crossvalidation import cross_validated, weights_of
from basketwise.training.examples import Examples
from tests.training.made_up import made_up


def predictions(rows: Examples, wrong: list[int]) -> tuple[Probabilities, Labels]:
    """Return probabilities that are right but for some rows, and the classes they lead to."""
    predicted = rows.y.copy()
    predicted[wrong] = (predicted[wrong] + 1) % 3
    return np.eye(3)[predicted], predicted


def test_folds_of_known_weeks_count_as_they_are() -> None:
    rows = made_up(90)
    given, predicted = predictions(rows, [0, 1, 3, 40])
    result = cross_validated(rows, given, forward=False)
    right = predicted == rows.y
    per_fold = [right[rows.fold == fold].mean() for fold in range(3)]
    assert result.accuracy == pytest.approx(np.mean(per_fold))
    assert result.accuracy_std == pytest.approx(np.std(per_fold))
    assert result.f1 == pytest.approx(f1_score(rows.y, predicted, average="macro"))
    assert result.forward_accuracy is None
    assert result.forward_f1 is None


def test_the_latest_weeks_count_as_much_as_all_others() -> None:
    rows = made_up(90)
    late = rows.fold == 2
    given, predicted = predictions(rows, [0, *np.flatnonzero(late)[:12]])
    result = cross_validated(rows, given, forward=True)
    # One of 30 is wrong in the first fold, none in the second, 12 of 30 in the latest weeks.
    assert result.forward_accuracy == pytest.approx(0.6)
    assert result.accuracy == pytest.approx(((29 / 30 + 1) / 2 + 0.6) / 2)
    assert result.accuracy_std == pytest.approx(np.std([29 / 30, 1, 0.6]))
    known, latest = (
        f1_score(rows.y[own], predicted[own], average="macro") for own in (~late, late)
    )
    assert result.forward_f1 == pytest.approx(latest)
    assert result.f1 == pytest.approx((known + latest) / 2)


def test_errors_in_the_latest_weeks_weigh_more_than_elsewhere() -> None:
    rows = made_up(90)
    known, late = (np.flatnonzero(own)[:6].tolist() for own in (rows.fold < 2, rows.fold == 2))
    by_known, by_late = (
        cross_validated(rows, predictions(rows, wrong)[0], forward=True) for wrong in (known, late)
    )
    assert by_late.accuracy < by_known.accuracy
    assert by_late.f1 < by_known.f1


def test_a_calibration_weighs_the_latest_weeks_as_all_other_training_baskets() -> None:
    rows = made_up(100, folds=4)
    # The last twenty rows stand for baskets with hidden products: five are of the last fold.
    weights = weights_of(rows, 80, forward=True)
    late = (rows.fold == 3) & (np.arange(100) < 80)
    assert weights[late].sum() == pytest.approx((~late[:80]).sum())
    np.testing.assert_array_equal(weights[~late], 1)
    np.testing.assert_array_equal(weights_of(rows, 80, forward=False), 1)

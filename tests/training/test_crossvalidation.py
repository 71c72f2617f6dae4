from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from basketwise.arrays import Labels, Probabilities
from basketwise.training.crossvalidation import cross_validated, weights_of_part
from basketwise.training.examples import Examples
from basketwise.training.weights import judging_weights
from tests.training.made_up import made_up


def predictions(rows: Examples, wrong: list[int]) -> tuple[Probabilities, Labels]:
    """Return probabilities that are right but for some rows, and the classes they lead to."""
    predicted = rows.y.copy()
    predicted[wrong] = (predicted[wrong] + 1) % 3
    return np.eye(3)[predicted], predicted


def test_without_weights_scores_are_those_of_all_out_of_fold_predictions() -> None:
    rows = made_up(90)
    given, predicted = predictions(rows, [0, 1, 3, 40])
    result = cross_validated(rows, given, np.ones(90), forward=False)
    right = predicted == rows.y
    per_fold = [right[rows.fold == fold].mean() for fold in range(3)]
    assert result.accuracy == pytest.approx(right.mean())
    assert result.accuracy_std == pytest.approx(np.std(per_fold))
    assert result.f1 == pytest.approx(f1_score(rows.y, predicted, average="macro"))
    assert result.forward_accuracy is None
    assert result.forward_f1 is None


def test_each_prediction_counts_as_its_weight() -> None:
    rows = made_up(90)
    given, predicted = predictions(rows, [0, 1, 3, 40])
    weights = np.random.default_rng(1).uniform(0.1, 5, 90)
    result = cross_validated(rows, given, weights, forward=False)
    assert result.accuracy == pytest.approx(
        accuracy_score(rows.y, predicted, sample_weight=weights)
    )
    macro = f1_score(rows.y, predicted, average="macro", sample_weight=weights)
    assert result.f1 == pytest.approx(macro)


def test_the_latest_weeks_have_plain_scores_of_their_own() -> None:
    rows = made_up(90)
    late = rows.fold == 2
    given, predicted = predictions(rows, [0, *np.flatnonzero(late)[:12]])
    weights = judging_weights(rows, True, [])
    result = cross_validated(rows, given, weights, forward=True)
    # One of 30 is wrong in the first fold, none in the second, 12 of 30 in the latest weeks.
    assert result.forward_accuracy == pytest.approx(0.6)
    assert result.forward_f1 == pytest.approx(
        f1_score(rows.y[late], predicted[late], average="macro")
    )
    assert result.accuracy == pytest.approx(((29 / 30 + 1) / 2 + 0.6) / 2)
    assert result.accuracy_std == pytest.approx(np.std([29 / 30, 1, 0.6]))


def test_errors_in_the_latest_weeks_weigh_more_than_elsewhere() -> None:
    rows = made_up(90)
    weights = judging_weights(rows, True, [])
    known, late = (np.flatnonzero(own)[:6].tolist() for own in (rows.fold < 2, rows.fold == 2))
    by_known, by_late = (
        cross_validated(rows, predictions(rows, wrong)[0], weights, forward=True)
        for wrong in (known, late)
    )
    assert by_late.accuracy < by_known.accuracy
    assert by_late.f1 < by_known.f1


def test_folds_that_were_not_asked_about_do_not_count() -> None:
    rows = made_up(90)
    given, predicted = predictions(rows, [0, 1, 2, 3, 40])
    given[rows.fold == 1] = np.nan
    known = rows.fold != 1
    result = cross_validated(rows, given, np.ones(90), forward=False)
    right = predicted == rows.y
    per_fold = [right[rows.fold == fold].mean() for fold in (0, 2)]
    assert result.folds == 2
    assert result.accuracy == pytest.approx(right[known].mean())
    assert result.accuracy_std == pytest.approx(np.std(per_fold))
    assert result.f1 == pytest.approx(f1_score(rows.y[known], predicted[known], average="macro"))


def test_of_one_fold_there_is_no_deviation() -> None:
    rows = made_up(90)
    given, predicted = predictions(rows, [2, 5, 40])
    given[rows.fold < 2] = np.nan
    result = cross_validated(rows, given, judging_weights(rows, True, []), forward=True)
    late = rows.fold == 2
    assert (result.folds, result.accuracy_std) == (1, None)
    assert result.accuracy == result.forward_accuracy == (predicted == rows.y)[late].mean()


def test_the_latest_weeks_weigh_as_much_beside_one_other_fold_as_beside_all() -> None:
    rows = replace(made_up(90), hidden=6)
    weights = judging_weights(rows, True, [])
    weights[~rows.is_real] = 0.5
    part = weights_of_part(rows, weights, rows.fold != 0, forward=True)
    assert (part[rows.fold == 0] == 0).all()
    for last in (True, False):
        own = (rows.fold == 2) == last
        assert part[own].sum() == pytest.approx(weights[own].sum())
    # Within a fold, rows keep their proportions: those with hidden products too.
    np.testing.assert_allclose(part[rows.fold == 2], weights[rows.fold == 2])
    np.testing.assert_array_equal(part, weights_of_part(rows, part, rows.fold != 0, forward=True))

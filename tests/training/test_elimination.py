import numpy as np
import pytest
from sklearn.metrics import f1_score

from basketwise.arrays import Labels, Probabilities
from basketwise.training.elimination import MARGIN, Judge, f1_difference
from basketwise.training.examples import Examples
from tests.training.made_up import made_up


def answers(rows: Examples, wrong: float, seed: int = 1) -> Probabilities:
    """Return certain predictions, a share of them wrong."""
    rng = np.random.default_rng(seed)
    predicted = np.where(rng.random(rows.y.size) < wrong, (rows.y + 1) % 3, rows.y)
    return np.eye(3)[predicted]


@pytest.fixture
def rows() -> Examples:
    return made_up(3_000)


@pytest.fixture
def judge(rows: Examples) -> Judge:
    return Judge(rows, np.ones(rows.y.size), forward=False)


def noisy(y: Labels, share: float, seed: int) -> Labels:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(y.size) < share, rng.integers(0, 3, y.size), y).astype(np.int8)


def test_the_difference_is_that_of_two_weighed_macro_f1() -> None:
    y = made_up(600).y
    first, second = noisy(y, 0.1, 1), noisy(y, 0.3, 2)
    weights = np.random.default_rng(3).uniform(0.2, 4, y.size)
    expected = [
        f1_score(y, predicted, average="macro", sample_weight=weights)
        for predicted in (first, second)
    ]
    result = f1_difference(y, first, second, weights)
    assert result.value == pytest.approx(expected[0] - expected[1])


def test_the_standard_error_is_that_of_resampled_baskets() -> None:
    y = made_up(900).y
    first, second = noisy(y, 0.1, 1), noisy(noisy(y, 0.1, 1), 0.1, 2)
    weights = np.random.default_rng(3).uniform(0.2, 4, y.size)
    rng = np.random.default_rng(4)
    drawn = []
    for _ in range(500):
        rows = rng.integers(0, y.size, y.size)
        drawn.append(f1_difference(y[rows], first[rows], second[rows], weights[rows]).value)
    assert f1_difference(y, first, second, weights).error == pytest.approx(np.std(drawn), rel=0.1)


def test_a_class_that_does_not_occur_is_no_error() -> None:
    y = np.zeros(30, dtype=np.int8)
    result = f1_difference(y, y, np.ones(30, dtype=np.int8), np.ones(30))
    assert result.value == pytest.approx(1 / 3)
    assert np.isfinite(result.error)


def test_only_a_clear_and_large_lead_is_decisive(rows: Examples, judge: Judge) -> None:
    best, worse, close = answers(rows, 0.05), answers(rows, 0.2, 2), answers(rows, 0.05, 3)
    clear = judge.difference(best, worse)
    assert clear.is_lead
    assert clear.is_decisive
    assert not judge.difference(worse, best).is_lead
    assert not judge.difference(best, close).is_lead
    assert not judge.difference(best, best).is_lead


def test_a_lead_below_the_margin_is_not_decisive() -> None:
    rows = made_up(30_000)
    judge = Judge(rows, np.ones(rows.y.size), forward=False)
    perfect, nearly = np.eye(3)[rows.y], answers(rows, 0.002)
    difference = judge.difference(perfect, nearly)
    assert difference.is_lead
    assert 0 < difference.value < MARGIN
    assert not difference.is_decisive


def test_candidates_are_compared_on_the_folds_that_both_have(rows: Examples, judge: Judge) -> None:
    first, second = answers(rows, 0.1, 1), answers(rows, 0.3, 2)
    known = rows.fold != 1
    expected = f1_difference(
        rows.y[known],
        first[known].argmax(axis=1).astype(np.int8),
        second[known].argmax(axis=1).astype(np.int8),
        np.ones(known.sum()),
    )
    second[rows.fold == 1] = np.nan
    result = judge.difference(first, second)
    assert result.value == pytest.approx(expected.value)
    # The two folds stand for three, each row for one and a half.
    assert result.error == pytest.approx(expected.error)
    # On the fold that the second has not been asked about, the first does not lose anything.
    first[rows.fold == 1] = np.eye(3)[(rows.y[rows.fold == 1] + 1) % 3]
    assert judge.difference(first, second).value == pytest.approx(expected.value)
    assert judge.first_of([second, first]) == 1
    assert judge.first_of([first, first]) == 0


def test_next_to_no_error_leaves_nothing_to_win(rows: Examples, judge: Judge) -> None:
    perfect = np.eye(3)[rows.y]
    assert judge.leaves_nothing(perfect)
    perfect[:3] = np.eye(3)[(rows.y[:3] + 1) % 3]
    assert not judge.leaves_nothing(perfect)

"""Which pieces a training makes, and which it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basketwise import concurrency
from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.config import ModelName, TrainingConfig
from basketwise.training import fitting
from basketwise.training.candidates import Classifier
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.elimination import Judge
from basketwise.training.examples import Examples
from basketwise.training.fitting import Fitted, fit
from basketwise.training.race import Race, train_all
from tests.etl.running import quiet
from tests.training.made_up import made_up

ROWS, FOLDS = 3_000, 4
CONFIG = TrainingConfig(folds=FOLDS, cv_max_baskets=500, compared_max_baskets=500)
HEAVIEST_FIRST: list[ModelName] = ["random_forest", "xgboost", "logistic", "decision_tree"]


class Oracle:
    """Knows the class of a row by its number, and is wrong about a share of the rows."""

    def __init__(self, name: str, y: Labels, wrong: float) -> None:
        self.name, self.wrong = name, wrong
        rng = np.random.default_rng(len(name))
        self.answers = np.eye(3)[np.where(rng.random(y.size) < wrong, (y + 1) % 3, y)]

    def fit(self, X: Matrix, y: Labels) -> Classifier:
        return self

    def predict_proba(self, X: Matrix) -> Probabilities:
        return self.answers[X[:, 0].astype(np.int64)]


@pytest.fixture
def train() -> Examples:
    rows = made_up(ROWS, folds=FOLDS)
    rows.X[:, 0] = np.arange(ROWS)
    return rows


class Course:
    """A training of oracles that notes what is fitted, and on how many rows."""

    def __init__(self, train: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
        self.train = train
        self.fitted: dict[str, int] = {}
        self.ticks: list[tuple[int, int]] = []
        self.wrong: Mapping[str, float] = {}
        monkeypatch.setattr(concurrency, "cores", lambda: 1)
        monkeypatch.setattr(fitting, "build", self.build)
        monkeypatch.setattr("basketwise.training.race.build", self.build)
        monkeypatch.setattr(fitting, "fit_candidate", self.fit)
        monkeypatch.setattr(fitting, "store_model", lambda *_: None)

    def build(self, name: ModelName, config: TrainingConfig, baskets: int) -> Classifier:
        return Oracle(name, self.train.y, self.wrong[name])

    def fit(self, name: str, model: Classifier, X: Matrix, y: Labels, *rest: Any) -> float:
        self.fitted[rest[-1]] = y.size
        return float(len(self.fitted))

    def run(self, wrong: Mapping[str, float], config: TrainingConfig = CONFIG) -> Race:
        self.wrong = wrong
        judge = Judge(self.train, np.ones(ROWS), forward=False)

        def tick(what: str, done: int, total: int) -> None:
            self.ticks.append((done, total))

        return train_all(self.train, config, tick, judge, NOWHERE, lambda *_: None)[0]

    def folds(self, name: str) -> list[int]:
        return [fold for fold in range(FOLDS) if f"{name}-fold-{fold}" in self.fitted]


@pytest.fixture
def course(train: Examples, monkeypatch: pytest.MonkeyPatch) -> Course:
    return Course(train, monkeypatch)


def test_who_is_clearly_behind_after_two_folds_is_given_up(course: Course) -> None:
    wrong = {"logistic": 0.3, "decision_tree": 0.2, "random_forest": 0.1, "xgboost": 0.1}
    race = course.run(wrong)
    assert course.folds("logistic") == [0, FOLDS - 1]
    # The lightest is asked about all folds in any case.
    for name in ("decision_tree", "random_forest", "xgboost"):
        assert course.folds(name) == [0, 1, 2, 3]
    assert race.winner in {"random_forest", "xgboost"}
    unknown = np.isnan(race.out_of_fold["logistic"][:, 0])
    np.testing.assert_array_equal(unknown, np.isin(course.train.fold, [1, 2]))
    assert not np.isnan(race.out_of_fold["xgboost"]).any()
    # Two folds of one candidate are not expected any more.
    assert course.ticks[-1] == (4 + 4 * FOLDS - 2, 4 + 4 * FOLDS - 2)


def test_beside_a_nearly_perfect_one_the_others_are_asked_about_the_last_fold(
    course: Course,
) -> None:
    wrong = {"logistic": 0.3, "decision_tree": 0.0, "random_forest": 0.0, "xgboost": 0.1}
    race = course.run(wrong)
    assert course.folds("decision_tree") == [0, 1, 2, 3]
    for name in ("logistic", "random_forest", "xgboost"):
        assert course.folds(name) == [FOLDS - 1]
    # Of equals, whoever was asked about all folds.
    assert race.winner == "decision_tree"
    assert course.ticks[-1] == (4 + FOLDS + 3, 4 + FOLDS + 3)


def test_who_beats_a_nearly_perfect_one_in_the_last_fold_is_asked_on(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basketwise.training.elimination.NOTHING_LEFT", 0.1)
    wrong = {"logistic": 0.0, "decision_tree": 0.05, "random_forest": 0.05, "xgboost": 0.05}
    race = course.run(wrong)
    assert course.folds("logistic") == [0, 1, 2, 3]
    assert course.folds("xgboost") == [FOLDS - 1]
    assert race.winner == "logistic"


@pytest.mark.parametrize(
    "changes", [{"cv_stops_early": False}, {"folds": 2}, {"models": ("decision_tree",)}]
)
def test_all_are_asked_about_all_folds_where_nothing_is_to_be_saved(
    course: Course, changes: dict[str, Any]
) -> None:
    config = CONFIG.model_copy(update=changes)
    if config.folds == 2:
        course.train.fold[:] %= 2
    wrong = {"logistic": 0.3, "decision_tree": 0.0, "random_forest": 0.1, "xgboost": 0.1}
    race = course.run(wrong, config)
    for name in config.models:
        assert course.folds(name) == list(range(config.folds))
        assert not np.isnan(race.out_of_fold[name]).any()
    assert race.winner == "decision_tree"


def test_a_loser_is_compared_by_the_model_of_the_last_fold(course: Course) -> None:
    wrong = {"logistic": 0.3, "decision_tree": 0.2, "random_forest": 0.01, "xgboost": 0.1}
    race = course.run(wrong)
    assert race.winner == "random_forest"
    whole = {piece: rows for piece, rows in course.fitted.items() if "fold" not in piece}
    assert whole == {"random_forest": ROWS}
    assert set(race.fitted) == set(CONFIG.models)
    order = list(course.fitted)
    last = order.index(f"xgboost-fold-{FOLDS - 1}") + 1
    assert race.fitted["xgboost"].seconds == last


@pytest.mark.parametrize("most", [501, 0])
def test_a_loser_that_is_to_learn_from_more_is_fitted_again(course: Course, most: int) -> None:
    wrong = {"logistic": 0.3, "decision_tree": 0.2, "random_forest": 0.01, "xgboost": 0.1}
    course.run(wrong, CONFIG.model_copy(update={"compared_max_baskets": most}))
    whole = {piece: rows for piece, rows in course.fitted.items() if "fold" not in piece}
    losers = dict.fromkeys(("logistic", "decision_tree", "xgboost"), most or ROWS)
    assert whole == {"random_forest": ROWS, **losers}
    # The winner first, which may take as long as all others.
    assert next(iter(whole)) == "random_forest"


QUICK = TrainingConfig.model_validate(
    {
        "folds": FOLDS,
        "cv_max_baskets": 300,
        "compared_max_baskets": 300,
        "checkpoint_rounds": 2,
        "random_forest": {"n_estimators": 4, "max_depth": 4},
        "xgboost": {"n_estimators": 5, "max_depth": 3, "subsample": 0.7},
    }
)


def real(rows: Examples, checkpoints: Checkpoints) -> Race:
    judge = Judge(rows, np.ones(rows.y.size), forward=False)
    return train_all(rows, QUICK, quiet, judge, checkpoints, lambda *_: None)[0]


def same(actual: Race, expected: Race) -> None:
    assert actual.winner == expected.winner
    new = made_up(300, seed=1).X
    for name in QUICK.models:
        assert actual.out_of_fold[name].tobytes() == expected.out_of_fold[name].tobytes(), name
        assert predicted(actual.fitted[name], new) == predicted(expected.fitted[name], new), name


def predicted(fitted: Fitted, X: Matrix) -> bytes:
    return fitted.predict(X).tobytes()


def test_an_interrupted_race_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Every way to go on: with the folds' models gone, with one or all of the pieces lost."""
    rows = made_up(900, folds=FOLDS)
    # No line tells the classes apart.
    rows.X[:, 0] = np.where(np.arange(900) % 8 < 4, 4, -4) * rows.y + rows.X[:, 1]
    plain = real(rows, NOWHERE)
    unasked = [name for name in QUICK.models if np.isnan(plain.out_of_fold[name]).any()]
    assert unasked == ["logistic", "random_forest"]
    kept = Checkpoints(tmp_path / "kept", "key")
    same(real(rows, kept), plain)
    same(real(rows, kept), plain)
    for name in QUICK.models:
        kept.remove(name)
    same(real(rows, kept), plain)
    kept.remove(f"random_forest-fold-{FOLDS - 1}")
    kept.remove("random_forest")
    kept.remove("logistic-fold-0")
    same(real(rows, kept), plain)


def test_the_winner_learns_from_all_baskets() -> None:
    rows = made_up(900, folds=FOLDS)
    race = real(rows, NOWHERE)
    alone = fit(race.winner, rows, QUICK)
    assert predicted(race.fitted[race.winner], rows.X) == predicted(alone, rows.X)


def test_what_follows_from_the_cross_validation_is_made_meanwhile() -> None:
    rows = made_up(900, folds=FOLDS)
    judge = Judge(rows, np.ones(rows.y.size), forward=False)
    race, made = train_all(
        *(rows, QUICK, quiet, judge, NOWHERE),
        lambda winner, answers, fits: (winner, answers[winner].copy(), fits),
    )
    winner, answers, fits = made
    assert winner == race.winner == next(iter(fits))
    np.testing.assert_array_equal(answers, race.out_of_fold[winner])
    assert {name: fit.result() for name, fit in fits.items()} == race.fitted

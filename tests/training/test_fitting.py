from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from basketwise import concurrency
from basketwise.arrays import Labels, Matrix
from basketwise.candidates import CANDIDATES
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import WorkspaceError
from basketwise.progress import Tick
from basketwise.training import fitting
from basketwise.training.candidates import Classifier, build, fit_candidate
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.elimination import Judge
from basketwise.training.examples import Examples
from basketwise.training.fitting import fit
from basketwise.training.persistence import dump_model
from basketwise.training.race import Race
from basketwise.training.race import train_all as train_by
from tests.etl.running import quiet
from tests.training.made_up import made_up

CONFIG = TrainingConfig.model_validate(
    {
        "folds": 3,
        "checkpoint_rounds": 2,
        "cv_stops_early": False,
        "compared_max_baskets": 0,
        "random_forest": {"n_estimators": 4, "max_depth": 4},
        "xgboost": {"n_estimators": 5, "max_depth": 3, "subsample": 0.7},
    }
)
PIECES = len(CONFIG.models) * (1 + CONFIG.folds)


def train_all(
    train: Examples, config: TrainingConfig, tick: Tick, checkpoints: Checkpoints = NOWHERE
) -> Race:
    judge = Judge(train, np.ones(train.y.size), forward=False)
    return train_by(train, config, tick, judge, checkpoints, lambda *_: None)[0]


@pytest.fixture(scope="module")
def train() -> Examples:
    return made_up(600)


@pytest.fixture(scope="module")
def plain(train: Examples) -> Race:
    return train_all(train, CONFIG, quiet)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "kept", "key")


def same(actual: Race, expected: Race) -> None:
    new = made_up(300, seed=1).X
    assert list(actual[0]) == list(expected[0]) == list(CONFIG.models)
    assert list(actual[1]) == list(expected[1]) == list(CONFIG.models)
    for name in CONFIG.models:
        assert actual[0][name].tobytes() == expected[0][name].tobytes(), name
        ours, reference = (result[1][name].predict(new) for result in (actual, expected))
        assert ours.tobytes() == reference.tobytes(), name


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note every fit."""
    fitted: list[str] = []

    def noted(
        name: ModelName,
        model: Classifier,
        X: Matrix,
        y: Labels,
        config: TrainingConfig,
        checkpoints: Checkpoints,
        piece: str,
    ) -> float:
        fitted.append(piece)
        return fit_candidate(name, model, X, y, config, checkpoints, piece)

    with monkeypatch.context() as patched:
        patched.setattr(fitting, "fit_candidate", noted)
        yield fitted


def test_keeping_pieces_changes_nothing(
    train: Examples, plain: Race, checkpoints: Checkpoints
) -> None:
    same(train_all(train, CONFIG, quiet, checkpoints), plain)
    assert checkpoints.folder
    names = {path.name.removesuffix(".checkpoint") for path in checkpoints.folder.iterdir()}
    folds = {f"{name}-fold-{fold}" for name in CONFIG.models for fold in range(3)}
    assert names == {*CONFIG.models, *folds}


def test_a_finished_training_is_recalled_whole(
    train: Examples,
    checkpoints: Checkpoints,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = train_all(train, CONFIG, quiet, checkpoints)
    ticks: list[tuple[str, int, int]] = []
    with counted(monkeypatch) as fitted:
        again = train_all(train, CONFIG, lambda *tick: ticks.append(tick), checkpoints)
    assert fitted == []
    assert ticks == [("models fitted", PIECES, PIECES)]
    same(again, first)
    for name in CONFIG.models:
        assert again[1][name].seconds == first[1][name].seconds > 0


def test_only_what_is_missing_is_fitted(
    train: Examples,
    plain: Race,
    checkpoints: Checkpoints,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train_all(train, CONFIG, quiet, checkpoints)
    missing = {"logistic", "xgboost", "random_forest-fold-2", "xgboost-fold-0"}
    for piece in missing:
        checkpoints.remove(piece)
    ticks: list[tuple[str, int, int]] = []
    with counted(monkeypatch) as fitted:
        result = train_all(train, CONFIG, lambda *tick: ticks.append(tick), checkpoints)
    assert len(fitted) == len(missing)
    assert set(fitted) == missing
    assert ticks == [("models fitted", done, PIECES) for done in range(PIECES - 4, PIECES + 1)]
    same(result, plain)


def test_pieces_of_another_training_are_not_taken(
    train: Examples, plain: Race, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CONFIG.model_copy(update={"random_state": 7})
    train_all(train, other, quiet, Checkpoints(checkpoints.folder, "other"))
    with counted(monkeypatch) as fitted:
        same(train_all(train, CONFIG, quiet, checkpoints), plain)
    assert len(fitted) == PIECES


def damage(path: Path, number: int) -> None:
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        (
            whole[:middle],
            whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :],
            b"",
            whole + whole,
        )[number % 4]
    )


def test_damaged_files_cost_time_and_change_nothing(
    train: Examples, plain: Race, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_all(train, CONFIG, quiet, checkpoints)
    assert checkpoints.folder
    files = sorted(checkpoints.folder.iterdir())
    for number, path in enumerate(files):
        damage(path, number)
    with counted(monkeypatch) as fitted:
        same(train_all(train, CONFIG, quiet, checkpoints), plain)
    assert len(fitted) == len(files) == PIECES


@pytest.mark.parametrize("number", range(4))
def test_a_damaged_stretch_costs_time_and_changes_nothing(
    train: Examples, plain: Race, checkpoints: Checkpoints, number: int
) -> None:
    checkpoints.prepare()
    X, y = train.X, train.y
    model = build("xgboost", CONFIG, y.size)
    fit_candidate("xgboost", model, X, y, CONFIG, checkpoints, "xgboost")
    assert checkpoints.folder
    (path,) = checkpoints.folder.glob("xgboost-rounds*")
    damage(path, number)
    result = fit("xgboost", train, CONFIG, checkpoints)
    new = made_up(300, seed=1).X
    assert result.predict(new).tobytes() == plain[1]["xgboost"].predict(new).tobytes()
    assert not path.exists()


@pytest.mark.parametrize("name", CONFIG.models)
def test_a_single_fit_is_stored_under_its_own_name(
    train: Examples, checkpoints: Checkpoints, name: ModelName, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.prepare()
    fewer = train.only(["a", "c"])
    unkept = fit(name, fewer, CONFIG)
    first = fit(name, fewer, CONFIG, checkpoints, "without_basket")
    with counted(monkeypatch) as fitted:
        again = fit(name, fewer, CONFIG, checkpoints, "without_basket")
        assert fitted == []
        fit(name, train, CONFIG, checkpoints)
        assert fitted == [name]
    assert again.seconds == first.seconds
    expected = unkept.predict(fewer.X).tobytes()
    assert first.predict(fewer.X).tobytes() == again.predict(fewer.X).tobytes() == expected


def test_a_full_disk_ends_the_training(
    train: Examples, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Checkpoints, name: str, payload: bytes) -> None:
        raise WorkspaceError("Checkpoints cannot be stored.")

    monkeypatch.setattr(Checkpoints, "store", full)
    with pytest.raises(WorkspaceError, match="cannot be stored"):
        train_all(train, CONFIG, quiet, checkpoints)


def test_an_abandoned_piece_harms_nothing(
    train: Examples, plain: Race, checkpoints: Checkpoints
) -> None:
    """A training is stopped; what its threads keep afterwards is whole, and of use."""

    class StoppedError(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        train_all(train, CONFIG, stop, checkpoints)
    same(train_all(train, CONFIG, quiet, checkpoints), plain)


def test_many_rows_are_predicted_in_pieces(
    train: Examples, plain: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = plain[1]["decision_tree"]
    whole = fitted.model.predict_proba(train.X)
    monkeypatch.setattr(fitting, "PREDICT_ROWS", 7)
    np.testing.assert_array_equal(fitted.predict(train.X), whole)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_cores_gives_the_same_models(
    train: Examples, plain: Race, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "cores", lambda: number)
    result = train_all(train, CONFIG, quiet)
    same(result, plain)
    for name in CONFIG.models:
        assert dump_model(result[1][name].model) == dump_model(plain[1][name].model)


def test_the_heaviest_fits_start_first(train: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "cores", lambda: 1)
    with counted(monkeypatch) as fitted:
        train_all(train, CONFIG, quiet)
    heaviest_first = ["random_forest", "xgboost", "logistic", "decision_tree"]
    assert fitted[: -len(CONFIG.models)] == [
        f"{name}-fold-{fold}" for name in heaviest_first for fold in range(CONFIG.folds)
    ]
    # The winner first, then the others.
    whole = fitted[-len(CONFIG.models) :]
    assert whole[1:] == [name for name in heaviest_first if name != whole[0]]


def test_a_candidate_that_needs_few_baskets_learns_from_as_many(
    train: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {**CANDIDATES, "logistic": replace(CANDIDATES["logistic"], most=90)}
    monkeypatch.setattr(fitting, "CANDIDATES", few)
    learned: list[int] = []

    def noted(name: ModelName, config: TrainingConfig, baskets: int) -> Classifier:
        learned.append(baskets)
        return build(name, config, baskets)

    monkeypatch.setattr(fitting, "build", noted)
    first, again = (fit("logistic", train, CONFIG) for _ in range(2))
    fit("decision_tree", train, CONFIG)
    assert learned == [90, 90, train.y.size]
    assert {name for name, own in CANDIDATES.items() if own.most} == {
        "logistic",
        "decision_tree",
        "random_forest",
        "xgboost",
    }
    assert first.predict(train.X).tobytes() == again.predict(train.X).tobytes()

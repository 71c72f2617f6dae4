from __future__ import annotations

import copy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from basketwise.arrays import Labels, Matrix
from basketwise.training import boosted_trees
from basketwise.training.boosted_trees import read_boosted_trees
from basketwise.training.boosters import dump_booster
from basketwise.training.persistence import dump_model
from basketwise.training.xgboost_library import BoostedTrees

COLUMNS = 6


def rows(number: int, seed: int) -> Matrix:
    made = np.random.default_rng(seed).normal(scale=3, size=(number, COLUMNS)).astype(np.float32)
    made[::7, 0], made[1::7, 1] = np.nan, np.inf
    return made


def fitted(**settings: Any) -> Any:
    from xgboost import XGBClassifier

    X = np.nan_to_num(rows(400, 1), posinf=9.0)
    y: Labels = (np.abs(X[:, 0]) + X[:, 2] > 2).astype(np.int8) + (X[:, 1] > 0)
    chosen = {"n_estimators": 20, "max_depth": 4, "n_jobs": 1, "subsample": 0.8, **settings}
    return XGBClassifier(**chosen).fit(X, y)


@pytest.mark.parametrize(
    "settings",
    [{}, {"num_parallel_tree": 3}, {"base_score": 0.3}, {"grow_policy": "lossguide"}],
    ids=str,
)
def test_answers_are_those_of_the_package_to_the_bit(settings: dict[str, Any]) -> None:
    model = fitted(**settings)
    read = read_boosted_trees(dump_model(model), COLUMNS)
    assert read is not None
    X = rows(500, 2)
    expected = model.predict_proba(X)
    assert read.predict_proba(X).tobytes() == expected.tobytes()
    for row in range(20):
        assert read.predict_proba(X[row : row + 1]).tobytes() == expected[row].tobytes()
    # Columns apart in memory, and none at all.
    wide = np.asfortranarray(X)
    assert read.predict_proba(wide).tobytes() == expected.tobytes()


def test_threads_do_not_get_in_each_others_way() -> None:
    model = fitted()
    read = read_boosted_trees(dump_model(model), COLUMNS)
    assert read is not None
    pieces = [rows(50, seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(read.predict_proba, pieces))
    for piece, answer in zip(pieces, answers, strict=True):
        assert answer.tobytes() == model.predict_proba(piece).tobytes()


def test_a_copy_is_a_model_of_its_own() -> None:
    model = BoostedTrees(dump_booster(fitted().get_booster()))
    copied = copy.deepcopy(model)
    X = rows(30, 3)
    assert copied.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


@pytest.mark.parametrize(
    "settings",
    [
        {"booster": "dart"},
        {"booster": "gblinear", "subsample": None},
        {"missing": 0.0},
        {"objective": "multi:softmax"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_not_applied_plainly_is_left_to_the_package(settings: dict[str, Any]) -> None:
    assert read_boosted_trees(dump_model(fitted(**settings)), COLUMNS) is None


def test_other_features_or_no_library_are_left_to_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = dump_model(fitted())
    assert read_boosted_trees(data, COLUMNS + 1) is None
    assert read_boosted_trees(b"no archive", COLUMNS) is None
    monkeypatch.setattr(boosted_trees, "find_library", lambda: None)
    assert read_boosted_trees(data, COLUMNS) is None


def test_what_the_library_refuses_is_told() -> None:
    with pytest.raises(ValueError, match="XGBoost refuses it"):
        BoostedTrees(b'{"learner": 1}')


def test_the_package_is_not_imported() -> None:
    program = (
        "import sys; from basketwise.training.xgboost_library import _library; _library(); "
        "sys.exit(any(name in sys.modules for name in ('xgboost', 'sklearn', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

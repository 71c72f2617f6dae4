from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import joblib
import numpy as np
import pytest
import skops.io
import xgboost
from numpy.typing import NDArray
from xgboost import Booster, XGBClassifier

from basketwise.candidates import TRUSTED
from basketwise.config import TrainingConfig
from basketwise.training import boosting
from basketwise.training.boosting import Progress, boost, stored_progress
from basketwise.training.candidates import build, fit_candidate
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.leaves import smooth_leaves

ROUNDS = 11
SMALL = {"n_estimators": ROUNDS, "max_depth": 3, "n_jobs": 1, "random_state": 42}
SAMPLED = SMALL | {"subsample": 0.7, "colsample_bytree": 0.5}


@pytest.fixture(scope="module", name="X")
def features() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    result = rng.normal(size=(300, 4)).astype(np.float32)
    result[::7, 1] = np.nan
    result[:, 3] = rng.integers(0, 4, 300)
    return result


@pytest.fixture(scope="module", name="y")
def labels(X: NDArray[np.float32]) -> NDArray[np.int8]:
    noise = np.random.default_rng(1).normal(0, 0.4, len(X))
    return np.digitize(X[:, 0] + noise, [-0.4, 0.4]).astype(np.int8)


def raw(model: XGBClassifier) -> bytes:
    return bytes(model.get_booster().save_raw("ubj"))


def continued(
    settings: dict[str, Any], X: NDArray[np.float32], y: NDArray[np.int8], at_once: int
) -> XGBClassifier:
    """What XGBoost's documented way to go on with a model gives."""
    before = None
    for stretch, start in enumerate(range(0, ROUNDS, at_once)):
        rounds, seed = min(at_once, ROUNDS - start), settings["random_state"] + stretch
        model = XGBClassifier(**settings | {"n_estimators": rounds, "random_state": seed})
        model.fit(X, y, xgb_model=before)
        before = Booster(model_file=bytearray(raw(model)))
    return model


SETTINGS = [
    {},
    {"n_estimators": ROUNDS, "booster": "dart", "rate_drop": 0.5},
    {"booster": "gblinear", "colsample_bytree": None, "subsample": None, "max_depth": None},
    {"tree_method": "hist", "max_bin": 7},
    {"tree_method": "exact"},
    {"tree_method": "approx"},
    {"missing": 0.0},
    {"num_parallel_tree": 2, "colsample_bynode": 0.5},
    {"feature_weights": [1.0, 0.1, 0.1, 5.0]},
    {"feature_types": ["q", "q", "q", "c"], "enable_categorical": True},
    {"monotone_constraints": "(1,0,0,0)", "interaction_constraints": "[[0,1],[2,3]]"},
    {"eval_metric": ["mlogloss", "merror"]},
    {"objective": "multi:softmax", "base_score": 0.3},
    {"multi_strategy": "multi_output_tree", "colsample_bytree": None},
    {"grow_policy": "lossguide", "max_leaves": 5, "reg_lambda": 3, "min_child_weight": 2},
]


def settings_id(settings: dict[str, Any]) -> str:
    return ",".join(settings) or "sampled"


@pytest.mark.parametrize("at_once", [4, ROUNDS])
@pytest.mark.parametrize("more", SETTINGS, ids=settings_id)
def test_every_setting_is_honoured(
    X: NDArray[np.float32], y: NDArray[np.int8], more: dict[str, Any], at_once: int
) -> None:
    settings = SAMPLED | more
    model = XGBClassifier(**settings)
    boost(model, X, y, at_once, NOWHERE, "piece")
    expected = continued(settings, X, y, at_once)
    assert raw(model) == raw(expected)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def test_one_stretch_is_an_ordinary_fit(X: NDArray[np.float32], y: NDArray[np.int8]) -> None:
    model, plain = XGBClassifier(**SAMPLED), XGBClassifier(**SAMPLED).fit(X, y)
    boost(model, X, y, ROUNDS, NOWHERE, "piece")
    assert raw(model) == raw(plain)
    assert vars(model).keys() == vars(plain).keys()
    assert str(model.get_params()) == str(plain.get_params())
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_stretches_without_drawing_make_the_model_that_one_go_makes(
    X: NDArray[np.float32], y: NDArray[np.int8]
) -> None:
    model, plain = XGBClassifier(**SMALL), XGBClassifier(**SMALL).fit(X, y)
    boost(model, X, y, 3, NOWHERE, "piece")
    assert model.get_booster().num_boosted_rounds() == ROUNDS
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), rtol=1e-5)


def test_each_stretch_draws_its_own_rows(X: NDArray[np.float32], y: NDArray[np.int8]) -> None:
    settings = SAMPLED | {"n_estimators": 2, "learning_rate": 1e-9}
    model = XGBClassifier(**settings)
    boost(model, X, y, 1, NOWHERE, "piece")
    first, second = model.get_booster().get_dump()[::3]
    # So slow a learner grows the same tree again, unless it sees other rows and columns.
    assert first != second


@pytest.mark.parametrize("seed", [{"random_state": None}, {"seed": 5}, {"random_state": -3}])
def test_any_seed_that_xgboost_takes_is_taken(
    X: NDArray[np.float32], y: NDArray[np.int8], seed: dict[str, Any]
) -> None:
    settings = SAMPLED | seed
    model, plain = XGBClassifier(**settings), XGBClassifier(**settings).fit(X, y)
    boost(model, X, y, ROUNDS, NOWHERE, "piece")
    assert raw(model) == raw(plain)
    again = XGBClassifier(**settings)
    boost(again, X, y, 4, NOWHERE, "piece")
    assert raw(again) != raw(model)


class KilledError(Exception):
    """Stands for the process's end."""


def killed_after(checkpoints: Checkpoints, stretches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = 0

    def store(self: Checkpoints, name: str, payload: bytes) -> None:
        nonlocal kept
        whole(self, name, payload)
        kept += 1
        if kept == stretches:
            raise KilledError

    whole = Checkpoints.store
    monkeypatch.setattr(Checkpoints, "store", store)


@pytest.mark.parametrize("stretches", [1, 2, 3])
def test_it_goes_on_from_the_last_stretch_to_the_same_end(
    X: NDArray[np.float32],
    y: NDArray[np.int8],
    tmp_path: Path,
    stretches: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uninterrupted = XGBClassifier(**SAMPLED)
    boost(uninterrupted, X, y, 3, NOWHERE, "piece")
    checkpoints = Checkpoints(tmp_path, "key")
    with monkeypatch.context() as patched:
        killed_after(checkpoints, stretches, patched)
        with pytest.raises(KilledError):
            boost(XGBClassifier(**SAMPLED), X, y, 3, checkpoints, "piece")
    progress = stored_progress(checkpoints, "piece")
    assert progress
    assert progress.rounds == 3 * stretches
    assert progress.seconds > 0
    boosting.store_progress(checkpoints, "piece", Progress(1e6, progress.rounds, progress.booster))

    # In a thread that has drawn other random numbers before.
    model = XGBClassifier(**SAMPLED)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(XGBClassifier(**SAMPLED | {"random_state": 9}).fit, X, y).result()
        seconds = pool.submit(boost, model, X, y, 3, checkpoints, "piece").result()

    assert raw(model) == raw(uninterrupted)
    np.testing.assert_array_equal(model.predict_proba(X), uninterrupted.predict_proba(X))
    assert seconds > 1e6


def test_the_last_stretch_is_not_kept(
    X: NDArray[np.float32], y: NDArray[np.int8], tmp_path: Path
) -> None:
    boost(XGBClassifier(**SAMPLED), X, y, ROUNDS, Checkpoints(tmp_path, "key"), "piece")
    assert list(tmp_path.iterdir()) == []


def test_it_is_still_a_model_that_can_be_shipped(
    X: NDArray[np.float32], y: NDArray[np.int8]
) -> None:
    model = XGBClassifier(**SAMPLED)
    boost(model, X, y, 4, NOWHERE, "piece")
    stream = io.BytesIO()
    joblib.dump(model, stream)
    opened = [
        skops.io.loads(skops.io.dumps(model), trusted=list(TRUSTED)),
        joblib.load(io.BytesIO(stream.getvalue())),
    ]
    assert model.n_classes_ == 3
    assert model.n_estimators == ROUNDS
    for other in opened:
        assert raw(other) == raw(model)
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("rounds", [0, None])
def test_no_rounds_and_xgboosts_own_number_of_rounds(
    X: NDArray[np.float32], y: NDArray[np.int8], rounds: int | None
) -> None:
    settings = SMALL | {"n_estimators": rounds, "max_depth": 1}
    model, plain = XGBClassifier(**settings), XGBClassifier(**settings).fit(X, y)
    boost(model, X, y, 200, NOWHERE, "piece")
    assert model.n_estimators == rounds
    assert raw(model) == raw(plain)


@pytest.mark.parametrize(
    ("settings", "gap", "message"),
    [
        ({"early_stopping_rounds": 2}, False, "at least 1 validation dataset for early stopping"),
        ({"max_depth": -1}, False, "max_depth"),
        ({}, True, r"Expected: \[0 1\], got \[0 2\]"),
    ],
)
def test_what_xgboost_refuses_is_refused(
    X: NDArray[np.float32],
    y: NDArray[np.int8],
    settings: dict[str, Any],
    gap: bool,
    message: str,
) -> None:
    known = np.where(y == 1, 2, y) if gap else y
    with pytest.raises(ValueError, match=message):
        XGBClassifier(**SMALL | settings).fit(X, known)
    with pytest.raises(ValueError, match=message):
        boost(XGBClassifier(**SMALL | settings), X, known, 4, NOWHERE, "piece")


def test_two_classes_are_learned_as_before(X: NDArray[np.float32], y: NDArray[np.int8]) -> None:
    two = (y > 1).astype(np.int8)
    model, plain = XGBClassifier(**SAMPLED), XGBClassifier(**SAMPLED).fit(X, two)
    boost(model, X, two, ROUNDS, NOWHERE, "piece")
    assert raw(model) == raw(plain)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_only_boosting_goes_in_stretches(
    X: NDArray[np.float32], y: NDArray[np.int8], tmp_path: Path
) -> None:
    config = TrainingConfig(checkpoint_rounds=1, xgboost=SAMPLED)
    checkpoints = Checkpoints(tmp_path, "key")
    tree, filled = build("decision_tree", config, len(y)), np.nan_to_num(X)
    assert fit_candidate("decision_tree", tree, filled, y, config, checkpoints, "tree") > 0
    plain = build("decision_tree", config, len(y)).fit(filled, y)
    smooth_leaves(cast("Any", plain).tree_)
    np.testing.assert_array_equal(tree.predict_proba(filled), plain.predict_proba(filled))
    assert list(tmp_path.iterdir()) == []
    boosted = build("xgboost", config, len(y))
    assert fit_candidate("xgboost", boosted, X, y, config, checkpoints, "boosted") > 0
    assert [path.name for path in tmp_path.iterdir()] == ["boosted-rounds.checkpoint"]
    assert boosted.predict_proba(X).shape == (len(y), 3)


@pytest.mark.parametrize(("own", "many", "threads"), [(1, 1, 4), (1, 10**6, 1), (2, 1, 2)])
def test_many_rows_are_boosted_in_several_threads(
    X: NDArray[np.float32],
    y: NDArray[np.int8],
    own: int,
    many: int,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []
    train, matrix = xgboost.train, xgboost.QuantileDMatrix

    def trained(settings: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        taken.append(settings["n_jobs"])
        return train(settings, *arguments, **options)

    def binned(*arguments: Any, nthread: int, **options: Any) -> Any:
        taken.append(nthread)
        return matrix(*arguments, nthread=nthread, **options)

    monkeypatch.setattr("basketwise.training.boosting.MANY", many)
    monkeypatch.setattr(xgboost, "train", trained)
    monkeypatch.setattr(xgboost, "QuantileDMatrix", binned)
    settings = SAMPLED | {"n_jobs": own}
    model = XGBClassifier(**settings)
    boost(model, X, y, ROUNDS, NOWHERE, "piece")
    assert taken == [threads, threads]
    assert model.n_jobs == own
    monkeypatch.undo()
    assert raw(model) == raw(XGBClassifier(**settings).fit(X, y))

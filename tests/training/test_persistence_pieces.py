from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer

from basketwise.arrays import Probabilities
from basketwise.config import ModelName, TrainingConfig
from basketwise.training import skops_file
from basketwise.training.boosters import dump_booster
from basketwise.training.boosting import (
    Progress,
    remove_progress,
    store_progress,
    stored_progress,
)
from basketwise.training.candidates import build
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.examples import Examples
from basketwise.training.persistence import (
    store_model,
    store_probabilities,
    stored_model,
    stored_probabilities,
)
from basketwise.training.trial import know
from tests.training.made_up import made_up

NAMES: tuple[ModelName, ...] = get_args(ModelName)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path, "key")


@pytest.fixture(scope="module")
def train() -> Examples:
    return made_up(600)


@pytest.mark.parametrize("name", NAMES)
def test_a_recalled_model_predicts_to_the_bit(
    checkpoints: Checkpoints, train: Examples, name: ModelName
) -> None:
    model = build(name, TrainingConfig(), train.y.size).fit(train.X, train.y)
    store_model(checkpoints, name, model, 1.25)
    recalled = stored_model(checkpoints, name)
    assert recalled
    again, seconds = recalled
    assert type(again) is type(model)
    assert seconds == 1.25
    new = made_up(500, seed=1).X
    result, expected = again.predict_proba(new), model.predict_proba(new)
    assert result.dtype == expected.dtype
    assert result.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_recalled_probabilities_are_the_same_bits(checkpoints: Checkpoints, dtype: type) -> None:
    kept: Probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 50).astype(dtype)
    store_probabilities(checkpoints, "fold", kept)
    result = stored_probabilities(checkpoints, "fold", 50)
    assert result is not None
    assert result.dtype == kept.dtype
    assert result.tobytes() == kept.tobytes()


def test_probabilities_of_other_baskets_are_not_taken(checkpoints: Checkpoints) -> None:
    store_probabilities(checkpoints, "fold", np.full((50, 3), 1 / 3))
    assert stored_probabilities(checkpoints, "fold", 51) is None
    store_probabilities(checkpoints, "fold", np.full((50, 2), 1 / 2))
    assert stored_probabilities(checkpoints, "fold", 50) is None


def test_nothing_is_recalled_of_what_was_never_kept(checkpoints: Checkpoints) -> None:
    for where in (checkpoints, NOWHERE):
        assert stored_model(where, "piece") is None
        assert stored_probabilities(where, "piece", 3) is None
        assert stored_progress(where, "piece") is None


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("opened",)


def pickled_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([[Trap()] * 3] * 3), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0" * 40,
        pickle.dumps(Trap()),
        b"\0" * 8 + pickle.dumps(Trap()),
        pickled_array(),
        struct.pack("<d", 1.0) + skops.io.dumps(FunctionTransformer(Path.unlink)),
        struct.pack("<d", 1.0) + skops.io.dumps({"not": "a model"}),
        struct.pack("<d", 1.0) + skops.io.dumps(FunctionTransformer())[:-30],
    ],
    # skops' bytes contain addresses, so a test named by them would have another name each time.
    ids=["empty", "zeros", "pickle", "late pickle", "array", "untrusted", "no model", "cut off"],
)
def test_bytes_that_contain_something_else_count_as_absent(
    checkpoints: Checkpoints, payload: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("piece", "piece-rounds"):
        checkpoints.store(name, payload)
    assert stored_model(checkpoints, "piece") is None
    assert stored_probabilities(checkpoints, "piece", 3) is None
    assert stored_progress(checkpoints, "piece") is None
    assert capsys.readouterr().out == ""


def test_a_type_that_is_no_longer_trusted_is_reported(
    checkpoints: Checkpoints,
    train: Examples,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = TrainingConfig(xgboost={"n_estimators": 2})
    model = build("xgboost", config, train.y.size).fit(train.X, train.y)
    store_model(checkpoints, "xgboost", model, 1.0)
    assert stored_model(checkpoints, "xgboost")
    assert not caplog.records
    monkeypatch.setattr(skops_file, "TRUSTED", ())
    assert stored_model(checkpoints, "xgboost") is None
    (record,) = caplog.records
    assert record.name.startswith("basketwise.")
    assert "checkpoint of xgboost" in record.getMessage()
    assert "xgboost.sklearn.XGBClassifier" in record.getMessage()


def test_progress_is_apart_from_the_finished_piece(
    checkpoints: Checkpoints, train: Examples
) -> None:
    config = TrainingConfig(xgboost={"n_estimators": 2})
    model = build("xgboost", config, train.y.size).fit(train.X, train.y)
    progress = Progress(2.5, 2, dump_booster(model.get_booster()))  # type: ignore[attr-defined]
    know(progress.booster)
    store_progress(checkpoints, "xgboost", progress)
    assert stored_model(checkpoints, "xgboost") is None
    store_model(checkpoints, "xgboost", model, 1.0)
    assert stored_progress(checkpoints, "xgboost") == progress
    remove_progress(checkpoints, "xgboost")
    assert stored_progress(checkpoints, "xgboost") is None
    assert stored_model(checkpoints, "xgboost") is not None


def beyond(tree: dict[str, Any]) -> None:
    """Let the root lead to a node that is not there."""
    tree["left_children"][0] = 10_000


def looped(tree: dict[str, Any]) -> None:
    tree["left_children"][0] = 0


def unknown_feature(tree: dict[str, Any]) -> None:
    tree["split_indices"][0] = 99


@pytest.mark.parametrize("damage", [beyond, looped, unknown_feature])
def test_progress_that_would_lead_astray_is_not_used(
    damage: Callable[[dict[str, Any]], None],
    checkpoints: Checkpoints,
    train: Examples,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = build("xgboost", TrainingConfig(xgboost={"n_estimators": 2}), train.y.size)
    model.fit(train.X, train.y)
    document = json.loads(dump_booster(model.get_booster()))  # type: ignore[attr-defined]
    damage(document["learner"]["gradient_booster"]["model"]["trees"][0])
    store_progress(checkpoints, "xgboost", Progress(1.0, 2, json.dumps(document).encode()))
    assert stored_progress(checkpoints, "xgboost") is None
    assert "progress of xgboost cannot be used; it is trained again: an XGB" in caplog.text


def test_progress_of_another_form_or_length_is_not_used(
    checkpoints: Checkpoints, train: Examples, caplog: pytest.LogCaptureFixture
) -> None:
    model = build("xgboost", TrainingConfig(xgboost={"n_estimators": 2}), train.y.size)
    booster = model.fit(train.X, train.y).get_booster()  # type: ignore[attr-defined]
    know(dump_booster(booster))
    for progress in (
        Progress(1.0, 2, bytes(booster.save_raw("ubj"))),
        Progress(1.0, 3, dump_booster(booster)),
        Progress(1.0, 2, b'{"learner": []}'),
        Progress(1.0, 2, b"[" * 100_000),
    ):
        store_progress(checkpoints, "xgboost", progress)
        assert stored_progress(checkpoints, "xgboost") is None
    assert caplog.text.count("it is trained again") == 4


def test_progress_of_another_process_is_tried_in_a_third(
    checkpoints: Checkpoints, train: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build("xgboost", TrainingConfig(xgboost={"n_estimators": 2}), train.y.size)
    model.fit(train.X, train.y)
    booster = dump_booster(model.get_booster())  # type: ignore[attr-defined]
    store_progress(checkpoints, "xgboost", Progress(1.0, 2, booster))

    def crashed(*_: object) -> None:
        raise ValueError("it crashed")

    monkeypatch.setattr("basketwise.training.trial._safe", set())
    with monkeypatch.context() as patched:
        patched.setattr("basketwise.training.trial._run", crashed)
        assert stored_progress(checkpoints, "xgboost") is None
    know(booster)
    assert stored_progress(checkpoints, "xgboost") is not None

"""XGBoost's own JSON: what is checked before anything of it is loaded."""

from __future__ import annotations

import io
import json
import os
import resource
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xgboost

from basketwise.schema import CLASSES
from basketwise.training import trial
from basketwise.training.boosters import check_booster

FEATURES = 3
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def booster() -> bytes:
    draw = np.random.default_rng(0)
    X, y = draw.normal(size=(60, FEATURES)), np.arange(60) % len(CLASSES)
    model = xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1).fit(X, y)
    return bytes(model.get_booster().save_raw("json"))


def forest(document: dict[str, Any]) -> Any:
    return document["learner"]["gradient_booster"]["model"]


def tree(document: dict[str, Any]) -> Any:
    return forest(document)["trees"][0]


def test_a_sound_model_has_its_number_of_features(booster: bytes) -> None:
    assert check_booster(booster) == FEATURES


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d["learner"]["learner_model_param"].update(num_class="2"), "other classes"),
        (lambda d: d["learner"]["gradient_booster"].update(name="gbforest"), "unknown kind"),
        (lambda d: forest(d)["trees"].pop(), "number of trees"),
        (lambda d: forest(d).update(tree_info=[9] * 6), "unknown class"),
        (lambda d: forest(d).update(iteration_indptr=[0, 9]), "number of rounds"),
        (lambda d: forest(d).update(cats={"enc": [1]}), "categories"),
        (lambda d: tree(d)["left_children"].pop(), "one entry per node"),
        (lambda d: tree(d)["left_children"].__setitem__(0, 99), "out of range"),
        (lambda d: tree(d)["left_children"].__setitem__(0, 2), "a loop"),
        (lambda d: tree(d)["split_indices"].__setitem__(0, FEATURES), "a feature"),
        (lambda d: tree(d)["split_conditions"].__setitem__(0, "x"), "something else"),
        (lambda d: tree(d)["split_indices"].__setitem__(0, 2**40), "out of range"),
        (lambda d: tree(d).update(base_weights=5), "something else"),
    ],
)
def test_an_edited_model_is_refused(booster: bytes, edit: Edit, message: str) -> None:
    document = json.loads(booster)
    edit(document)
    with pytest.raises((ValueError, TypeError), match=message):
        check_booster(json.dumps(document).encode())


def test_the_other_process_applies_a_model_within_bounds(
    booster: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", bounds.__setitem__)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(booster)))
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)

    trial.apply(trial.JSON, FEATURES)

    assert ended == [0]
    assert bounds[resource.RLIMIT_AS][0] <= trial.MEMORY
    assert bounds[resource.RLIMIT_CPU][0] <= trial.SECONDS


def test_what_the_other_process_has_converted_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def converted(form: str, data: bytes, features: int) -> bytes:
        calls.append(form)
        return b"as JSON"

    monkeypatch.setattr(trial, "_safe", set())
    monkeypatch.setattr(trial, "_run", converted)
    trial.try_booster(trial.from_pickled(b"a pickled one"), 1)
    assert calls == [trial.PICKLED]

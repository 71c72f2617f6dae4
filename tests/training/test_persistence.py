from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import joblib
import numpy as np
import pytest
import skops.io
import xgboost

from basketwise.artifact.archive import pack, unpack, write_manifest
from basketwise.candidates import TRUSTED
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import ConfigError, InputError
from basketwise.files import MODEL
from basketwise.training import boosters
from basketwise.training.candidates import Classifier, build
from basketwise.training.persistence import dump_model, load_model, loads_model
from tests.training.made_up import made_up

NAMES: tuple[ModelName, ...] = get_args(ModelName)
FEW = {"n_estimators": 5}


def fitted(name: ModelName) -> Classifier:
    train = made_up(600)
    config = TrainingConfig(random_forest=FEW, xgboost=FEW)
    return build(name, config, train.y.size).fit(train.X, train.y)


def digest(name: ModelName) -> str:
    return hashlib.sha256(dump_model(fitted(name))).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_every_candidate_comes_back_to_the_bit(tmp_path: Path, name: ModelName) -> None:
    model, new = fitted(name), made_up(500, seed=1).X
    (tmp_path / MODEL).write_bytes(dump_model(model))
    with (tmp_path / MODEL).open("rb") as stream:
        by_skops = skops.io.load(stream, trusted=list(TRUSTED))
    if name == "xgboost":
        # The booster is XGBoost's own JSON there.
        by_skops._Booster = xgboost.Booster(model_file=by_skops._Booster)
    for again in (load_model(tmp_path / MODEL), by_skops):
        assert type(again) is type(model)
        assert again.predict_proba(new).tobytes() == model.predict_proba(new).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_was_read_back_has_the_same_bytes(name: ModelName) -> None:
    model = fitted(name)
    expected = dump_model(model)
    assert dump_model(loads_model(expected, MODEL)) == expected
    assert dump_model(loads_model(skops.io.dumps(model), MODEL)) == expected


def test_the_same_model_of_another_process_has_the_same_bytes() -> None:
    program = (
        "from tests.training.test_persistence import NAMES, digest\n"
        "print(*[digest(name) for name in NAMES])"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.split() == [digest(name) for name in NAMES]


def test_bytes_between_the_fields_of_a_tree_are_not_written() -> None:
    model = fitted("decision_tree")
    nodes = model.tree_.__getstate__()["nodes"]  # type: ignore[attr-defined]
    width = nodes.dtype.itemsize
    assert width > sum(dtype.itemsize for dtype, *_ in nodes.dtype.fields.values())
    clean = dump_model(model)
    memory = nodes.view(np.uint8).reshape(-1, width)
    memory[:, -1] = 255
    assert dump_model(model) == clean


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 1_000), ("MAX_VALUES", 20)])
def test_a_booster_that_could_not_be_read_back_is_not_stored(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    model = fitted("xgboost")
    monkeypatch.setattr(boosters, limit, value)
    with pytest.raises(ConfigError, match="The trained model cannot be stored") as caught:
        dump_model(model)
    assert "n_estimators" in caught.value.hint


class Untrusted:
    """A type that no candidate is made of."""

    def __init__(self) -> None:
        self.depth = 3


def test_a_model_with_other_types_is_refused_before_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skops.io.dump({"model": Untrusted()}, tmp_path / MODEL)

    def build_nothing(*_: object, **__: object) -> None:
        raise AssertionError("the model was built")

    monkeypatch.setattr(skops.io, "loads", build_nothing)
    with pytest.raises(InputError, match=r"types that are not trusted: .*Untrusted"):
        load_model(tmp_path / MODEL)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"no zip"), "cannot be loaded"),
        (lambda path: path.write_bytes(b""), "cannot be loaded"),
        (lambda path: path.write_bytes(skops.io.dumps([1, 2])[:-30]), "cannot be loaded"),
        (lambda _: None, "cannot be read"),
        (Path.mkdir, "cannot be read"),
    ],
)
def test_a_model_that_cannot_be_read_is_refused(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    write(tmp_path / MODEL)
    with pytest.raises(InputError, match=rf"model\.skops {message}"):
        load_model(tmp_path / MODEL)


def test_damage_anywhere_in_a_file_is_refused_or_harmless() -> None:
    data = dump_model(fitted("decision_tree"))
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(data), 200):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        with suppress(InputError):
            loads_model(bytes(damaged), MODEL)


@pytest.mark.parametrize("error", [AssertionError("a bug"), RecursionError(), IndexError("7")])
def test_whatever_a_library_raises_is_a_refusal_that_names_its_cause(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise error

    data = dump_model(fitted("decision_tree"))
    monkeypatch.setattr(skops.io, "loads", mistaken)
    with pytest.raises(InputError, match=str(error) or type(error).__name__) as caught:
        loads_model(data, MODEL)
    assert caught.value.__cause__ is error


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, executed: Path) -> None:
        self.executed = executed

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.executed,)


def test_a_pickle_is_no_model(tmp_path: Path) -> None:
    executed = tmp_path / "sprung"
    (tmp_path / MODEL).write_bytes(pickle.dumps(Trap(executed)))
    with pytest.raises(InputError):
        load_model(tmp_path / MODEL)
    assert not executed.exists()


def test_the_pickle_in_an_archive_is_never_opened(tmp_path: Path) -> None:
    executed, folder = tmp_path / "sprung", tmp_path / "packed"
    folder.mkdir()
    joblib.dump(Trap(executed), folder / "model.joblib")
    (folder / MODEL).write_bytes(dump_model(fitted("decision_tree")))
    write_manifest(folder, {})
    pack(folder, tmp_path / "model.tar.gz")
    target = tmp_path / "target"
    target.mkdir()
    unpack(tmp_path / "model.tar.gz", target)
    load_model(target / MODEL)
    assert not executed.exists()
    # It would have gone off.
    joblib.load(target / "model.joblib")
    assert executed.exists()

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from basketwise.config import TrainingConfig
from basketwise.errors import WorkspaceError
from basketwise.training import checkpoints as module
from basketwise.training.checkpoints import NOWHERE, Checkpoints, training_key
from tests.etl.running import Run

KEY, OTHER = "a" * 64, "b" * 64
PAYLOAD = b"a fitted model\n\0" + bytes(range(256)) * 20


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(tmp_path, KEY)
    checkpoints.store("logistic", PAYLOAD)
    return checkpoints


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("payload", [b"", b"\n", PAYLOAD])
def test_what_was_kept_is_recalled(tmp_path: Path, payload: bytes) -> None:
    Checkpoints(tmp_path, KEY).store("logistic", payload)
    assert Checkpoints(tmp_path, KEY).load("logistic") == payload
    assert only_file(tmp_path).name == "logistic.checkpoint"


def test_the_later_one_counts(kept: Checkpoints, tmp_path: Path) -> None:
    kept.store("logistic", b"new")
    assert kept.load("logistic") == b"new"
    assert len(list(tmp_path.iterdir())) == 1


def test_another_piece_or_another_training_finds_nothing(kept: Checkpoints, tmp_path: Path) -> None:
    assert kept.load("xgboost") is None
    assert Checkpoints(tmp_path, OTHER).load("logistic") is None


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    NOWHERE.prepare()
    NOWHERE.store("logistic", PAYLOAD)
    NOWHERE.remove("logistic")
    assert NOWHERE.load("logistic") is None
    assert list(tmp_path.iterdir()) == []


def test_any_missing_end_is_noticed(kept: Checkpoints, tmp_path: Path) -> None:
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for size in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert kept.load("logistic") is None
    path.write_bytes(whole + b"\0")
    assert kept.load("logistic") is None


def test_any_flipped_bit_is_noticed(kept: Checkpoints, tmp_path: Path) -> None:
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        changed = bytearray(whole)
        changed[position] ^= 1 << (position % 8)
        path.write_bytes(changed)
        assert kept.load("logistic") is None, position
    path.write_bytes(whole)
    assert kept.load("logistic") == PAYLOAD


def test_one_pieces_file_is_not_taken_for_another(kept: Checkpoints, tmp_path: Path) -> None:
    path = only_file(tmp_path)
    shutil.copyfile(path, path.with_name("xgboost.checkpoint"))
    assert kept.load("xgboost") is None


def test_a_later_format_is_not_read(kept: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORMAT", 2)
    assert kept.load("logistic") is None


def test_sizes_are_bounded(
    kept: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", len(PAYLOAD) - 1)
    kept.store("xgboost", PAYLOAD)
    assert [path.name for path in tmp_path.iterdir()] == ["logistic.checkpoint"]
    monkeypatch.setattr(module, "MAX_HEADER", 10)
    assert kept.load("logistic") is None


def test_a_folder_in_a_files_place_is_no_piece(tmp_path: Path) -> None:
    (tmp_path / "logistic.checkpoint").mkdir()
    assert Checkpoints(tmp_path, KEY).load("logistic") is None


def test_a_write_that_fails_leaves_the_earlier_piece(
    kept: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkspaceError, match=r"Checkpoints cannot be stored in .*No space left"):
        kept.store("logistic", b"new")
    assert kept.load("logistic") == PAYLOAD
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_gone_is_not_made_again_by_a_late_piece(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="Checkpoints cannot be stored"):
        Checkpoints(tmp_path / "gone", KEY).store("logistic", PAYLOAD)
    assert not (tmp_path / "gone").exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="Checkpoints cannot be stored") as caught:
        Checkpoints(tmp_path / "file" / "kept", KEY).prepare()
    assert "reused" in caught.value.hint


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "a.b", "a" * 101, "a\n"])
def test_a_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    checkpoints = Checkpoints(tmp_path, KEY)
    with pytest.raises(ValueError, match="not the name of a piece"):
        checkpoints.load(name)
    with pytest.raises(ValueError, match="not the name of a piece"):
        checkpoints.store(name, b"")
    with pytest.raises(ValueError, match="not the name of a piece"):
        checkpoints.remove(name)
    assert list(tmp_path.iterdir()) == []


def test_a_needless_piece_is_dropped(kept: Checkpoints) -> None:
    kept.store("xgboost", PAYLOAD)
    kept.remove("logistic")
    kept.remove("logistic")
    assert kept.load("logistic") is None
    assert kept.load("xgboost") == PAYLOAD


def test_preparing_removes_only_what_is_of_no_use(kept: Checkpoints, tmp_path: Path) -> None:
    Checkpoints(tmp_path, OTHER).store("xgboost", PAYLOAD)
    (tmp_path / "random_forest.checkpoint").write_bytes(b"")
    (tmp_path / ".0123.tmp").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    kept.prepare()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logistic.checkpoint", "notes.txt"]
    assert kept.load("logistic") == PAYLOAD


def test_preparing_makes_the_folder(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "new" / "run", KEY)
    checkpoints.prepare()
    checkpoints.store("logistic", PAYLOAD)
    assert checkpoints.load("logistic") == PAYLOAD


def test_threads_may_keep_pieces_at_the_same_time(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, KEY)

    def work(number: int) -> bytes | None:
        checkpoints.store(f"piece-{number}", str(number).encode() * 5000)
        return checkpoints.load(f"piece-{number}")

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(20)))
    assert results == [str(number).encode() * 5000 for number in range(20)]
    assert len(list(tmp_path.iterdir())) == 20


@pytest.fixture
def gold(sample_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_run.gold, tmp_path / "gold"))


def test_the_key_is_of_the_contents_not_of_the_place_or_time(sample_run: Run, gold: Path) -> None:
    key = training_key(sample_run.gold, TrainingConfig())
    assert len(key) == 64
    document = json.loads((gold / "metadata.json").read_bytes())
    document["etl_timestamp"] = "2030-01-01T00:00:00+00:00"
    (gold / "metadata.json").write_text(json.dumps(document))
    assert training_key(gold, TrainingConfig()) == key


@pytest.mark.parametrize("name", ["train_features.parquet", "test_features.parquet"])
def test_other_rows_give_another_key(gold: Path, name: str) -> None:
    keys = {training_key(gold, TrainingConfig())}
    (gold / name).write_bytes((gold / name).read_bytes() + b"\0")
    keys.add(training_key(gold, TrainingConfig()))
    (gold / name).unlink()
    keys.add(training_key(gold, TrainingConfig()))
    assert len(keys) == 3


def test_other_features_of_the_same_file_give_another_key(gold: Path) -> None:
    before = training_key(gold, TrainingConfig())
    document = json.loads((gold / "metadata.json").read_bytes())
    document["feature_columns"] = document["feature_columns"][::-1]
    (gold / "metadata.json").write_text(json.dumps(document))
    assert training_key(gold, TrainingConfig()) != before


def test_other_settings_code_or_libraries_give_another_key(
    sample_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = (
        TrainingConfig(),
        TrainingConfig(random_state=1),
        TrainingConfig(checkpoint_rounds=7),
        TrainingConfig(xgboost={"n_estimators": 3}),
    )
    keys = [training_key(sample_run.gold, config) for config in configs]
    with monkeypatch.context() as patched:
        patched.setattr(module, "code_hash", lambda: "other")
        keys.append(training_key(sample_run.gold, TrainingConfig()))
    with monkeypatch.context() as patched:
        patched.setattr(module, "library_versions", lambda: {"numpy": "0.1"})
        keys.append(training_key(sample_run.gold, TrainingConfig()))
    assert len(set(keys)) == len(keys)
    assert training_key(sample_run.gold, TrainingConfig()) == keys[0]

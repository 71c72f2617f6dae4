"""What is read of earlier runs does not grow with their number."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.files import MANIFEST
from basketwise.run.evaluation import COUNTED, looks_at
from basketwise.run.record import file_name, planned, seal
from basketwise.run.training import LATEST, earlier_runs
from basketwise.run.workspace import Workspace
from basketwise.storage.local import LocalStorage

PLAN = planned("training", {"gold/train_features.parquet": "a" * 64}, Config())
OTHER = planned("training", {"gold/train_features.parquet": "b" * 64}, Config())
RUNS = [f"run-20260101-{number:06}" for number in range(LATEST + 5)]


class Counting(LocalStorage):
    """Notes which keys are read, and how often something is asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[list[str]] = []

    def read_each(self, keys: Collection[str]) -> dict[str, bytes]:
        self.asked.append(list(keys))
        return super().read_each(keys)


@pytest.fixture
def storage(tmp_path: Path) -> Counting:
    for name in RUNS:
        folder = tmp_path / "artifacts" / name
        folder.mkdir(parents=True)
        (folder / "model.skops").write_bytes(b"a model")
        (folder / MANIFEST).write_text('{"outputs": {"test_baskets.parquet": "block"}}')
    return Counting(tmp_path)


def trained(storage: Counting, name: str, *, same: bool) -> None:
    seal(PLAN if same else OTHER, storage.root / "artifacts" / name)


def found(storage: Counting) -> list[str]:
    return [folder.name for folder in earlier_runs(PLAN, Workspace(storage))]


def test_the_latest_runs_are_asked_for_a_training_once_and_together(storage: Counting) -> None:
    trained(storage, RUNS[0], same=True)
    trained(storage, RUNS[50], same=True)
    trained(storage, RUNS[-2], same=True)
    trained(storage, RUNS[-1], same=False)
    # The latest tells why it is not the same; the first one is too old.
    assert found(storage) == [RUNS[-1], RUNS[-2], RUNS[50]]
    (keys,) = storage.asked
    assert keys == [
        f"artifacts/{name}/{file_name('training')}" for name in RUNS[: -LATEST - 1 : -1]
    ]


def test_damaged_records_are_none(storage: Counting) -> None:
    trained(storage, RUNS[-2], same=True)
    (storage.root / "artifacts" / RUNS[-2] / file_name("training")).write_bytes(b"[")
    trained(storage, RUNS[-3], same=True)
    assert found(storage) == [RUNS[-1], RUNS[-3]]


def test_looks_are_counted_among_the_latest_runs(storage: Counting) -> None:
    (storage.root / "artifacts" / RUNS[-2] / MANIFEST).write_bytes(b"no JSON")
    (storage.root / "artifacts" / RUNS[-3] / MANIFEST).unlink()
    (storage.root / "artifacts" / RUNS[-4] / MANIFEST).write_text("[]")
    assert looks_at("block", RUNS[-1], Workspace(storage)) == COUNTED - 4
    assert looks_at("another", RUNS[-1], Workspace(storage)) == 0
    assert len(storage.asked) == 2

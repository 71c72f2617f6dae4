"""What is kept of a run, and when it may be picked up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.running.runs import (
    RunRecord,
    latest,
    read,
    record_start,
    run_name,
    settings_of,
)
from basketwise.config import Config
from basketwise.errors import ConfigError, InputError
from basketwise.provenance import code_hash
from basketwise.storage.local import LocalStorage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "w")


def record(run_id: str = "run-7", **changes: Any) -> RunRecord:
    values = {
        "run_id": run_id,
        "data": "raw",
        "path": "/data/raw",
        "inputs": "0a1b",
        "started_at": "2026-02-03T12:00:05+00:00",
        "code": code_hash(),
        "config": Config().recorded(),
    }
    return RunRecord.model_validate(values | changes)


def test_a_run_is_recorded_once_and_read_back(storage: LocalStorage) -> None:
    assert read(storage, "run-7") is None
    assert latest(storage) is None
    record_start(storage, record())
    record_start(storage, record(started_at="2026-02-04T00:00:00+00:00"))
    assert read(storage, "run-7") == record()
    record_start(storage, record("run-8", started_at="2026-02-03T12:00:06+00:00"))
    assert latest(storage) == record("run-8", started_at="2026-02-03T12:00:06+00:00")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"inputs": "2c3d"}, "the raw files"),
        ({"code": "other"}, "another version of Basketwise"),
        ({"nonce": "anew"}, "--force"),
        ({"config": Config.model_validate({"training": {"folds": 3}}).recorded()}, "training"),
    ],
)
def test_something_else_under_the_same_name_is_refused(
    storage: LocalStorage, changes: dict[str, Any], named: str
) -> None:
    record_start(storage, record())
    with pytest.raises(ConfigError, match=f"with different inputs: {named}"):
        record_start(storage, record(**changes))
    assert read(storage, "run-7") == record()


def test_where_and_how_it_runs_may_change(storage: LocalStorage) -> None:
    record_start(storage, record())
    present = Config.model_validate({"aws": {"spot": False}, "training": {"folds": 3}})
    record_start(storage, record(config=Config().recorded() | {"aws": present.recorded()["aws"]}))
    settings = settings_of(record(), present)
    assert (settings.aws.spot, settings.training.folds) == (False, 5)


def test_a_run_of_other_code_is_not_picked_up() -> None:
    with pytest.raises(ConfigError, match="run-7 was started by another version of Basketwise"):
        settings_of(record(code="other"), Config())


def test_a_damaged_record_is_named(storage: LocalStorage) -> None:
    storage.write(".basketwise/runs/run-7.json", b"{}")
    with pytest.raises(InputError, match=r"\.basketwise/runs/run-7\.json cannot be read"):
        read(storage, "run-7")


@pytest.mark.parametrize("name", ["", "a b", "ü", "-a", "a-", "a--b", "a" * 27, "a/b", "a\n"])
def test_names_that_no_job_can_have_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid name of a run"):
        run_name(name)

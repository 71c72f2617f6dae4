"""Warnings and log records in a program that uses Basketwise: no secrets, one line each."""

from __future__ import annotations

import ast
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import basketwise
from basketwise import notices
from basketwise.locking import LockWarning, locked
from basketwise.training.boosting import stored_progress
from basketwise.training.checkpoints import Checkpoints

SECRET = "k3y-of-ann"
TEXT = f"mlflow at http://ann:{SECRET}@models.example/?token={SECRET} failed\nversion 9 is Approved"


def test_a_warning_is_redacted_and_names_the_caller() -> None:
    with pytest.warns(RuntimeWarning) as caught:
        notices.warn(TEXT, RuntimeWarning, stacklevel=1)
    (warning,) = caught
    assert warning.filename == __file__
    assert SECRET not in str(warning.message)
    assert "\\nversion 9" in str(warning.message)


def test_a_secret_of_the_environment_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", SECRET)
    with pytest.warns(UserWarning, match="1 of 2 lines rejected") as caught:
        notices.warn(f"{SECRET}: 1 of 2 lines rejected")
    assert SECRET not in str(caught[0].message)


def test_a_record_is_redacted_with_its_arguments(caplog: pytest.LogCaptureFixture) -> None:
    log = notices.logger("basketwise.tested")
    assert notices.logger("basketwise.tested") is log
    log.warning("%s of %d", TEXT, 7)
    (record,) = caplog.records
    assert SECRET not in record.getMessage()
    assert "\n" not in record.getMessage()
    assert record.getMessage().endswith(" of 7")
    assert len(log.filters) == 1


def test_the_folder_of_a_lock_is_named_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"token={SECRET}"
    folder.mkdir()
    monkeypatch.setattr(
        "filelock.FileLock.acquire", lambda _: warnings.warn("no flock", stacklevel=2)
    )
    with pytest.warns(LockWarning, match="has no locks") as caught, locked(folder / ".lock"):
        pass
    assert SECRET not in str(caught[0].message)


def test_what_a_library_complains_of_is_logged_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(_: bytes) -> int:
        raise ValueError(TEXT)

    monkeypatch.setattr("basketwise.training.boosting.check_booster", refused)
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.store("piece-rounds", bytes(32))
    assert stored_progress(checkpoints, "piece") is None
    assert "cannot be used" in caplog.text
    assert SECRET not in caplog.text


def issued() -> Iterator[tuple[str, str]]:
    """Yield where modules call what issues warnings and records themselves."""
    root = Path(basketwise.__file__).parent
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in ("warnings.warn", "warnings.warn_explicit", "logging.getLogger"):
                    yield file.relative_to(root).as_posix(), ast.unparse(node)


def test_nothing_is_issued_but_through_here() -> None:
    # These are told to be silent.
    quiet = [
        ("engines/spark/boosting.py", "logging.getLogger(name)"),
        ("registry/mlflow/calls.py", "logging.getLogger('mlflow.store.db.utils')"),
        (
            "registry/mlflow/calls.py",
            "logging.getLogger('mlflow.tracking.request_header.registry')",
        ),
    ]
    assert sorted(call for call in issued() if call[0] != "notices.py") == quiet
    assert logging.getLogger("basketwise.training.persistence").filters

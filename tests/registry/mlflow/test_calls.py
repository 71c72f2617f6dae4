from __future__ import annotations

import pytest
import requests
import sqlalchemy.exc
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_ALREADY_EXISTS,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHENTICATED,
)

from basketwise.errors import DependencyError, InputError
from basketwise.registry.mlflow import calls as mlflow_calls
from basketwise.registry.mlflow.calls import ask, unless_there

PLACE = "sqlite:////shop/registry.db"


def raising(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (MlflowException("Detected out-of-date database schema"), f"mlflow db upgrade '{PLACE}'"),
        (MlflowException("no", error_code=PERMISSION_DENIED), "MLFLOW_TRACKING_TOKEN"),
        (MlflowException("no", error_code=UNAUTHENTICATED), "MLFLOW_TRACKING_TOKEN"),
        (MlflowException("database or disk is full"), "disk space"),
        (MlflowException("what is this?"), "Try again"),
        (requests.ConnectionError("Max retries exceeded with url: /api"), "can be reached"),
        (requests.ReadTimeout("Read timed out."), "can be reached"),
        (requests.HTTPError("404 Client Error: NOT FOUND"), "gone from the registry"),
        (requests.HTTPError("401 Client Error"), "MLFLOW_TRACKING_USERNAME"),
        (sqlalchemy.exc.DatabaseError("s", {}, Exception("file is not a database")), "damaged"),
        (sqlalchemy.exc.OperationalError("s", {}, Exception("readonly database")), "right to"),
        (FileNotFoundError(2, "No such file or directory", "model.tar.gz"), "gone"),
        (ModuleNotFoundError("No module named 'boto3'"), "install it"),
        (AttributeError("MLflow has changed"), "Try again"),
        (ValueError(""), "Try again"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value[:12],
)
def test_every_error_becomes_ours(error: Exception, hint: str) -> None:
    with pytest.raises(DependencyError) as caught:
        ask(PLACE, "reading the versions", lambda: raising(error))
    first = (str(error) or type(error).__name__).splitlines()[0]
    assert caught.value.headline == (
        f"The model registry at {PLACE} failed while reading the versions: {first}"
    )
    assert hint in caught.value.hint
    assert caught.value.__cause__ is error


def test_our_own_errors_and_interrupts_pass() -> None:
    with pytest.raises(InputError, match="mine"):
        ask(PLACE, "reading", lambda: raising(InputError("mine")))
    with pytest.raises(KeyboardInterrupt):
        ask(PLACE, "reading", lambda: raising(KeyboardInterrupt()))


def locked() -> MlflowException:
    text = "(sqlite3.OperationalError) database is locked"
    return MlflowException(text, error_code=TEMPORARILY_UNAVAILABLE)


def test_a_locked_database_is_asked_again() -> None:
    errors = [locked(), locked()]
    assert ask(PLACE, "writing", lambda: raising(errors.pop()) if errors else "done") == "done"


def test_a_database_that_stays_locked_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_calls, "LOCKED_FOR", 0.1)
    with pytest.raises(DependencyError) as caught:
        ask(PLACE, "writing", lambda: raising(locked()))
    assert "Another process" in caught.value.hint


def test_what_another_process_made_meanwhile_is_taken() -> None:
    unless_there(lambda: raising(MlflowException("x", error_code=RESOURCE_ALREADY_EXISTS)))
    with pytest.raises(MlflowException):
        unless_there(lambda: raising(MlflowException("x", error_code=INVALID_PARAMETER_VALUE)))

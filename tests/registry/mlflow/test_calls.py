from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest
import requests
import sqlalchemy.exc
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from botocore.exceptions import NoCredentialsError
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    ENDPOINT_NOT_FOUND,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_ALREADY_EXISTS,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHENTICATED,
)

from basketwise.errors import DependencyError, InputError, WorkspaceError
from basketwise.registry.mlflow import calls as mlflow_calls
from basketwise.registry.mlflow.calls import Address, translated, unless_there

EMBEDDED = Address("sqlite:////shop/registry.db", Path("/shop"))
SERVER = Address("http://mlflow:5000")


def raising(error: BaseException) -> object:
    raise error


def sqlite(code: int, text: str) -> sqlite3.OperationalError:
    """What SQLite raises, with its result code."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def driver(error: sqlite3.Error) -> sqlalchemy.exc.OperationalError:
    return sqlalchemy.exc.OperationalError("s", {}, error)


def wrapped(cause: Exception) -> MlflowException:
    """What MLflow makes of an error in its store."""
    error = MlflowException(str(cause), error_code=TEMPORARILY_UNAVAILABLE)
    error.__cause__ = cause
    return error


def http(status: int, text: str) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(text, response=response)


def newer_revision() -> CommandError:
    error = CommandError("Can't locate revision identified by 'abc'")
    error.__cause__ = ResolutionError("No such revision", "abc")
    return error


@pytest.mark.parametrize(
    ("address", "error", "hint"),
    [
        (EMBEDDED, MlflowException("Detected out-of-date database schema"), "mlflow db upgrade"),
        (EMBEDDED, MlflowException("what is this?"), "Try again"),
        (EMBEDDED, driver(sqlite(sqlite3.SQLITE_NOTADB, "not a database")), "damaged"),
        (EMBEDDED, wrapped(driver(sqlite(sqlite3.SQLITE_CORRUPT, "malformed"))), "damaged"),
        (EMBEDDED, newer_revision(), "newer MLflow"),
        (
            EMBEDDED,
            FileNotFoundError(2, "No such file or directory", "model.tar.gz"),
            "missing from the registry",
        ),
        (SERVER, MlflowException("no", error_code=PERMISSION_DENIED), "MLFLOW_TRACKING_TOKEN"),
        (SERVER, MlflowException("no", error_code=UNAUTHENTICATED), "MLFLOW_TRACKING_TOKEN"),
        (SERVER, MlflowException("no", error_code=ENDPOINT_NOT_FOUND), "version 3.0 or later"),
        (SERVER, http(401, "401 Client Error"), "MLFLOW_TRACKING_USERNAME"),
        (SERVER, http(404, "404 Client Error: NOT FOUND"), "missing from the registry"),
        (SERVER, requests.ConnectionError("Max retries exceeded with url"), "can be reached"),
        (SERVER, requests.ReadTimeout("Read timed out."), "can be reached"),
        (SERVER, wrapped(requests.ConnectionError("refused")), "can be reached"),
        (SERVER, ModuleNotFoundError("No module named 'boto3'"), "install it"),
        (SERVER, NoCredentialsError(), "Try again"),
        (SERVER, PermissionError(13, "Permission denied", "/out/model.tar.gz"), "/out/model"),
        (SERVER, MlflowException("the word permission, denied by nobody"), "Try again"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value)[:12],
)
def test_the_registrys_failures_become_ours(address: Address, error: Exception, hint: str) -> None:
    with pytest.raises(DependencyError) as caught:
        translated(address, "reading the versions", lambda: raising(error))
    first = str(error).strip().splitlines()[0]
    assert caught.value.headline == (
        f"The model registry at {address.uri} failed while reading the versions: {first}"
    )
    assert hint in caught.value.hint
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/shop/registry.db"), "'/shop'"),
        (OSError(errno.EROFS, "Read-only file system", "/shop"), "'/shop'"),
        (driver(sqlite(sqlite3.SQLITE_READONLY, "readonly database")), "'/shop'"),
        (wrapped(driver(sqlite(sqlite3.SQLITE_CANTOPEN, "unable to open"))), "'/shop'"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk space"),
        (wrapped(driver(sqlite(sqlite3.SQLITE_FULL, "disk is full"))), "disk space"),
    ],
)
def test_a_folder_that_cannot_be_written_is_the_workspaces_fault(
    error: Exception, hint: str
) -> None:
    with pytest.raises(WorkspaceError) as caught:
        translated(EMBEDDED, "storing the files", lambda: raising(error))
    assert hint in caught.value.hint
    assert "MLFLOW" not in caught.value.hint


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (EMBEDDED, AttributeError("'NoneType' object has no attribute 'x'")),
        (SERVER, TypeError("f() takes no arguments")),
        (SERVER, KeyError("permission")),
        (SERVER, ValueError("timed out")),
        (EMBEDDED, ImportError("cannot import name 'x' from 'basketwise'")),
    ],
)
def test_a_fault_of_our_own_stays_one(address: Address, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        translated(address, "reading the versions", lambda: raising(error))
    assert caught.value is error


def test_our_own_errors_and_interrupts_pass() -> None:
    with pytest.raises(InputError, match="mine"):
        translated(EMBEDDED, "reading", lambda: raising(InputError("mine")))
    with pytest.raises(KeyboardInterrupt):
        translated(EMBEDDED, "reading", lambda: raising(KeyboardInterrupt()))


def locked() -> MlflowException:
    return wrapped(driver(sqlite(sqlite3.SQLITE_BUSY, "database is locked")))


def test_a_locked_database_is_asked_again() -> None:
    errors = [locked(), locked()]
    answer = translated(EMBEDDED, "writing", lambda: raising(errors.pop()) if errors else "done")
    assert answer == "done"


def test_a_database_that_stays_locked_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_calls, "LOCKED_FOR", 0.1)
    with pytest.raises(DependencyError) as caught:
        translated(EMBEDDED, "writing", lambda: raising(locked()))
    assert "Another process" in caught.value.hint


def test_what_another_process_made_meanwhile_is_taken() -> None:
    unless_there(lambda: raising(MlflowException("x", error_code=RESOURCE_ALREADY_EXISTS)))
    with pytest.raises(MlflowException):
        unless_there(lambda: raising(MlflowException("x", error_code=INVALID_PARAMETER_VALUE)))

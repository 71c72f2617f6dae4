"""Calls to MLflow: quiet, patient with a busy SQLite, with our errors.

MLflow is only imported by :func:`connect`; ``import mlflow`` takes seconds.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from basketwise.disk import TEMPORARY, causes, full_disk, is_full
from basketwise.errors import BasketwiseError, DependencyError, WorkspaceError
from basketwise.redaction import redact_chain
from basketwise.registry.ledger import shorten

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

LOCKED_FOR = 15.0
"""Seconds of retrying while another process writes to the same SQLite file."""

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Standard output is for results only.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow's own defaults keep asking a server that is gone for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""Environment of MLflow where the user has not chosen otherwise."""

LOGIN = (
    "Check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, and "
    "what that user may do there."
)

AWS_LOGIN = (
    "Check the AWS credentials (aws sts get-caller-identity), and what they may do there: "
    "'basketwise aws policy run' prints it. A stopped tracking server has to be started first."
)

LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
BROKEN = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
"""Error codes of MLflow for a login that is missing, wrong or lacks a right."""

OLDER = "out-of-date database schema"
"""MLflow says so in words alone: neither type nor code tells it from its other errors."""


@dataclass(frozen=True)
class Address:
    """Where a registry is."""

    uri: str
    """As a person may see it: without a password."""
    folder: Path | None = None
    """Of the embedded registry; None for a server."""


def load_client() -> type[MlflowClient]:
    """Load MLflow, which takes seconds, and return its client."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    return MlflowClient


def connect(uri: str) -> MlflowClient:
    """Return a client of the store at ``uri``; a new SQLite file gets its tables here.

    No global state of MLflow is touched, except the variables of ``DEFAULTS`` that are unset.
    """
    client = load_client()
    # It logs with traceback what it raises at once afterwards, and we try again or report.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    # AWS's plug-in, once installed, fails at each request to a server that is not AWS's.
    logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # SQLAlchemy 2.1 deprecates a loader that MLflow's own models ask for.
        warnings.filterwarnings("ignore", message=".*noload", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*``noload``")
        return client(tracking_uri=uri, registry_uri=uri)


def translated(address: Address, doing: str, call: Callable[[], T]) -> T:
    """Return what ``call`` returns, or raise our error for a failure of the registry.

    It is repeated while SQLite says that it is locked: MLflow has rolled back then. ``doing`` says
    what it is for: ``"reading the versions"``.

    Raises
    ------
    WorkspaceError
        When the disk is full, or this user may not read or write the embedded registry's files.
    DependencyError
        When MLflow, its database, its server or its storage fail in any other way.
    """
    end, pause = time.monotonic() + LOCKED_FOR, 0.05
    while True:
        try:
            return call()
        except BasketwiseError:
            raise
        except Exception as error:
            if not _is_foreign(error, address):
                raise
            if not _codes(error) & LOCKED or time.monotonic() > end:
                redact_chain(error)
                raise explained(error, address, doing) from error
        time.sleep(pause)
        pause = min(1.0, pause * 1.5)


def explained(error: Exception, address: Address, doing: str) -> BasketwiseError:
    """Return what a person should read instead of ``error``."""
    message = str(error).strip() or type(error).__name__
    headline = (
        f"The model registry at {address.uri} failed while {doing}: "
        f"{shorten(message.splitlines()[0], 300)}"
    )
    numbers = {e.errno for e in causes(error) if isinstance(e, OSError)}
    codes = _codes(error)
    if is_full(error) and not _of_server(error):
        temporary = (TEMPORARY, Path(tempfile.gettempdir()))
        own = (("the registry", address.folder),) if address.folder else ()
        return full_disk((*own, temporary))
    if address.folder and (numbers & FORBIDDEN or codes & UNWRITABLE):
        return WorkspaceError(
            headline, f"Give this user the right to read and write {str(address.folder)!r}."
        )
    return DependencyError(headline, _advice(error, address))


def is_missing(error: BaseException | None) -> bool:
    """Whether an error, or a cause of it, says that a file of the registry is not there."""
    return any(
        isinstance(cause, FileNotFoundError | NotADirectoryError | IsADirectoryError)
        or getattr(getattr(cause, "response", None), "status_code", None) == 404
        for cause in causes(error)
    )


def unless_there(create: Callable[[], object]) -> None:
    """Create something that another process may have created meanwhile."""
    from mlflow.exceptions import MlflowException

    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _is_foreign(error: Exception, address: Address) -> bool:
    """Whether an error is the registry's: a fault of Basketwise must not pass for one.

    The system's errors are, and whatever a library defines: MLflow lets those of requests,
    SQLAlchemy, Alembic and storage clients through. A server may store its files where a library
    is needed that is not installed.
    """
    if isinstance(error, ImportError):
        return address.folder is None
    if isinstance(error, OSError | sqlite3.Error):
        return True
    package = type(error).__module__.partition(".")[0]
    return package != "basketwise" and package not in sys.stdlib_module_names


def _of_server(error: Exception) -> bool:
    """Whether an error is what a server answered: it has a disk of its own."""
    return any(getattr(cause, "response", None) is not None for cause in causes(error))


def _codes(error: BaseException) -> set[int]:
    """Return SQLite's primary result codes in a chain of errors."""
    codes = (getattr(cause, "sqlite_errorcode", None) for cause in causes(error))
    return {code & 0xFF for code in codes if code is not None}


def _advice(error: Exception, address: Address) -> str:
    """Return what to do next, by the types and codes of an error and its causes."""
    import requests
    from alembic.script.revision import ResolutionError

    codes, chain = _codes(error), list(causes(error))
    if is_full(error):
        return "Free some disk space on the server, then try again."
    if codes & LOCKED:
        return "Another process keeps writing to the registry: wait for it, then try again."
    if codes & BROKEN:
        return "The file is damaged: restore a backup, or move it away and start over."
    if any(isinstance(cause, ResolutionError) for cause in chain):
        return "A newer MLflow wrote this database: install that one or a later one."
    if isinstance(error, ImportError):
        return "The server stores its files where this library is needed: install it."
    for cause in chain:
        response = getattr(cause, "response", None)
        status = getattr(response, "status_code", None)
        managed = address.uri.startswith("arn:")
        if status in (401, 403) or getattr(cause, "error_code", None) in REFUSED:
            return AWS_LOGIN if managed else LOGIN
        if managed and type(cause).__name__ == "NoCredentialsError":
            return AWS_LOGIN
        if getattr(cause, "error_code", None) == "ENDPOINT_NOT_FOUND":
            return "An MLflow server of version 3.0 or later is needed: check registry.uri."
        if is_missing(cause):
            return (
                "The file is missing from the registry: use another version, or run again on the "
                "same data, which registers the model anew."
            )
        if isinstance(cause, requests.ConnectionError | requests.Timeout):
            return "Check that the MLflow server runs and can be reached from here."
        if isinstance(cause, PermissionError):
            return f"Give this user the right to read and write {cause.filename!r}."
    if OLDER in str(error):
        return f"Copy the database, then run: mlflow db upgrade '{address.uri}'"
    return "Try again; if it fails again, check the registry and its log."

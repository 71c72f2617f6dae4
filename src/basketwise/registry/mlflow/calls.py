"""Asking MLflow: quietly, with patience for a busy SQLite, with our errors.

MLflow is only imported by :func:`connect`; ``import mlflow`` takes seconds.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from basketwise.errors import BasketwiseError, DependencyError
from basketwise.registry.ledger import shorten

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

LOCKED_FOR = 15.0
"""Seconds of trying again while another process writes to the same SQLite file."""

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
DAMAGED = "The file is damaged: put a copy of it back, or move it away and start anew."
UNREACHABLE = "Check that the MLflow server runs and can be reached from here."
GONE = "The file is gone from the registry: use another version, or train and register again."
DISK = "Free some disk space, then try again."

HINTS = {
    "out-of-date database schema": "Copy the database, then run: mlflow db upgrade URI",
    "can't locate revision": "A newer MLflow wrote this database: install that one or a later one.",
    "is locked": "Another process keeps writing to the registry: wait for it, then try again.",
    "is full": DISK,
    "no space left": DISK,
    "not a database": DAMAGED,
    "malformed": DAMAGED,
    "readonly database": "Give this user the right to write to the registry's folder.",
    "permission": LOGIN,
    "unauthenticated": LOGIN,
    "401 client error": LOGIN,
    "403 client error": LOGIN,
    "404 client error": GONE,
    "no such file": GONE,
    "max retries exceeded": UNREACHABLE,
    "timed out": UNREACHABLE,
    "no module named": "The server keeps its files where this library is needed: install it.",
}
"""What to do next, by a piece of the message in lower case; the first match counts."""


def connect(uri: str) -> MlflowClient:
    """Return a client of the store at ``uri``; a new SQLite file gets its tables here.

    No global state of MLflow is touched, except the variables of ``DEFAULTS`` that are unset.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    # It logs with traceback what it raises at once afterwards, and we try again or report.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # SQLAlchemy 2.1 deprecates a loader that MLflow's own models ask for.
        warnings.filterwarnings("ignore", message=".*noload", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*``noload``")
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def ask(place: str, doing: str, call: Callable[[], T]) -> T:
    """Return what ``call`` returns, or raise our error instead of whatever MLflow raised.

    Parameters
    ----------
    place : str
        The registry's address, as a person may see it.
    doing : str
        What ``call`` is for, ``"reading the versions"``.
    call : callable
        Asks MLflow. Is repeated while SQLite says that it is locked: MLflow has rolled back then.

    Raises
    ------
    DependencyError
        When MLflow, its database, its server or its files fail.
    """
    end, pause = time.monotonic() + LOCKED_FOR, 0.05
    while True:
        try:
            return call()
        except BasketwiseError:
            raise
        except Exception as error:
            # MLflow lets errors of requests, SQLAlchemy, Alembic and storage clients through.
            if "database is locked" not in str(error) or time.monotonic() > end:
                raise explained(error, place=place, doing=doing) from error
        time.sleep(pause)
        pause = min(1.0, pause * 1.5)


def explained(error: Exception, *, place: str, doing: str) -> DependencyError:
    """Return what a person should read instead of ``error``."""
    message = str(error) or type(error).__name__
    known = f"{getattr(error, 'error_code', '')} {message}".lower()
    hint = next((hint for piece, hint in HINTS.items() if piece in known), "")
    if place.startswith("sqlite:"):
        hint = hint.replace("upgrade URI", f"upgrade '{place}'")
    first, *_ = message.strip().splitlines()
    return DependencyError(
        f"The model registry at {place} failed while {doing}: {shorten(first, 300)}",
        hint or "Try again; if it stays, check the registry and its log.",
    )


def unless_there(create: Callable[[], object]) -> None:
    """Create something that another process may have created meanwhile."""
    from mlflow.exceptions import MlflowException

    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise

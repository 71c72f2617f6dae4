"""What coverage leaves out: tests that prove no line of their own, and calls into libraries.

Python traces every line of every library while coverage is measured, which takes half of the time
again. None of these lines are ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

UNTRACED = frozenset(Path(__file__).with_name("untraced.txt").read_text("utf-8").split())
"""Files and tests that reach no line that others leave out, and run long: tracing would only double
that.

``pytest --cov --cov-context=test`` tells which these are."""

LIBRARY_CALLS = (
    ("boto3.session", "Session", "__init__"),
    ("botocore.client", "BaseClient", "_make_api_call"),
    ("botocore.session", "Session", "__init__"),
    ("botocore.session", "Session", "create_client"),
    *(
        ("mlflow.tracking.client", "MlflowClient", name)
        for name in (
            *("__init__", "create_logged_model", "create_model_version", "create_registered_model"),
            *("create_run", "finalize_logged_model", "get_experiment_by_name", "log_batch"),
            *("log_outputs", "search_model_versions", "search_registered_models"),
            *("set_logged_model_tags", "set_model_version_tag", "set_registered_model_alias"),
            *("set_tag", "set_terminated", "update_model_version"),
        )
    ),
)
"""Methods of libraries that take long, and call nothing of ours but handlers of events."""


def leave_out_libraries() -> None:
    """Trace no line while one of the library's methods runs."""
    for module, name, method in LIBRARY_CALLS:
        owner = getattr(import_module(module), name)
        setattr(owner, method, untraced_call(getattr(owner, method)))


def untraced_call(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return the same function, while which no line of its thread is traced."""

    @wraps(function)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        trace = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*arguments, **named)
        finally:
            sys.settrace(trace)

    return call


@contextmanager
def untraced(config: pytest.Config) -> Iterator[None]:
    """Measure no coverage meanwhile."""
    plugin = config.pluginmanager.get_plugin("_cov")
    controller = plugin.cov_controller if plugin else None
    if controller is None or not controller.started:
        yield
        return
    controller.pause()
    try:
        yield
    finally:
        controller.resume()

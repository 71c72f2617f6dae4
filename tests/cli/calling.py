"""Calls the command line: in this process where that will do, else as one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from base64 import b64decode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from basketwise.cli import main
from basketwise.report import plots

SMALL = (
    *("--set", "training.models=logistic,decision_tree"),
    *("--set", "training.folds=2"),
    *("--set", "features.tried=[]"),
    *("--set", "index.refine_rounds=2"),
    *("--set", "evaluation.resamples=100"),
    *("--set", "evaluation.importance_baskets=200"),
    *("--set", "evaluation.importance_repeats=1"),
)
"""Settings with which a run on the sample takes a few seconds."""

BLANK = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
"""A picture of one white dot."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


def call(*arguments: str | Path, environment: dict[str, str] | None = None) -> Outcome:
    """Run ``main`` in this process, as it runs when the command is typed.

    Only the pictures remain blank.
    """
    out, err = io.StringIO(), io.StringIO()
    argv = ["basketwise", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", argv),
        blank_pictures(),
        mock.patch.dict(os.environ, clean_environment() | (environment or {}), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        # MLflow is opened in a thread, and filters set in one thread are swept away by another.
        warnings.filterwarnings("ignore", message=".*noload", category=DeprecationWarning)
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


def blank_pictures() -> AbstractContextManager[object]:
    """Leave every picture blank while the block lasts, which saves a third of a small run."""

    def blank(*arguments: object, path: Path | None = None, **_: object) -> None:
        path = path or Path(str(arguments[-1]))
        path.write_bytes(BLANK)

    return mock.patch.multiple(
        plots, confusion_matrix_png=blank, comparison_png=blank, reliability_png=blank
    )


def called(*arguments: str | Path) -> Outcome:
    """Call, and insist that it went well."""
    outcome = call(*arguments)
    assert outcome.code == 0, outcome
    return outcome


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "basketwise", *map(str, arguments)]


def spawn(*arguments: str | Path) -> Outcome:
    """Run the command as a process of its own."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        check=False,
        env=clean_environment(),
        timeout=200,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def clean_environment() -> dict[str, str]:
    """Return the environment without anybody's own settings of Basketwise."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BASKETWISE_")}
    return kept | {"PYTHONIOENCODING": "utf-8"}


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder; the lock is no output."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@contextmanager
def typing(text: str) -> Iterator[None]:
    """Put somebody at the keyboard who types a text."""
    keyboard = io.StringIO(text)
    with (
        mock.patch.object(keyboard, "isatty", return_value=True),
        mock.patch("sys.stdin", keyboard),
    ):
        yield

"""Folders of a container on SageMaker: where inputs are, and where it expects outputs."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import NoReturn

import click

from basketwise.errors import ConfigError
from basketwise.progress import Tick
from basketwise.redaction import redacted

MAX_REASON = 1024
"""Bytes of a failure that SageMaker shows, which must be UTF-8."""

INTERVAL = 10.0
"""Seconds between two lines about the same task: each is stored in CloudWatch."""


class Parser(argparse.ArgumentParser):
    """Reads a job's arguments; a wrong one is a ConfigError."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        raise ConfigError(f"{self.prog}: {message}.", self.format_usage().strip())


def base() -> Path:
    """Return the root of all folders; AWS's toolkit allows another one for tests."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")


def channel(name: str) -> Path:
    """Return where a training channel is mounted."""
    return Path(os.environ.get(f"SM_CHANNEL_{name.upper()}") or base() / "input" / "data" / name)


def model_dir() -> Path:
    """Return where a training writes its model, and where an endpoint reads it."""
    return Path(os.environ.get("SM_MODEL_DIR") or base() / "model")


def output_data_dir() -> Path:
    """Return where a training writes its other files."""
    return Path(os.environ.get("SM_OUTPUT_DATA_DIR") or base() / "output" / "data")


def report_failure(reason: str) -> None:
    """Write a reason to where SageMaker reads that of a job, and to stderr.

    A training job's is read from ``output/failure``, a processing job's from ``output/message``.
    """
    reason = redacted(reason)
    click.echo(reason, err=True)
    shown = reason.encode(errors="replace")[:MAX_REASON].decode(errors="ignore").encode()
    try:
        folder = base() / "output"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("failure", "message"):
            (folder / name).write_bytes(shown)
    except OSError as error:
        # The job failed for the reason above; this one must not hide it.
        click.echo(f"The reason cannot be stored: {error}.", err=True)


def ticker() -> Tick:
    """Return a callable that reports progress on stderr, in plain lines, not too often."""
    last_reported: dict[str, float] = {}

    def tick(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - last_reported.get(what, -INTERVAL) >= INTERVAL:
            last_reported[what] = now
            click.echo(f"{what} {done}/{total}", err=True)

    return tick

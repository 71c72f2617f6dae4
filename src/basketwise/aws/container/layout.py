"""Where SageMaker puts things into a container, and where it looks for them afterwards."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import NoReturn

import click

from basketwise.errors import ConfigError
from basketwise.progress import Tick

MAX_REASON = 1024
"""Characters of a failure that SageMaker shows."""

INTERVAL = 10.0
"""Seconds between two lines about the same piece of work: each is stored in CloudWatch."""


class Parser(argparse.ArgumentParser):
    """Reads a job's arguments; a wrong one is an error like any other."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        raise ConfigError(f"{self.prog}: {message}.", self.format_usage().strip())


def base() -> Path:
    """Return the folder that all others are in; AWS's toolkit lets it be moved for trials."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")


def channel(name: str) -> Path:
    """Return where a training channel is mounted."""
    return Path(os.environ.get(f"SM_CHANNEL_{name.upper()}") or base() / "input" / "data" / name)


def model_dir() -> Path:
    """Return where a training leaves its model, and where an endpoint finds it."""
    return Path(os.environ.get("SM_MODEL_DIR") or base() / "model")


def output_data_dir() -> Path:
    """Return where a training leaves what is not the model."""
    return Path(os.environ.get("SM_OUTPUT_DATA_DIR") or base() / "output" / "data")


def report_failure(reason: str) -> None:
    """Leave a reason where SageMaker takes the job's from, and on stderr.

    A training job's is taken from ``output/failure``, a processing job's from ``output/message``.
    """
    click.echo(reason, err=True)
    try:
        folder = base() / "output"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("failure", "message"):
            (folder / name).write_text(reason[:MAX_REASON], encoding="utf-8")
    except OSError as error:
        # The job failed for the reason above; this one must not hide it.
        click.echo(f"The reason cannot be stored: {error}.", err=True)


def ticker() -> Tick:
    """Return a callable that reports progress on stderr, in plain lines, not too often."""
    told: dict[str, float] = {}

    def tick(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - told.get(what, -INTERVAL) >= INTERVAL:
            told[what] = now
            click.echo(f"{what} {done}/{total}", err=True)

    return tick

"""The MLflow run behind a version: its experiment, its parameters and metrics, its tags."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.errors import DependencyError, InputError
from basketwise.registry.ledger import shorten, storable
from basketwise.registry.mlflow.calls import unless_there
from basketwise.registry.mlflow.files import EMBEDDED_ROOT, safe_key
from basketwise.registry.protocol import Submission

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

OURS = "basketwise."
"""What the name of every tag starts with that only the registry itself may set."""

SHA256 = f"{OURS}sha256"
RUN = f"{OURS}run_id"
PARAM_LENGTH = 6000
TAG_LENGTH = 5000
BATCH = 100
"""Parameters or metrics that MLflow takes in one request."""


def check_names(submission: Submission) -> None:
    """Refuse what the registry could not give back as it was.

    Raises
    ------
    InputError
        For a metric that is not finite, or a tag that only the registry itself may set.
    """
    for name, value in submission.metrics.items():
        if not math.isfinite(value):
            raise InputError(
                f"The metric {name!r} is {value!r}.", "Only finite numbers are kept: leave it out."
            )
    for name in submission.tags:
        if name.startswith(OURS):
            raise InputError(
                f"The tag {name!r} starts with {OURS!r}.", "That is kept for the registry itself."
            )


def ensure_group(client: MlflowClient, group: str, root: Path | None) -> str:
    """Return the id of the group's experiment; make it and the registered model if needed.

    Raises
    ------
    DependencyError
        If the experiment was deleted: MLflow keeps its name taken until it is restored.
    """
    experiment = client.get_experiment_by_name(group)
    if experiment is None:
        location = None if root is None else EMBEDDED_ROOT
        unless_there(lambda: client.create_experiment(group, location))
        experiment = client.get_experiment_by_name(group)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise DependencyError(
            f"The MLflow experiment {group!r} has been deleted.",
            "Restore it with MLflow (mlflow experiments restore), or set another registry.group.",
        )
    unless_there(lambda: client.create_registered_model(group))
    return str(experiment.experiment_id)


def start(client: MlflowClient, experiment: str, submission: Submission) -> Run:
    """Return a new MLflow run, named as the run that trained the model."""
    tags = {RUN: submission.run_id, SHA256: submission.sha256}
    return client.create_run(experiment, tags=tags, run_name=submission.run_id)


def log(client: MlflowClient, run_id: str, submission: Submission) -> None:
    """Keep metrics and parameters where MLflow compares runs: long values are cut, and say so."""
    from mlflow.entities import Metric, Param

    now = int(datetime.now(UTC).timestamp() * 1000)
    metrics = [
        Metric(safe_key(name), float(value), now, 0) for name, value in submission.metrics.items()
    ]
    params = [
        Param(safe_key(name), shorten(storable(value), PARAM_LENGTH))
        for name, value in submission.params.items()
    ]
    for begin in range(0, max(len(metrics), len(params)), BATCH):
        part = slice(begin, begin + BATCH)
        client.log_batch(run_id, metrics=metrics[part], params=params[part])


def version_tags(submission: Submission) -> dict[str, str]:
    """Return the submission's own tags as MLflow takes them."""
    return {
        safe_key(name): shorten(storable(value), TAG_LENGTH)
        for name, value in submission.tags.items()
    }

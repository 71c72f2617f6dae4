"""The MLflow run behind a version: its experiment, its parameters and metrics, its tags."""

from __future__ import annotations

import getpass
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from basketwise import clock
from basketwise.errors import DependencyError, InputError
from basketwise.registry.ledger import shorten, storable
from basketwise.registry.mlflow import files as mlflow_files
from basketwise.registry.mlflow.calls import unless_there
from basketwise.registry.mlflow.database import RUN, Record
from basketwise.registry.protocol import Origin, Submission

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

OURS = "basketwise."
"""What the name of every tag starts with that only the registry itself may set."""

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Has MLflow's pages show trained models, not traces of language models."""

SHA256 = f"{OURS}sha256"
MODEL = f"{OURS}model_digest"
PARAM_LENGTH = 6000
TAG_LENGTH = 5000
DIGEST_LENGTH = 36
DATASET_NAME_LENGTH = 500
UNNAMEABLE = r"[/:.%\"']"
"""Characters that MLflow refuses in the name of a logged model."""

BATCH = 100
"""Parameters or metrics that MLflow takes in one request."""


def check_names(submission: Submission) -> None:
    """Refuse what the registry could not give back as it was."""
    for name, value in submission.metrics.items():
        if not math.isfinite(value):
            raise InputError(
                f"The metric {name!r} is {value!r}.",
                "Only finite numbers can be stored: leave it out.",
            )
    for name in submission.tags:
        if name.startswith(OURS):
            raise InputError(
                f"The tag {name!r} starts with {OURS!r}.",
                "That prefix is reserved for the registry itself.",
            )


def ensure_group(client: MlflowClient, group: str, root: Path | None) -> str:
    """Return the id of the group's experiment; make it and the registered model if needed.

    A deleted experiment is refused: MLflow keeps its name taken until it is restored.
    """
    experiment = client.get_experiment_by_name(group)
    if experiment is None:
        location = None if root is None else mlflow_files.EMBEDDED_ROOT
        unless_there(lambda: client.create_experiment(group, location, KIND))
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
    origin = submission.origin
    tags = {
        RUN: submission.run_id,
        SHA256: submission.sha256,
        MODEL: submission.model_digest,
        "mlflow.note.content": submission.card,
        "mlflow.user": _user(),
        "mlflow.source.type": "JOB" if "training_job" in submission.tags else "LOCAL",
        "mlflow.source.name": origin.command if origin else "",
        "mlflow.source.git.commit": origin.git_commit if origin else "",
    }
    return client.create_run(
        experiment,
        tags={name: shorten(storable(value), TAG_LENGTH) for name, value in tags.items() if value},
        run_name=submission.run_id,
        start_time=_milliseconds(origin.started_at) if origin else None,
    )


def log_model(client: MlflowClient, run: Run, submission: Submission) -> LoggedModel:
    """Return a new logged model, the output of a run; its files are still to be stored."""
    from mlflow.entities import LoggedModelOutput

    name = submission.tags.get("model_name", mlflow_files.MODEL)
    model = client.create_logged_model(
        run.info.experiment_id,
        name=re.sub(UNNAMEABLE, "_", name),
        source_run_id=run.info.run_id,
        params=_params(submission.params),
    )
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])
    return model


def log(client: MlflowClient, run: Run, model_id: str, submission: Submission) -> None:
    """Log metrics, parameters and the data; each candidate becomes a run below this one.

    The metrics are the logged model's too.
    """
    run_id: str = run.info.run_id
    _log_batches(client, run_id, submission.metrics, submission.params, model_id)
    if submission.origin is not None:
        _log_data(client, run_id, submission.origin)
    for candidate in submission.candidates:
        child = client.create_run(
            run.info.experiment_id,
            tags={"mlflow.parentRunId": run_id, "mlflow.user": _user()},
            run_name=candidate.name,
            start_time=run.info.start_time,
        )
        _log_batches(client, child.info.run_id, candidate.metrics, candidate.params)
        finish(client, child.info.run_id, submission)


def finish(
    client: MlflowClient, run_id: str, submission: Submission, model_id: str | None = None
) -> None:
    """Close a run and its model: it ended when the training did, not when it was registered."""
    if model_id is not None:
        client.finalize_logged_model(model_id, "READY")
    origin = submission.origin
    end = origin.started_at + timedelta(seconds=origin.seconds) if origin else clock.now()
    client.set_terminated(run_id, "FINISHED", _milliseconds(end))


def show_version(client: MlflowClient, model_id: str, group: str, version: str) -> None:
    """Let the page of a logged model name its version."""
    versions = json.dumps([{"name": group, "version": version}])
    client.set_logged_model_tags(model_id, {"mlflow.modelVersions": versions})


def fail(client: MlflowClient, run_id: str) -> None:
    """Close a run that could not be registered, and its model."""
    client.set_terminated(run_id, "FAILED")
    outputs = client.get_run(run_id).outputs
    for model in outputs.model_outputs if outputs else []:
        client.finalize_logged_model(model.model_id, "FAILED")


def _params(params: Mapping[str, str]) -> dict[str, str]:
    """Return parameters as MLflow takes them; long values are cut, and say so."""
    return {
        mlflow_files.safe_key(name): shorten(storable(value), PARAM_LENGTH)
        for name, value in params.items()
    }


def _log_batches(
    client: MlflowClient,
    run_id: str,
    metrics: Mapping[str, float],
    params: Mapping[str, str],
    model_id: str | None = None,
) -> None:
    """Log metrics, a logged model's too, and parameters."""
    from mlflow.entities import Metric, Param

    now = _milliseconds(clock.now())
    points = [
        Metric(mlflow_files.safe_key(name), float(value), now, 0, model_id=model_id)
        for name, value in metrics.items()
    ]
    settings = [Param(*param) for param in _params(params).items()]
    for begin in range(0, max(len(points), len(settings)), BATCH):
        part = slice(begin, begin + BATCH)
        client.log_batch(run_id, metrics=points[part], params=settings[part])


def _log_data(client: MlflowClient, run_id: str, origin: Origin) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=shorten(storable(PurePosixPath(origin.data).name or "raw"), DATASET_NAME_LENGTH),
        digest=origin.data_hash[:DIGEST_LENGTH],
        source_type="s3" if origin.data.startswith("s3://") else "local",
        source=json.dumps({"uri": storable(origin.data)}),
        profile=json.dumps({"num_rows": origin.lines}),
    )
    client.log_inputs(
        run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def search_records(client: MlflowClient, group: str) -> list[Record]:
    """Ask MLflow for a group's versions, in no order."""
    return [
        Record(
            version=str(version.version),
            run_id=version.run_id or "",
            source=version.source or "",
            created=version.creation_timestamp,
            description=version.description or "",
            tags=version.tags,
        )
        for version in _search(client, f"name='{group}'")
    ]


def search_groups(client: MlflowClient) -> list[str]:
    """Ask MLflow for the groups that have versions of Basketwise, sorted."""
    return sorted({version.name for version in _search(client, f"tags.`{RUN}` != ''")})


def _search(client: MlflowClient, query: str) -> Iterator[MlflowVersion]:
    token: str | None = None
    while page := client.search_model_versions(query, page_token=token):
        yield from page
        token = page.token
        if not token:
            break


def version_tags(submission: Submission) -> dict[str, str]:
    """Return the submission's own tags as MLflow takes them."""
    return {
        mlflow_files.safe_key(name): shorten(storable(value), TAG_LENGTH)
        for name, value in submission.tags.items()
    }

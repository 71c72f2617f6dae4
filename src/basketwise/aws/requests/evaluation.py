"""The Processing job that evaluates a run of ``aws run``, and what it is told in a file.

That of a pipeline knows no champion. This one is given the archives of the versions to compare
with, and whatever else an evaluation on one machine knows, so that its report and its gate are the
same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from basketwise.aws.names import AwsNames
from basketwise.aws.requests.processing import (
    GOLD,
    INSIDE,
    MODEL,
    OUTPUT,
    SILVER,
    evaluation_job,
    s3_input,
)
from basketwise.config import Config
from basketwise.run.record import Digest, OutputName

REQUEST = f"{INSIDE}/request"
RIVALS = f"{INSIDE}/rivals"
"""Contains one folder for each version whose archive the job takes from the bucket itself."""

REQUEST_FILE = "request.json"
ARCHIVES = "archives"
"""Folder of the request with the archives of other versions, ``<version>.tar.gz``."""

TRAINING = "training"
"""Folder of the request with the training's files, if their job's output is gone."""

BROKEN_FILE = "broken.json"
"""Of the output: which of ``champion`` and ``best`` has an archive that cannot be opened."""


class Rival(BaseModel):
    """A version to compare with: where its archive is below the mounts, or why it is nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    sha256: str
    archive: str = ""
    why: str = ""


class EvaluationRequest(BaseModel):
    """What an evaluation is told.

    Attributes
    ----------
    run_id, command, data, started_at, git_commit
        For the report; the time with its zone, the commit of whoever started the run.
    inputs
        What the evaluation's record names; silver and gold are held against their digests here.
    trained
        sha256 of each file of the training, by name.
    looks
        Evaluations on the same test baskets so far.
    champion, better
        Versions to compare with, see :class:`basketwise.platforms.protocol.EvaluationJob`.
    config
        All settings, without any password.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    command: str
    data: str
    started_at: datetime
    git_commit: str | None
    inputs: dict[str, str]
    trained: dict[OutputName, Digest]
    looks: int
    champion: Rival | None
    better: tuple[Rival, ...]
    config: dict[str, Any]


def requested_evaluation(
    names: AwsNames,
    config: Config,
    run_id: str,
    *,
    trained: str = "",
    rivals: Mapping[str, str] | None = None,
    silver: bool = False,
) -> dict[str, Any]:
    """Return the ``create_processing_job`` request of an evaluation that has a request's file.

    It reads ``artifacts/<job>/request/`` and writes ``artifacts/<job>/output/``.

    Parameters
    ----------
    names, config, run_id
        Names on AWS, all settings, the run.
    trained : str
        S3 URI of the training's ``model.tar.gz``; empty: its files are in the request.
    rivals : mapping of str to str
        S3 URI of the archive of a version, by version.
    silver : bool
        Whether the lines are needed, since versions score the test baskets.
    """
    request = evaluation_job(names, config, run_id)
    job = names.evaluation_job(run_id)
    inputs = {item["InputName"]: item for item in request["ProcessingInputs"]}
    inputs["request"] = s3_input("request", names.uri("artifacts", job, "request"), REQUEST)
    arguments = [
        "evaluate",
        "--gold-path",
        GOLD,
        "--request-path",
        REQUEST,
        "--output-path",
        OUTPUT,
    ]
    del inputs["model"]
    if trained:
        arguments += ["--model-path", MODEL]
        inputs["model"] = s3_input("model", trained, MODEL)
    if silver:
        arguments += ["--silver-path", SILVER]
        inputs["silver"] = s3_input("silver", names.uri("silver"), SILVER)
    for version, uri in (rivals or {}).items():
        name = f"version-{version}"
        inputs[name] = s3_input(name, uri, f"{RIVALS}/{version}")
    request["AppSpecification"]["ContainerArguments"] = arguments
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    output["S3Output"]["S3Uri"] = names.uri("artifacts", job, "output")
    return {**request, "ProcessingInputs": list(inputs.values())}

"""The SageMaker Pipeline: created or updated, and started."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.entry import CODE
from basketwise.aws.requests.pipeline import pipeline, pipeline_name, start_parameters
from basketwise.aws.requests.pipeline_steps import ETL, TRAIN
from basketwise.aws.running.executions import UPSERT_HINT, find_execution
from basketwise.aws.s3 import Bucket, is_folder
from basketwise.aws.uploads.raw import RAW
from basketwise.config import Config
from basketwise.errors import DependencyError, InputError
from basketwise.run.workspace import ARTIFACTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

Action = Literal["created", "updated", "unchanged"]

RUN_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,81}")
"""Valid names of an execution, and of its folder below ``artifacts/``."""

VERSION_LENGTH = 16
"""Hexadecimal digits of a data version."""


@dataclass(frozen=True)
class Upserted:
    """The pipeline, and what was done to it."""

    name: str
    arn: str
    action: Action


@dataclass(frozen=True)
class Started:
    """An execution of the pipeline; ``run_id`` names it and its folder below ``artifacts/``.

    Attributes
    ----------
    started
        Whether it was started now; False: one of that name exists.
    data_version
        Digest that invalidates cached steps when data change; empty if it was not started now.
    other_settings
        Whether the pipeline was created with other settings than those given.
    """

    run_id: str
    arn: str
    started: bool
    data_version: str
    other_settings: bool


def upsert(sagemaker: SageMakerClient, names: AwsNames, config: Config) -> Upserted:
    """Create the pipeline, or update it if it does not match the settings."""
    request = pipeline(names, config)
    name = request["PipelineName"]
    existing = _describe(sagemaker, name)
    if existing is None:
        with translated(f"create the pipeline {name}"):
            created = sagemaker.create_pipeline(**request)
        return Upserted(name, created["PipelineArn"], "created")
    if _matches(existing, request):
        return Upserted(name, existing["PipelineArn"], "unchanged")
    changes = {key: value for key, value in request.items() if key != "Tags"}
    with translated(f"update the pipeline {name}"):
        updated = sagemaker.update_pipeline(**changes)
    return Upserted(name, updated["PipelineArn"], "updated")


def start(
    sagemaker: SageMakerClient, s3: S3Client, names: AwsNames, config: Config, run_id: str
) -> Started:
    """Start the pipeline on the files below ``raw/``, unless an execution of that name exists.

    It runs with the settings that it was created with; the given ones are compared with them.

    Raises InputError if there is no pipeline or the name is not valid, DependencyError if there are
    no files below ``raw/`` or AWS refuses.
    """
    if not RUN_NAME.fullmatch(run_id):
        raise InputError(
            f"{run_id!r} is not a valid name of an execution.",
            "Use at most 82 letters, digits and hyphens, with a letter or digit at both ends.",
        )
    name = pipeline_name(names)
    existing = _describe(sagemaker, name)
    if existing is None:
        raise InputError(f"There is no pipeline {name}.", UPSERT_HINT)
    differs = not _matches(existing, pipeline(names, config))
    existing_arn = find_execution(sagemaker, names, run_id)
    if existing_arn is not None:
        return Started(run_id, existing_arn, False, "", differs)
    # Of any kind of run.
    if _objects(s3, names, f"{ARTIFACTS}/{run_id}"):
        raise InputError(
            f"{names.uri(ARTIFACTS, run_id)} contains another run.", "Choose another --name."
        )
    version = data_version(s3, names, config, json.loads(existing["PipelineDefinition"]))
    raw_uri = {"Name": "RawUri", "Value": names.uri(RAW)}
    parameters: Any = [*start_parameters(names, run_id, version), raw_uri]
    with translated(f"start the pipeline {name}"):
        execution = sagemaker.start_pipeline_execution(
            PipelineName=name,
            PipelineExecutionDisplayName=run_id,
            PipelineParameters=parameters,
            # Two simultaneous starts of the same name start it once.
            ClientRequestToken=_sha256(f"{existing['PipelineArn']}/{run_id}"),
        )
    return Started(run_id, execution["PipelineExecutionArn"], True, version, differs)


def data_version(s3: S3Client, names: AwsNames, config: Config, definition: dict[str, Any]) -> str:
    """Return a digest of all inputs of ETL and training: data, code and arguments.

    With AWS's image the code is below ``code/``; an image of your own contains it.

    Returns
    -------
    str
        Hexadecimal digits. It changes when a file below ``raw/`` or ``code/`` is added, removed,
        renamed or has another content, or when a setting of ETL or training changes; not when one
        of the evaluation does.

    Raises
    ------
    DependencyError
        If there are no files below ``raw/``, or the code is missing; or S3 refuses.
    """
    raw = _objects(s3, names, RAW)
    if not raw:
        raise DependencyError(
            f"There are no files below {names.uri(RAW)}.",
            f"Upload the till lines there first: aws s3 cp --recursive DIR {names.uri(RAW)}",
        )
    code = _objects(s3, names, CODE) if config.aws.installs else []
    if config.aws.installs and not code:
        raise DependencyError(f"There is no code below {names.uri(CODE)}.", UPSERT_HINT)
    steps = {
        step["Name"]: step["Arguments"]
        for step in definition["Steps"]
        if step["Name"] in (ETL, TRAIN)
    }
    text = json.dumps({"raw": raw, "code": code, "steps": steps}, sort_keys=True)
    return _sha256(text)[:VERSION_LENGTH]


def _describe(sagemaker: SageMakerClient, name: str) -> Mapping[str, Any] | None:
    describe = partial(sagemaker.describe_pipeline, PipelineName=name)
    return call(f"describe the pipeline {name}", describe, Meaning.MISSING)


def _matches(existing: Mapping[str, Any], request: dict[str, Any]) -> bool:
    if json.loads(existing["PipelineDefinition"]) != json.loads(request["PipelineDefinition"]):
        return False
    return all(existing.get(key) == request[key] for key in ("RoleArn", "PipelineDescription"))


def _objects(s3: S3Client, names: AwsNames, folder: str) -> list[tuple[str, str, int]]:
    """List what is below a folder: key from there, ETag, bytes."""
    objects = Bucket(s3, names.bucket, names.prefix).listed(f"{folder}/")
    return [
        (key.removeprefix(f"{folder}/"), listed.etag, listed.size)
        for key, listed in objects.items()
        if not is_folder(key)
    ]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

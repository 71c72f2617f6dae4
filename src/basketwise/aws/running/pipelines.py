"""The SageMaker Pipeline: made or changed, and started."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from basketwise.aws.errors import ask, missing, translated
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.entry import CODE
from basketwise.aws.requests.pipeline import pipeline, pipeline_name, start_parameters
from basketwise.aws.requests.pipeline_steps import ETL, TRAIN
from basketwise.aws.running.executions import UPSERT, find_execution
from basketwise.aws.s3 import Bucket, is_folder
from basketwise.aws.sending.raw import RAW
from basketwise.config import Config
from basketwise.errors import DependencyError, InputError
from basketwise.run.workspace import ARTIFACTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

Action = Literal["created", "updated", "unchanged"]

RUN_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,81}")
"""What an execution may be called, and what a folder below ``artifacts/`` may be called too."""

VERSION_LENGTH = 16
"""Hexadecimal digits of a data version."""


@dataclass(frozen=True)
class Upserted:
    """What was done to the pipeline."""

    name: str
    arn: str
    action: Action


@dataclass(frozen=True)
class Started:
    """An execution of the pipeline.

    Attributes
    ----------
    run_id
        Its name, and that of its folder below ``artifacts/``.
    started
        Whether it was started now; False: one of that name was there.
    data_version
        Digest that tells the steps' cache of changed data; empty if it was not started now.
    other_settings
        Whether the pipeline was made with other settings than those given.
    """

    run_id: str
    arn: str
    started: bool
    data_version: str
    other_settings: bool


def upsert(sagemaker: SageMakerClient, names: AwsNames, config: Config) -> Upserted:
    """Make the pipeline, or change it to what the settings say; the same again changes nothing.

    Raises
    ------
    DependencyError
        If SageMaker refuses.
    """
    request = pipeline(names, config)
    name, there = request["PipelineName"], _described(sagemaker, request["PipelineName"])
    if there is None:
        with translated(f"make the pipeline {name}"):
            made = sagemaker.create_pipeline(**request)
        return Upserted(name, made["PipelineArn"], "created")
    if _same(there, request):
        return Upserted(name, there["PipelineArn"], "unchanged")
    changes = {key: value for key, value in request.items() if key != "Tags"}
    with translated(f"change the pipeline {name}"):
        made = sagemaker.update_pipeline(**changes)
    return Upserted(name, made["PipelineArn"], "updated")


def start(
    sagemaker: SageMakerClient, s3: S3Client, names: AwsNames, config: Config, run_id: str
) -> Started:
    """Start the pipeline on what is below ``raw/``, unless an execution of that name is there.

    Parameters
    ----------
    sagemaker, s3 : boto3 client
        Of the two services.
    names : AwsNames
        Names of everything.
    config : Config
        Held against the settings that the pipeline was made with; those are the ones that count.
    run_id : str
        Letters, digits and hyphens, at most 82 characters as SageMaker allows them.

    Raises
    ------
    InputError
        If there is no pipeline, or the name cannot be used.
    DependencyError
        If nothing is below ``raw/``, or SageMaker or S3 refuses.
    """
    if not RUN_NAME.fullmatch(run_id):
        raise InputError(
            f"{run_id!r} cannot be the name of an execution.",
            "Take letters, digits and hyphens, at most 82, a letter or digit at both ends.",
        )
    name = pipeline_name(names)
    there = _described(sagemaker, name)
    if there is None:
        raise InputError(f"There is no pipeline {name}.", UPSERT)
    other = not _same(there, pipeline(names, config))
    known = find_execution(sagemaker, names, run_id)
    if known is not None:
        return Started(run_id, known, False, "", other)
    _must_be_free(s3, names, run_id)
    version = data_version(s3, names, config, json.loads(there["PipelineDefinition"]))
    raw_uri = {"Name": "RawUri", "Value": names.uri(RAW)}
    parameters: Any = [*start_parameters(names, run_id, version), raw_uri]
    with translated(f"start the pipeline {name}"):
        made = sagemaker.start_pipeline_execution(
            PipelineName=name,
            PipelineExecutionDisplayName=run_id,
            PipelineParameters=parameters,
            # Two that start the same name at the same moment start it once.
            ClientRequestToken=_token(there["PipelineArn"], run_id),
        )
    return Started(run_id, made["PipelineExecutionArn"], True, version, other)


def data_version(s3: S3Client, names: AwsNames, config: Config, definition: dict[str, Any]) -> str:
    """Return a digest of all that ETL and training rest on: data, code, and their own arguments.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    names : AwsNames
        Names of everything.
    config : Config
        Which image it is: AWS's is given the code below ``code/``, one of yours brings its own.
    definition : dict
        As the pipeline holds it.

    Returns
    -------
    str
        Hexadecimal digits. It changes when a file below ``raw/`` or ``code/`` is added, removed,
        renamed or has another content, or when a setting of ETL or training changes; not with how
        results are judged.

    Raises
    ------
    DependencyError
        If nothing is below ``raw/``, or no code where some is needed; or S3 refuses.
    """
    raw = _objects(s3, names, RAW)
    if not raw:
        raise DependencyError(
            f"There is nothing below {names.uri(RAW)}.",
            f"Bring the till lines there first: aws s3 cp --recursive DIR {names.uri(RAW)}",
        )
    code = _objects(s3, names, CODE) if config.aws.image == "prebuilt" else []
    if config.aws.image == "prebuilt" and not code:
        raise DependencyError(f"There is no code below {names.uri(CODE)}.", UPSERT)
    steps = {
        step["Name"]: step["Arguments"]
        for step in definition["Steps"]
        if step["Name"] in (ETL, TRAIN)
    }
    text = json.dumps({"raw": raw, "code": code, "steps": steps}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]


def _described(sagemaker: SageMakerClient, name: str) -> Mapping[str, Any] | None:
    return ask(
        f"look at the pipeline {name}",
        lambda: sagemaker.describe_pipeline(PipelineName=name),
        missing,
    )


def _same(there: Mapping[str, Any], request: dict[str, Any]) -> bool:
    if json.loads(there["PipelineDefinition"]) != json.loads(request["PipelineDefinition"]):
        return False
    return all(there.get(key) == request[key] for key in ("RoleArn", "PipelineDescription"))


def _objects(s3: S3Client, names: AwsNames, folder: str) -> list[tuple[str, str, int]]:
    """List what is below a folder: key from there, ETag, bytes."""
    objects = Bucket(s3, names.bucket, names.prefix).listed(f"{folder}/").values()
    return [
        (one.key.removeprefix(f"{folder}/"), one.etag, one.size)
        for one in objects
        if not is_folder(one.key)
    ]


def _must_be_free(s3: S3Client, names: AwsNames, run_id: str) -> None:
    """Refuse the name of a run that left something, of whatever kind it was."""
    if _objects(s3, names, f"{ARTIFACTS}/{run_id}"):
        raise InputError(
            f"{names.uri(ARTIFACTS, run_id)} contains another run.", "Choose another --name."
        )


def _token(arn: str, run_id: str) -> str:
    return hashlib.sha256(f"{arn}/{run_id}".encode()).hexdigest()

"""The two SageMaker Processing jobs: ETL and evaluation."""

from __future__ import annotations

from typing import Any

from basketwise.aws.images import image_of
from basketwise.aws.names import AwsNames, tags
from basketwise.aws.requests.controls import network, offline, output_key, volume_key
from basketwise.aws.requests.entry import CODE, entrypoint, environment
from basketwise.aws.requests.spark import on_spark
from basketwise.config import Config
from basketwise.files import ARCHIVE

INSIDE = "/opt/ml/processing"
INPUT = f"{INSIDE}/input"
OUTPUT = f"{INSIDE}/output"
SILVER = f"{INSIDE}/silver"
GOLD = f"{INSIDE}/gold"
MODEL = f"{INSIDE}/model"
CODE_MOUNT = f"{INSIDE}/code"
"""Beside the input, not below it: whatever is below is read as raw data."""


def etl_job(
    names: AwsNames, config: Config, run_id: str, *, raw: str = "", clean: bool = True
) -> dict[str, Any]:
    """Return the ``create_processing_job`` request that turns ``raw/`` into ``silver/``, ``gold/``.

    Parameters
    ----------
    names, config, run_id
        Names on AWS, all settings, the run.
    raw : str
        S3 URI of the raw files; empty: ``raw/`` of the workspace.
    clean : bool
        Whether ``silver/`` is to be made; otherwise it exists already, and is read.
    """
    source = raw or names.uri("raw")
    arguments = ["processing", "--input-path", INPUT, "--output-path", OUTPUT]
    arguments += ["--bucket-name", names.bucket]
    if raw:
        arguments += ["--source", raw]
    inputs, parts = {"raw": (source, INPUT)}, ["silver", "gold"]
    if not clean:
        arguments += ["--silver-path", SILVER]
        inputs, parts = {"silver": (names.uri("silver"), SILVER)}, ["gold"]
    outputs = {part: (f"{OUTPUT}/{part}", names.uri(part)) for part in parts}
    if config.aws.installs:
        inputs[CODE] = (names.uri(CODE), CODE_MOUNT)
    request = _job(names, config, names.processing_job(run_id), arguments, inputs, outputs)
    if config.aws.etl == "spark":
        return on_spark(request, names, config.aws, CODE_MOUNT)
    return request


def evaluation_job(names: AwsNames, config: Config, run_id: str) -> dict[str, Any]:
    """Return the ``create_processing_job`` request that evaluates a training and packs its model.

    It reads ``artifacts/<training job>/output/model.tar.gz`` and writes ``artifacts/<run>/``.
    """
    arguments = ["evaluate", "--gold-path", GOLD, "--model-path", MODEL, "--output-path", OUTPUT]
    arguments += ["--run-id", run_id, "--data", names.uri("raw")]
    if config.aws.archives_bring_libraries:
        arguments.append("--self-contained")
    trained = f"{names.uri('artifacts', names.training_job(run_id), 'output')}{ARCHIVE}"
    inputs = {"gold": (names.uri("gold"), GOLD), "model": (trained, MODEL)}
    outputs = {"evaluation": (OUTPUT, names.uri("artifacts", run_id))}
    if config.aws.image == "prebuilt":
        inputs[CODE] = (names.uri(CODE), CODE_MOUNT)
    return _job(names, config, names.evaluation_job(run_id), arguments, inputs, outputs)


def _job(
    names: AwsNames,
    config: Config,
    name: str,
    arguments: list[str],
    inputs: dict[str, tuple[str, str]],
    outputs: dict[str, tuple[str, str]],
) -> dict[str, Any]:
    """Build a request: inputs are (from S3, to folder), outputs (from folder, to S3)."""
    aws = config.aws
    request: dict[str, Any] = {
        "ProcessingJobName": name,
        "RoleArn": names.role_arn,
        "AppSpecification": {
            "ImageUri": image_of(aws, names.region),
            "ContainerEntrypoint": entrypoint(aws, CODE_MOUNT),
            "ContainerArguments": arguments,
        },
        "ProcessingInputs": [s3_input(part, *locations) for part, locations in inputs.items()],
        "ProcessingOutputConfig": {
            "Outputs": [_output(part, *locations) for part, locations in outputs.items()],
            **output_key(aws),
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": aws.processing_instance,
                "VolumeSizeInGB": aws.volume_gb,
                **volume_key(aws),
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": aws.max_run},
        **network(aws),
        "Tags": tags(names),
    }
    settings = {**environment(config), **offline(aws, CODE_MOUNT)}
    return {**request, "Environment": settings} if settings else request


def s3_input(name: str, uri: str, folder: str) -> dict[str, Any]:
    """Return a processing job's input: files of S3, which it finds in a folder."""
    source = {
        "S3Uri": uri,
        "LocalPath": folder,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    return {"InputName": name, "S3Input": source}


def _output(name: str, folder: str, uri: str) -> dict[str, Any]:
    # At the end only: half an output is worse than none.
    target = {"S3Uri": uri, "LocalPath": folder, "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": target}

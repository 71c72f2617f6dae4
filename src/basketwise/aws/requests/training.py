"""The SageMaker Training job."""

from __future__ import annotations

from typing import Any, get_args

from basketwise.aws.container.training import ALL, METRICS
from basketwise.aws.images import image_of
from basketwise.aws.names import AwsNames, tags
from basketwise.aws.requests.controls import isolation, offline, output_key, volume_key, vpc
from basketwise.aws.requests.entry import CODE, entrypoint, environment
from basketwise.config import Config, ModelName
from basketwise.errors import ConfigError

CONTENT_TYPE = "application/x-parquet"
CHANNELS = ("train", "test")
CHECKPOINTS = "/opt/ml/checkpoints"
CODE_MOUNT = f"/opt/ml/input/data/{CODE}"


def training_job(names: AwsNames, config: Config, run_id: str) -> dict[str, Any]:
    """Return the ``create_training_job`` request that trains on ``gold/``.

    It writes ``artifacts/<job>/output/model.tar.gz``. On spot capacity SageMaker restarts an
    interrupted job with the contents of ``checkpoints/<run>/``.

    Raises ConfigError unless one model or all models are to be trained.
    """
    aws = config.aws
    channels = [_channel(name, names.uri("gold"), CONTENT_TYPE) for name in CHANNELS]
    algorithm: dict[str, Any] = {
        "TrainingImage": image_of(aws, names.region),
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
        "ContainerEntrypoint": entrypoint(aws, CODE_MOUNT),
        "ContainerArguments": ["train"],
    }
    if aws.image == "prebuilt":
        channels.append(_channel(CODE, names.uri(CODE), "application/octet-stream"))
    stopping = {"MaxRuntimeInSeconds": aws.max_run}
    if aws.spot:
        stopping["MaxWaitTimeInSeconds"] = aws.max_wait
    request: dict[str, Any] = {
        "TrainingJobName": names.training_job(run_id),
        "RoleArn": names.role_arn,
        "AlgorithmSpecification": algorithm,
        "HyperParameters": hyperparameters(config),
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": names.uri("artifacts"), **output_key(aws)},
        "ResourceConfig": {
            "InstanceCount": 1,
            "InstanceType": aws.training_instance,
            "VolumeSizeInGB": aws.volume_gb,
            **volume_key(aws),
        },
        "StoppingCondition": stopping,
        "EnableManagedSpotTraining": aws.spot,
        "CheckpointConfig": {"S3Uri": names.uri("checkpoints", run_id), "LocalPath": CHECKPOINTS},
        **isolation(aws),
        **vpc(aws),
        "Tags": tags(names),
    }
    settings = {**environment(config), **offline(aws, CODE_MOUNT)}
    return {**request, "Environment": settings} if settings else request


def hyperparameters(config: Config) -> dict[str, str]:
    """Return the settings that SageMaker shows beside a training.

    Examples
    --------
    >>> hyperparameters(Config())
    {'model-type': 'all', 'random-state': '42', 'cv-folds': '5', 'test-size': '0.2'}
    """
    return {
        "model-type": _model_type(config.training.models),
        "random-state": str(config.training.random_state),
        "cv-folds": str(config.training.folds),
        "test-size": str(config.split.test_size),
    }


def _model_type(models: tuple[str, ...]) -> str:
    if len(models) == 1:
        return models[0]
    if set(models) == set(get_args(ModelName)):
        return ALL
    raise ConfigError(
        f"training.models is {', '.join(models)}: a training job takes one model, or all.",
        f"Choose one of {', '.join(get_args(ModelName))}, or omit training.models.",
    )


def _channel(name: str, uri: str, content_type: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": source},
        "ContentType": content_type,
        "CompressionType": "None",
        "InputMode": "File",
    }

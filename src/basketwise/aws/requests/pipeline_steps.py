"""The steps of the SageMaker Pipeline, each derived from a single job's request.

Values that are known only when the pipeline runs are references: ``{"Get": …}``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from basketwise.aws.names import AwsNames
from basketwise.aws.requests.model_package import PackageFacts, metadata_value, package
from basketwise.aws.requests.processing import etl_job, evaluation_job
from basketwise.aws.requests.training import training_job
from basketwise.config import BusinessConfig, Config, EvaluationConfig, GateConfig

ETL, TRAIN, EVALUATE = "Etl", "Train", "Evaluate"
DECIDE, REGISTER, REFUSE = "Decide", "Register", "Refuse"

GOLD = {"Get": f"Steps.{ETL}.ProcessingOutputConfig.Outputs['gold'].S3Output.S3Uri"}
TRAINED = {"Get": f"Steps.{TRAIN}.ModelArtifacts.S3ModelArtifacts"}

CACHE = {"Enabled": True, "ExpireAfter": "P7D"}
"""Seven days: a start after a failure reuses the finished steps."""

RETRIES = {
    "Step.SERVICE_FAULT": (10, 2.0, 3),
    "Step.THROTTLING": (30, 2.0, 5),
    "SageMaker.JOB_INTERNAL_ERROR": (60, 2.0, 2),
    "SageMaker.CAPACITY_ERROR": (300, 2.0, 4),
    "SageMaker.RESOURCE_LIMIT": (300, 1.5, 4),
}
"""By exception: seconds before the first retry, backoff rate, number of retries."""

ONLY_JOBS = "SageMaker."
"""Prefix of the exceptions that only a step with a job can raise."""


def etl_step(names: AwsNames, config: Config) -> dict[str, Any]:
    """Return the ETL step: the single job, but with folders of the data version."""
    request = etl_job(names, _without_judging(config), "run")
    arguments = _without(request, "ProcessingJobName")
    _source(arguments, "raw")["S3Uri"] = _parameter("RawUri")
    for output in arguments["ProcessingOutputConfig"]["Outputs"]:
        output["S3Output"]["S3Uri"] = _parameter(f"{output['OutputName'].title()}Uri")
    # The key of the cache includes the environment, but not the raw files.
    arguments["Environment"] = _versioned(arguments)
    return _step(ETL, "Processing", arguments)


def train_step(names: AwsNames, config: Config) -> dict[str, Any]:
    """Return the training step: on the ETL's output, with the data version's checkpoints."""
    request = training_job(names, _without_judging(config), "run")
    arguments = _without(request, "TrainingJobName")
    for channel in arguments["InputDataConfig"]:
        if channel["ChannelName"] in ("train", "test"):
            channel["DataSource"]["S3DataSource"]["S3Uri"] = GOLD
    arguments["CheckpointConfig"]["S3Uri"] = _parameter("CheckpointUri")
    return _step(TRAIN, "Training", arguments)


def evaluation_step(names: AwsNames, config: Config) -> dict[str, Any]:
    """Return the evaluation step: of the training's output, into a folder of the run."""
    arguments = _without(evaluation_job(names, config, "run"), "ProcessingJobName")
    _source(arguments, "gold")["S3Uri"] = GOLD
    _source(arguments, "model")["S3Uri"] = TRAINED
    (output,) = arguments["ProcessingOutputConfig"]["Outputs"]
    output["S3Output"]["S3Uri"] = _parameter("EvaluationUri")
    options = arguments["AppSpecification"]["ContainerArguments"]
    options[options.index("--run-id") + 1] = _parameter("RunId")
    options[options.index("--data") + 1] = _parameter("RawUri")
    arguments["Environment"] = _versioned(arguments)
    # Not cached: another run's report would not be where this run's is expected.
    return _step(EVALUATE, "Processing", arguments, cached=False)


def condition_step(names: AwsNames, config: Config) -> dict[str, Any]:
    """Return the condition: a version above both minima, else a failure with the reason."""
    minima = {"accuracy": "MinAccuracy", "f1": "MinMacroF1"}
    conditions = [
        {
            "Type": "GreaterThanOrEqualTo",
            "LeftValue": {"Get": f"Steps.{TRAIN}.FinalMetricDataList['{metric}'].Value"},
            "RightValue": _parameter(minimum),
        }
        for metric, minimum in minima.items()
    ]
    reason = (
        "The model is not registered: its accuracy or its macro-F1 on the test set is below "
        "MinAccuracy or MinMacroF1. The training's metrics and the evaluation's report.html say "
        "by how much."
    )
    register = _step(REGISTER, "RegisterModel", registration(names, config), cached=False)
    return {
        "Name": DECIDE,
        "Type": "Condition",
        "DependsOn": [EVALUATE],
        "Arguments": {
            "Conditions": conditions,
            "IfSteps": [register],
            "ElseSteps": [{"Name": REFUSE, "Type": "Fail", "Arguments": {"ErrorMessage": reason}}],
        },
    }


def registration(names: AwsNames, config: Config) -> dict[str, Any]:
    """Return parameters of ``create_model_package`` with references to values of the run.

    The state is among them: a version must not be approved by default.
    """
    is_whole = config.aws.archives_bring_libraries
    facts = PackageFacts(model_data_url="", metrics_uri="", self_contained=is_whole)
    arguments = package(names, config, facts)
    (container,) = arguments["InferenceSpecification"]["Containers"]
    container["ModelDataUrl"] = _parameter("ModelDataUrl")
    statistics = arguments["ModelMetrics"]["ModelQuality"]["Statistics"]
    statistics["S3Uri"] = _parameter("MetricsUri")
    arguments["ModelPackageDescription"] = _parameter("RunId")
    arguments["MetadataProperties"] = {"GeneratedBy": {"Get": f"Steps.{TRAIN}.TrainingJobArn"}}
    metadata = arguments["CustomerMetadataProperties"]
    metadata |= {"model_version": _parameter("RunId"), "data_source": _parameter("RawUri")}
    metadata["workspace"] = metadata_value(names.uri().rstrip("/"))
    return arguments


def _step(
    name: str, kind: str, arguments: dict[str, Any], *, cached: bool = True
) -> dict[str, Any]:
    has_job = kind != "RegisterModel"
    policies = [
        {
            "ExceptionType": [exception],
            "IntervalSeconds": seconds,
            "BackoffRate": growth,
            "MaxAttempts": attempts,
        }
        for exception, (seconds, growth, attempts) in RETRIES.items()
        if has_job or not exception.startswith(ONLY_JOBS)
    ]
    step = {"Name": name, "Type": kind, "Arguments": arguments, "RetryPolicies": policies}
    return {**step, "CacheConfig": dict(CACHE)} if cached else step


def _without_judging(config: Config) -> Config:
    """Reset the settings of the evaluation: a change there must not cause a new training."""
    judging = {"evaluation": EvaluationConfig(), "gate": GateConfig(), "business": BusinessConfig()}
    data = config.data.model_copy(update={"currency": ""})
    return config.model_copy(update={**judging, "data": data})


def _parameter(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def _versioned(arguments: dict[str, Any]) -> dict[str, Any]:
    return {**arguments.get("Environment", {}), "DATA_VERSION": _parameter("DataVersion")}


def _source(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the S3 source of an input, to be changed."""
    sources: dict[str, dict[str, Any]] = {
        item["InputName"]: item["S3Input"] for item in arguments["ProcessingInputs"]
    }
    return sources[name]


def _without(request: dict[str, Any], name: str) -> dict[str, Any]:
    """Remove a job's name: each execution creates its own."""
    return deepcopy({key: value for key, value in request.items() if key != name})

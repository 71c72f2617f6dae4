"""The same run as a SageMaker Pipeline, from the same requests.

A definition follows AWS's published JSON schema of pipeline definitions. That schema is older
than the service: it has no joined texts, no property files, and no entry point or environment of a
training job. So everything that differs between runs is a parameter without a default, the
condition reads the metrics of the training job, which are the scores of the shipped model on the
test set, and the training job runs in script mode. Only one that is isolated has an environment
nevertheless, for pip. :func:`definition_text` adds what the service requires beyond the schema.
"""

from __future__ import annotations

import json
from typing import Any

from basketwise.aws.names import AwsNames, tags
from basketwise.aws.requests.pipeline_steps import (
    condition_step,
    etl_step,
    evaluation_step,
    registration,
    train_step,
)
from basketwise.config import Config
from basketwise.files import ARCHIVE

VERSION = "2020-12-01"
PER_RUN = {
    "RunId": "Name of the run.",
    "DataVersion": "Digest of raw data and settings: a step is run again when it changes.",
    "SilverUri": "Where ETL writes the lines; of the data version.",
    "GoldUri": "Where ETL writes the features; of the data version.",
    "CheckpointUri": "Where the training stores its checkpoints; of the data version.",
    "EvaluationUri": "Where evaluation writes report and model; of the run.",
    "ModelDataUrl": "The model.tar.gz that evaluation writes there.",
    "MetricsUri": "The evaluation.json that evaluation writes there.",
}
"""Parameters that a start must give: with a default, one run would overwrite another's files."""

FOLDER = "pipelines"
"""Contains silver and gold of each data version: a step taken from the cache must find its own
files, whatever has run since."""


def definition(names: AwsNames, config: Config) -> dict[str, Any]:
    """Return the definition: ETL, training, evaluation, and a version if it is good enough.

    The version waits for approval, as everywhere. Only the two minima of the gate are checked here,
    for the estimates; the rest of the gate applies to the registered version.
    """
    return {
        "Version": VERSION,
        "Metadata": {"Project": names.project, "Environment": names.environment},
        "Parameters": [
            *({"Name": key, "Type": "String", "Description": PER_RUN[key]} for key in PER_RUN),
            {"Name": "RawUri", "Type": "String", "DefaultValue": names.uri("raw")},
            {"Name": "MinAccuracy", "Type": "Float", "DefaultValue": config.gate.min_accuracy},
            {"Name": "MinMacroF1", "Type": "Float", "DefaultValue": config.gate.min_macro_f1},
        ],
        "Steps": [
            etl_step(names, config),
            train_step(names, config),
            evaluation_step(names, config),
            condition_step(names, config),
        ],
    }


def start_parameters(names: AwsNames, run_id: str, data_version: str) -> list[dict[str, str]]:
    """Return ``PipelineParameters`` of ``start_pipeline_execution``.

    ``data_version`` is the same for the same raw data and settings: steps are cached by their
    arguments alone, and these do not show that a file below ``raw/`` has changed.
    """
    folder = names.uri("artifacts", run_id)
    values = {
        "RunId": run_id,
        "DataVersion": data_version,
        "SilverUri": names.uri(FOLDER, data_version, "silver"),
        "GoldUri": names.uri(FOLDER, data_version, "gold"),
        "CheckpointUri": names.uri("checkpoints", data_version),
        "EvaluationUri": folder,
        "ModelDataUrl": f"{folder}{ARCHIVE}",
        "MetricsUri": f"{folder}evaluation.json",
    }
    return [{"Name": key, "Value": value} for key, value in values.items()]


def definition_text(names: AwsNames, config: Config) -> str:
    """Return the definition as text, in the form that the service expects.

    It differs from :func:`definition` in two places. Exceptions to retry on are a list. And a
    version is registered with its state, its metadata and its container's environment, as by
    ``create_model_package``: the schema has none of the three, but a version must not be
    approved by default, and without the environment AWS's image does not find the code in it.
    """
    described = definition(names, config)
    branch = described["Steps"][-1]["Arguments"]["IfSteps"]
    branch[0]["Arguments"] = registration(names, config)
    for step in (*described["Steps"], *branch):
        for policy in step.get("RetryPolicies", ()):
            policy["ExceptionType"] = [policy["ExceptionType"]]
    return json.dumps(described)


def pipeline(names: AwsNames, config: Config) -> dict[str, Any]:
    """Return parameters of ``create_pipeline``; without ``Tags``, of ``update_pipeline``."""
    return {
        "PipelineName": pipeline_name(names),
        "PipelineDescription": "Raw till lines to a registered model of price sensitivity.",
        "PipelineDefinition": definition_text(names, config),
        "RoleArn": names.role_arn,
        "Tags": tags(names),
    }


def pipeline_name(names: AwsNames) -> str:
    """Name the pipeline."""
    return f"{names.project}-{names.environment}-pipeline"

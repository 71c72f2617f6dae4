"""Versions of the model in SageMaker Model Registry, and the group that they belong to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from basketwise.artifact.bundle import INFERENCE
from basketwise.aws.images import image_of
from basketwise.aws.names import AwsNames, tags
from basketwise.config import Config
from basketwise.schema import LABEL

REQUEST_TYPES = ("application/jsonlines", "application/json", "text/csv")
"""JSON Lines first: of them, a batch transform can split a file without cutting a basket."""
RESPONSE_TYPES = ("application/jsonlines", "application/json", "text/csv")
REALTIME_INSTANCES = ("ml.t2.medium", "ml.m5.large")
TRANSFORM_INSTANCES = ("ml.m5.large",)
MAX_VALUE = 256
MAX_DESCRIPTION = 1024

OWN_LIBRARIES = {
    # pip would look for a newer pip, and wait for an index that does not answer.
    "PIP_NO_INDEX": "1",
    # What scoring imports is compiled once and kept for the next worker, which the image forbids.
    "PYTHONDONTWRITEBYTECODE": "",
}
"""What a self-contained archive needs besides."""

USE = {
    "target_variable": LABEL,
    "business_kpi": "accuracy of price sensitivity per basket",
    "use_case": "price sensitivity of supermarket baskets",
}
"""Metadata of every version."""


@dataclass(frozen=True)
class PackageFacts:
    """What is known of a version when it is registered.

    Attributes
    ----------
    model_data_url, metrics_uri
        S3 URIs of the ``model.tar.gz`` that can be deployed, and of ``evaluation.json``.
    description
        For people; lines are joined, and cut to 1,024 characters.
    training_job, commit
        Name or ARN of the job that trained it, git commit of the code; empty if not known.
    metadata
        ``model_algorithm, dataset_size, feature_count, training_timestamp, model_version,
        data_source``, and whatever else a reader needs. See :func:`metadata_value`.
    self_contained
        Whether the archive carries the libraries that AWS's image lacks.
    """

    model_data_url: str
    metrics_uri: str
    description: str = ""
    training_job: str = ""
    commit: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    self_contained: bool = False


def package_group(names: AwsNames) -> dict[str, Any]:
    """Return parameters of ``create_model_package_group``."""
    return {
        "ModelPackageGroupName": names.group,
        "ModelPackageGroupDescription": "Price sensitivity of supermarket baskets: Low, Medium, "
        "High.",
        "Tags": tags(names, ModelType="Classification", Target=LABEL),
    }


def package(names: AwsNames, config: Config, facts: PackageFacts) -> dict[str, Any]:
    """Return parameters of ``create_model_package``, for a version that waits for approval."""
    origin = {"GeneratedBy": facts.training_job, "CommitId": facts.commit}
    origin = {key: value for key, value in origin.items() if value}
    request: dict[str, Any] = {
        "ModelPackageGroupName": names.group,
        "ModelPackageDescription": _one_line(facts.description),
        "InferenceSpecification": {
            "Containers": [container(names, config, facts)],
            "SupportedContentTypes": list(REQUEST_TYPES),
            "SupportedResponseMIMETypes": list(RESPONSE_TYPES),
            "SupportedRealtimeInferenceInstanceTypes": list(REALTIME_INSTANCES),
            "SupportedTransformInstanceTypes": list(TRANSFORM_INSTANCES),
        },
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": facts.metrics_uri}
            }
        },
        "CustomerMetadataProperties": customer_metadata(facts.metadata),
    }
    return {**request, "MetadataProperties": origin} if origin else request


def container(names: AwsNames, config: Config, facts: PackageFacts) -> dict[str, Any]:
    """Return how a version is served."""
    image = image_of(config.aws, names.region)
    definition: dict[str, Any] = {"Image": image, "ModelDataUrl": facts.model_data_url}
    if config.aws.image == "prebuilt":
        definition["Environment"] = environment(self_contained=facts.self_contained)
    return definition


def environment(*, self_contained: bool) -> dict[str, str]:
    """Return what AWS's image has to be told.

    Where the code is; that a client which names no type accepts any, else it is taken to want JSON,
    and JSON Lines are not answered line by line; and whether to ask an index.
    """
    code = {
        "SAGEMAKER_PROGRAM": INFERENCE,
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "*/*",
    }
    return code | OWN_LIBRARIES if self_contained else code


def customer_metadata(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of every version and of this one, without empty values."""
    values = {key: metadata_value(value) for key, value in {**USE, **facts}.items()}
    return {key: value for key, value in values.items() if value}


def _one_line(text: str) -> str:
    # SageMaker accepts no line breaks.
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())[:MAX_DESCRIPTION]


def metadata_value(text: str) -> str:
    """Keep what SageMaker accepts: 256 letters, digits, spaces and ``_.:/=+-@``.

    Examples
    --------
    >>> metadata_value("0.93 (95 %), by customers")
    '0.93 95 by customers'
    """
    allowed = "".join(
        c if unicodedata.category(c)[0] in "LNZ" or c in "_.:/=+-@" else " " for c in text
    )
    return re.sub(r"\s+", " ", allowed).strip()[:MAX_VALUE].strip()

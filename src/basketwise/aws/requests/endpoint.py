"""An endpoint that serves an approved version: model, configuration, alarms, scaling.

An update is blue/green: new instances are started beside the old ones, and the old ones answer
again if an alarm goes off.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from basketwise.aws.images import REPOSITORY
from basketwise.aws.names import as_tags
from basketwise.aws.requests.controls import output_key, vpc
from basketwise.aws.requests.model_package import environment
from basketwise.config import AwsConfig
from basketwise.config.amazon import GRAVITON
from basketwise.config.aws_limits import has_local_storage
from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.options import Options
from basketwise.errors import ConfigError

VARIANT = "AllTraffic"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
NAMESPACE = "sagemaker"

START_SECONDS = 600
"""So long may an instance take until it answers: AWS's image installs libraries first."""
BAKE_SECONDS = 600
"""So long do the old instances wait for an alarm."""
UPDATE_SECONDS = 3600
CANARY_SECONDS = 300

MAX_ERRORS = 0.01
"""Share of requests that may fail at the endpoint (5xx) within a minute."""
MAX_LATENCY = 200_000
"""Microseconds that the container may take for 95 % of requests."""

BURSTABLE = re.compile(r"ml\.t[0-9]")
"""SageMaker scales no endpoint on such instances."""


class Request(NamedTuple):
    """A request: of which service, which operation, with which parameters."""

    service: str
    operation: str
    parameters: dict[str, Any]


class EndpointNames(NamedTuple):
    """The names of an endpoint's parts; model and configuration are named after the version."""

    endpoint: str
    model: str
    config: str

    @property
    def resource(self) -> str:
        """Return what Application Auto Scaling calls it."""
        return f"endpoint/{self.endpoint}/variant/{VARIANT}"


def endpoint_requests(
    model: ApprovedModel,
    options: Options,
    *,
    image: str,
    model_url: str,
    self_contained: bool = False,
    tags: Sequence[dict[str, str]] = (),
) -> dict[str, Request]:
    """Return all requests by what they are for.

    Parameters
    ----------
    model : ApprovedModel
        The version; its ``aws`` has VPC, key and isolation.
    options : Options
        ``name`` and ``role_arn``.
    image : str
        URI of the container image.
    model_url : str
        S3 URI of the archive.
    self_contained : bool
        Whether the archive carries its libraries, so that AWS's image needs no network.
    tags : sequence
        Tags beside those that name the version.

    Raises
    ------
    ConfigError
        If the model needs the network that it is isolated from, or the instances take no key, or
        their processors are not those of AWS's image.
    """
    instance, _ = _instances(model)
    if is_prebuilt(image) and GRAVITON.match(instance):
        raise ConfigError(
            f"deployment.instance_type = {instance!r} has an ARM64 processor (Graviton); AWS's "
            "image is for x86-64.",
            "Choose another type, such as ml.m5.large, or give --image with an image of your own "
            "that was built for ARM64.",
        )
    model_request = create_model(
        options, image, model_url, model.aws, self_contained=self_contained
    )
    names = names_of(model, options, model_request)
    model_request["ModelName"] = names.model
    config = create_config(model, names)
    requests = {
        "create-model": Request("sagemaker", "CreateModel", model_request),
        "create-endpoint-config": Request("sagemaker", "CreateEndpointConfig", config),
        "alarm-errors": Request("cloudwatch", "PutMetricAlarm", errors_alarm(names)),
        "alarm-latency": Request("cloudwatch", "PutMetricAlarm", latency_alarm(names)),
        "create-endpoint": Request("sagemaker", "CreateEndpoint", create_endpoint(model, names)),
        "update-endpoint": Request("sagemaker", "UpdateEndpoint", update_endpoint(model, names)),
    }
    if scales(model):
        scaling = "application-autoscaling"
        target, policy = scalable_target(model, names), scaling_policy(model, names)
        requests["register-scalable-target"] = Request(scaling, "RegisterScalableTarget", target)
        requests["put-scaling-policy"] = Request(scaling, "PutScalingPolicy", policy)
    for name in ("create-model", "create-endpoint-config", "create-endpoint"):
        requests[name].parameters["Tags"] = [*tags_of(model), *tags]
    if model.aws.tags:
        for name in ("alarm-errors", "alarm-latency"):
            requests[name].parameters["Tags"] = as_tags(model.aws.tags)
    return requests


def scales(model: ApprovedModel) -> bool:
    """Whether the instances can be scaled, and there is a range to scale in."""
    return not BURSTABLE.match(model.deployment.endpoint_config.instance_type)


def names_of(model: ApprovedModel, options: Options, request: dict[str, Any]) -> EndpointNames:
    """Name the parts: whatever cannot be changed in place gets another name when it differs."""
    stem = f"{options.name}-{model.tag}"
    named = f"{stem}-{_digest(request)}"
    decisive = [named, *_instances(model), *output_key(model.aws).values()]
    return EndpointNames(options.name, named, f"{stem}-{_digest(decisive)}")


def is_prebuilt(image: str) -> bool:
    """Whether an image is AWS's own."""
    return f"/{REPOSITORY}:" in image


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:6]


def _instances(model: ApprovedModel) -> tuple[str, int]:
    """Return type and number of the first instances, within the range of scaling."""
    endpoint, scaling = model.deployment.endpoint_config, model.deployment.auto_scaling
    if not scales(model):
        return endpoint.instance_type, endpoint.initial_instance_count
    count = max(endpoint.initial_instance_count, scaling.min_capacity)
    return endpoint.instance_type, min(count, scaling.max_capacity)


def create_model(
    options: Options, image: str, model_url: str, aws: AwsConfig, *, self_contained: bool
) -> dict[str, Any]:
    """Return parameters of ``create_model``, still without a name."""
    prebuilt = is_prebuilt(image)
    if aws.network_isolation and prebuilt and not self_contained:
        raise ConfigError(
            "The version's archive brings no libraries, and aws.network_isolation keeps AWS's "
            "image from installing them.",
            "Register its model anew with aws.network_isolation set, which makes the archive "
            "self-contained, and approve that version.",
        )
    container: dict[str, Any] = {"Image": image, "ModelDataUrl": model_url}
    if prebuilt:
        container["Environment"] = environment(self_contained=self_contained)
    return {
        "PrimaryContainer": container,
        "ExecutionRoleArn": options.role_arn,
        # AWS's image installs libraries from an index, unless the archive carries them.
        "EnableNetworkIsolation": not prebuilt or self_contained,
        **vpc(aws),
    }


def create_config(model: ApprovedModel, names: EndpointNames) -> dict[str, Any]:
    """Return parameters of ``create_endpoint_config``."""
    instance, count = _instances(model)
    if model.aws.kms_key and has_local_storage(instance):
        raise ConfigError(
            f"deployment.instance_type = {instance!r} has disks of its own, which take no "
            "aws.kms_key.",
            "Choose a type without, such as ml.m5.large.",
        )
    variant = {
        "VariantName": VARIANT,
        "ModelName": names.model,
        "InstanceType": instance,
        "InitialInstanceCount": count,
        "InitialVariantWeight": 1.0,
        "ContainerStartupHealthCheckTimeoutInSeconds": START_SECONDS,
    }
    return {
        "EndpointConfigName": names.config,
        "ProductionVariants": [variant],
        **output_key(model.aws),
    }


def create_endpoint(model: ApprovedModel, names: EndpointNames) -> dict[str, Any]:
    """Return parameters of ``create_endpoint``."""
    return {
        "EndpointName": names.endpoint,
        "EndpointConfigName": names.config,
    }


def update_endpoint(model: ApprovedModel, names: EndpointNames) -> dict[str, Any]:
    """Return parameters of ``update_endpoint``: blue/green, back to blue at an alarm.

    One of several instances gets requests first; of a single one, all at once.
    """
    routing: dict[str, Any] = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": CANARY_SECONDS}
    if _instances(model)[1] > 1:
        size = {"Type": "INSTANCE_COUNT", "Value": 1}
        routing |= {"Type": "CANARY", "CanarySize": size}
    return {
        "EndpointName": names.endpoint,
        "EndpointConfigName": names.config,
        # As many instances as it was scaled to.
        "RetainAllVariantProperties": True,
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": BAKE_SECONDS,
                "MaximumExecutionTimeoutInSeconds": UPDATE_SECONDS,
            },
            "AutoRollbackConfiguration": {
                "Alarms": [
                    {"AlarmName": alarm(names)["AlarmName"]}
                    for alarm in (errors_alarm, latency_alarm)
                ]
            },
        },
    }


def errors_alarm(names: EndpointNames) -> dict[str, Any]:
    """Return parameters of ``put_metric_alarm``: too many requests fail."""
    return _alarm(names, "errors", "Invocation5XXErrors", MAX_ERRORS) | {"Statistic": "Average"}


def latency_alarm(names: EndpointNames) -> dict[str, Any]:
    """Return parameters of ``put_metric_alarm``: answers take too long."""
    return _alarm(names, "latency", "ModelLatency", MAX_LATENCY) | {"ExtendedStatistic": "p95"}


def _alarm(names: EndpointNames, what: str, metric: str, threshold: float) -> dict[str, Any]:
    return {
        "AlarmName": f"{names.endpoint}-{what}",
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": _dimensions(names),
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": float(threshold),
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }


def _dimensions(names: EndpointNames) -> list[dict[str, str]]:
    return [
        {"Name": "EndpointName", "Value": names.endpoint},
        {"Name": "VariantName", "Value": VARIANT},
    ]


def scalable_target(model: ApprovedModel, names: EndpointNames) -> dict[str, Any]:
    """Return parameters of ``register_scalable_target``."""
    scaling = model.deployment.auto_scaling
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": names.resource,
        "ScalableDimension": DIMENSION,
        "MinCapacity": scaling.min_capacity,
        "MaxCapacity": scaling.max_capacity,
    }


def scaling_policy(model: ApprovedModel, names: EndpointNames) -> dict[str, Any]:
    """Return parameters of ``put_scaling_policy``: a share of the CPU is aimed at."""
    cores = cores_of(model.deployment.endpoint_config.instance_type)
    return {
        "PolicyName": f"{names.endpoint}-cpu",
        "ServiceNamespace": NAMESPACE,
        "ResourceId": names.resource,
        "ScalableDimension": DIMENSION,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            # SageMaker adds the cores up: two that are busy are 200 %.
            "TargetValue": float(model.deployment.auto_scaling.target_cpu_utilization * cores),
            "CustomizedMetricSpecification": {
                "MetricName": "CPUUtilization",
                "Namespace": "/aws/sagemaker/Endpoints",
                "Dimensions": _dimensions(names),
                "Statistic": "Average",
                "Unit": "Percent",
            },
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 60,
        },
    }


def cores_of(instance_type: str) -> int:
    """Return the vCPUs of an instance type by its size.

    Examples
    --------
    >>> [cores_of(f"ml.m5.{size}") for size in ("large", "xlarge", "4xlarge")]
    [2, 4, 16]
    """
    times, xlarge, _ = instance_type.rpartition(".")[2].partition("xlarge")
    return 4 * int(times or 1) if xlarge else 2


def tags_of(model: ApprovedModel) -> list[dict[str, str]]:
    """Return tags that say which version it is."""
    values = {
        "ModelPackageGroup": model.group,
        "ModelVersion": model.version,
        "ModelSha256": model.sha256,
    }
    return [{"Key": key, "Value": value} for key, value in values.items()]

"""Endpoints: created or updated to a version, followed until they serve it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.requests.endpoint import Request
from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

IN_SERVICE = "InService"
BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
"""Of an endpoint that changes by itself."""

Done = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True)
class Services:
    """Clients of the services that an endpoint takes.

    ``cloudwatch`` and ``scaling`` (Application Auto Scaling) are boto3's.
    """

    sagemaker: SageMakerClient
    cloudwatch: Any
    scaling: Any


class RolledBackError(DependencyError):
    """SageMaker returned to the version before: an alarm went off, or the new one did not start."""


def deploy(
    services: Services,
    requests: Mapping[str, Request],
    report: Callable[[str], None],
    *,
    poll: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Done:
    """Let an endpoint serve what requests describe, and wait until it does.

    What exists is not created again: a command that was interrupted can be repeated.

    Parameters
    ----------
    services : Services
        Clients.
    requests : mapping
        As :func:`basketwise.aws.requests.endpoint.endpoint_requests` returns them.
    report : callable
        Gets each new status of the endpoint.
    poll : float
        Seconds between two looks at it.

    Raises
    ------
    RolledBackError
        If it serves the version before again.
    DependencyError
        If it cannot be created or updated, or AWS refuses.
    """
    sagemaker = services.sagemaker
    update = requests["update-endpoint"].parameters
    name, config = update["EndpointName"], update["EndpointConfigName"]
    for key, create in (
        ("create-model", sagemaker.create_model),
        ("create-endpoint-config", sagemaker.create_endpoint_config),
    ):
        _create(key, create, requests[key])
    for key in ("alarm-errors", "alarm-latency"):
        with translated(f"set the alarm {requests[key].parameters['AlarmName']}"):
            services.cloudwatch.put_metric_alarm(**requests[key].parameters)
    done = _start(sagemaker, name, requests, report, poll, sleep)
    _follow(sagemaker, name, config, report, poll, sleep)
    if "put-scaling-policy" in requests:
        with translated(f"scale the endpoint {name}"):
            target = requests["register-scalable-target"].parameters
            services.scaling.register_scalable_target(**target)
            services.scaling.put_scaling_policy(**requests["put-scaling-policy"].parameters)
    return done


def _create(what: str, create: Callable[..., Any], request: Request) -> None:
    """Create something unless it exists: it is named after what is in it."""
    call(what.replace("-", " "), lambda: create(**request.parameters), Meaning.EXISTS)


def _start(
    sagemaker: SageMakerClient,
    name: str,
    requests: Mapping[str, Request],
    report: Callable[[str], None],
    poll: float,
    sleep: Callable[[float], None],
) -> Done:
    endpoint = describe(sagemaker, name)
    if endpoint is None:
        with translated(f"create the endpoint {name}"):
            sagemaker.create_endpoint(**requests["create-endpoint"].parameters)
        return "created"
    update = requests["update-endpoint"].parameters
    if endpoint["EndpointStatus"] in BUSY:
        # Of a command that was interrupted; SageMaker refuses another update meanwhile.
        endpoint = _settle(sagemaker, name, report, poll, sleep)
    if endpoint["EndpointConfigName"] == update["EndpointConfigName"]:
        return "unchanged"
    with translated(f"update the endpoint {name}"):
        sagemaker.update_endpoint(**update)
    return "updated"


def _follow(
    sagemaker: SageMakerClient,
    name: str,
    config: str,
    report: Callable[[str], None],
    poll: float,
    sleep: Callable[[float], None],
) -> None:
    endpoint = _settle(sagemaker, name, report, poll, sleep)
    status = endpoint["EndpointStatus"]
    reason = endpoint.get("FailureReason", "")
    if status != IN_SERVICE:
        raise DependencyError(
            f"The endpoint {name} is {status}: {reason or 'SageMaker gives no reason'}",
            f"Its log in CloudWatch: /aws/sagemaker/Endpoints/{name}. An endpoint that was "
            "never in service has to be deleted before it is created again.",
        )
    if endpoint["EndpointConfigName"] != config:
        raise RolledBackError(
            f"The endpoint {name} was rolled back, and serves {endpoint['EndpointConfigName']} "
            f"again{f': {reason}' if reason else '.'}",
            f"Look at its alarms, {name}-errors and {name}-latency, and at its log in CloudWatch: "
            f"/aws/sagemaker/Endpoints/{name}.\n"
            "So that the registry says the same: basketwise models rollback",
        )


def _settle(
    sagemaker: SageMakerClient,
    name: str,
    report: Callable[[str], None],
    poll: float,
    sleep: Callable[[float], None],
) -> Mapping[str, Any]:
    """Return the description of an endpoint once it does not change any more."""
    last = ""
    while True:
        endpoint = describe(sagemaker, name)
        if endpoint is None:
            raise DependencyError(
                f"The endpoint {name} was deleted meanwhile.", "Run the command again to create it."
            )
        status = endpoint["EndpointStatus"]
        if status != last:
            report(status)
            last = status
        if status not in BUSY:
            return endpoint
        sleep(poll)


def describe(sagemaker: SageMakerClient, name: str) -> Mapping[str, Any] | None:
    """Return what SageMaker says of an endpoint; None if there is none of that name."""
    found: Mapping[str, Any] | None = call(
        f"describe the endpoint {name}",
        lambda: sagemaker.describe_endpoint(EndpointName=name),
        Meaning.MISSING,
    )
    return found

"""Policies that AWS publishes as samples, in our own words, and what they look at.

A policy is held against a request's condition keys. The guide is Amazon Web Services, SageMaker
Developer Guide, Identity-based policy examples, Control creation of SageMaker resources with
condition keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

JOBS = ["sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob"]


def deny(actions: list[str], **condition: Any) -> dict[str, Any]:
    """Return a policy that allows everything but some actions under a condition."""
    return {
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": actions, "Resource": "*", "Condition": condition},
        ]
    }


NOT_EXEMPT = {"aws:PrincipalTag/dp:exclude": "true"}

WITHOUT_VPC = deny(
    [*JOBS, "sagemaker:CreateModel"],
    StringNotEqualsIfExists=NOT_EXEMPT,
    Null={"sagemaker:VpcSubnets": "true"},
)
"""``PreventNonVPCDeploymentSageMaker`` (Amazon Web Services, data-perimeter-policy-examples,
service_control_policies/service_specific_controls/restrict_nonvpc_deployment_scp.json), of its
actions those that are called."""

WITHOUT_KEY = deny(JOBS, Null={"sagemaker:VolumeKmsKey": "true"})
"""``SageMakerJobEnforceEncryption`` (Amazon Web Services, Build a Secure Enterprise Machine
Learning Platform on AWS, Governance and control), of its actions those that are called."""


def allow(actions: list[str], **condition: Any) -> dict[str, Any]:
    """Return a policy that allows some actions under a condition, and nothing else."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition}
    return {"Statement": [statement]}


def only_in(subnets: list[str], groups: list[str]) -> dict[str, Any]:
    """Return ``AllowFromVpc`` of the guide, for all that runs in a VPC."""
    return allow(
        [*JOBS, "sagemaker:CreateModel"],
        **{
            "ForAllValues:StringEquals": {
                "sagemaker:VpcSubnets": subnets,
                "sagemaker:VpcSecurityGroupIds": groups,
            },
            "Null": {
                "sagemaker:VpcSubnets": "false",
                "sagemaker:VpcSecurityGroupIds": "false",
            },
        },
    )


def only_with(key: str) -> dict[str, Any]:
    """Return ``EnforceEncryption`` of the guide, for jobs of both kinds."""
    return allow(JOBS, ArnEquals={"sagemaker:VolumeKmsKey": key})


ISOLATED = allow([*JOBS, "sagemaker:CreateModel"], Bool={"sagemaker:NetworkIsolation": "true"})
"""``EnforceIsolation`` of the guide, for jobs of both kinds and models."""


def context(operation: str, request: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the condition keys that SageMaker takes from a request; a key without value is not."""
    return dict(_context(operation, request))


def _context(operation: str, request: Mapping[str, Any]) -> Iterator[tuple[str, str | list[str]]]:
    processing = operation == "CreateProcessingJob"
    network = request.get("NetworkConfig", {}) if processing else request
    vpc = network.get("VpcConfig", {})
    if vpc:
        yield "sagemaker:VpcSubnets", vpc["Subnets"]
        yield "sagemaker:VpcSecurityGroupIds", vpc["SecurityGroupIds"]
    isolated = network.get("EnableNetworkIsolation", False)
    yield "sagemaker:NetworkIsolation", str(isolated).lower()
    resources = (
        request.get("ProcessingResources", {}).get("ClusterConfig", {})
        if processing
        else request.get("ResourceConfig", {})
    )
    if "VolumeKmsKeyId" in resources:
        yield "sagemaker:VolumeKmsKey", resources["VolumeKmsKeyId"]
    outputs = request.get("ProcessingOutputConfig" if processing else "OutputDataConfig", {})
    if "KmsKeyId" in outputs:
        yield "sagemaker:OutputKmsKey", outputs["KmsKeyId"]
    if operation == "CreateEndpointConfig" and "KmsKeyId" in request:
        yield "sagemaker:VolumeKmsKey", request["KmsKeyId"]
    for tag in request.get("Tags", ()):
        yield f"aws:RequestTag/{tag['Key']}", tag["Value"]
    if request.get("Tags"):
        yield "aws:TagKeys", [tag["Key"] for tag in request["Tags"]]

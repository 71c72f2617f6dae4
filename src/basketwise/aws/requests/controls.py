"""What an organization's rules add to requests: a VPC, a KMS key, isolation from the network."""

from __future__ import annotations

from typing import Any

from basketwise.config import AwsConfig

WHEELS = "wheels"
"""Folder below ``code/`` with the libraries of a job that reaches no package index."""


def controls(aws: AwsConfig) -> dict[str, Any]:
    """Return what a job is under: one that ran under others did not do the same work.

    Examples
    --------
    >>> controls(AwsConfig())
    {}
    >>> controls(AwsConfig(network_isolation=True))
    {'EnableNetworkIsolation': True}
    """
    return {**isolation(aws), **vpc(aws), **volume_key(aws)}


def vpc(aws: AwsConfig) -> dict[str, Any]:
    """Return the member ``VpcConfig`` of a training job or a model; empty without a VPC."""
    if not aws.subnets:
        return {}
    return {
        "VpcConfig": {
            "Subnets": list(aws.subnets),
            "SecurityGroupIds": list(aws.security_groups),
        }
    }


def isolation(aws: AwsConfig) -> dict[str, Any]:
    """Return the member ``EnableNetworkIsolation`` of a job; empty unless it is isolated."""
    return {"EnableNetworkIsolation": True} if aws.network_isolation else {}


def network(aws: AwsConfig) -> dict[str, Any]:
    """Return the member ``NetworkConfig`` of a processing job; empty if there is none."""
    members = {**isolation(aws), **vpc(aws)}
    return {"NetworkConfig": members} if members else {}


def volume_key(aws: AwsConfig) -> dict[str, str]:
    """Return the member that encrypts a job's volumes; empty without a key."""
    return {"VolumeKmsKeyId": aws.kms_key} if aws.kms_key else {}


def output_key(aws: AwsConfig) -> dict[str, str]:
    """Return the member that encrypts what a job or an endpoint writes; empty without a key."""
    return {"KmsKeyId": aws.kms_key} if aws.kms_key else {}


def offline(aws: AwsConfig, code: str) -> dict[str, str]:
    """Return the variables that have pip install from ``code/`` alone; empty where it may ask.

    Parameters
    ----------
    aws : AwsConfig
        Image and isolation.
    code : str
        Where ``code/`` is mounted.

    Examples
    --------
    >>> offline(AwsConfig(network_isolation=True), "/code")
    {'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': '/code/wheels'}
    """
    if not aws.brings_wheels:
        return {}
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{code}/{WHEELS}"}

"""The names of everything on AWS: bucket, prefixes, role, group, jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from basketwise.aws.address import Address, is_address
from basketwise.config import Config
from basketwise.registry.mlflow.managed import is_managed

PREFIXES = ("raw", "silver", "gold", "artifacts")
"""The prefixes that a run needs; others are created when something is written there."""

PROJECT = "RetailPredictionMLOps"
"""Value of the tag that costs can be grouped by, whatever the names of the resources."""


@dataclass(frozen=True)
class AwsNames:
    """Names of one project in one account and region.

    ``prefix`` is the workspace's in the bucket: empty, or without slashes at its ends; ``group``
    is the model package group; ``own_tags`` are the user's own, as pairs; ``mlflow`` is the ARN of
    the MLflow that stores the versions, if that is one of SageMaker.

    Examples
    --------
    >>> names = AwsNames("shop", "dev", "123456789012", "eu-west-1", "shop-dev-123456789012",
    ...                  "arn:aws:iam::123456789012:role/x", "models")
    >>> names.uri("gold")
    's3://shop-dev-123456789012/gold/'
    >>> names.training_job("run-20260203-120005")
    'retail-prediction-training-run-20260203-120005'
    """

    project: str
    environment: str
    account_id: str
    region: str
    bucket: str
    role_arn: str
    group: str
    prefix: str = ""
    own_tags: tuple[tuple[str, str], ...] = ()
    mlflow: str = ""

    def key(self, *parts: str) -> str:
        """Return the key of something in the workspace, without the bucket."""
        return "/".join(part for part in (self.prefix, *parts) if part)

    def uri(self, *parts: str) -> str:
        """Return the S3 URI of a folder in the workspace; it ends with a slash."""
        return f"{Address(self.bucket, self.key(*parts))}/"

    def processing_job(self, run_id: str) -> str:
        """Name a run's ETL job."""
        return f"retail-etl-processing-{run_id}"

    def training_job(self, run_id: str) -> str:
        """Name a run's training job."""
        return f"retail-prediction-training-{run_id}"

    def evaluation_job(self, run_id: str) -> str:
        """Name a run's evaluation job."""
        return f"retail-evaluation-processing-{run_id}"

    def arn(self, resource: str) -> str:
        """Return the ARN of a SageMaker resource, ``kind/name``."""
        return self.arn_of("sagemaker", resource)

    def arn_of(self, service: str, resource: str) -> str:
        """Return the ARN of a service's resource in the account.

        Examples
        --------
        >>> names = AwsNames("shop", "dev", "123456789012", "cn-north-1", "b", "r", "models")
        >>> names.arn_of("s3", "b"), names.arn_of("iam", "role/x")
        ('arn:aws-cn:s3:::b', 'arn:aws-cn:iam::123456789012:role/x')
        """
        # ARNs of buckets have no account and no region, those of roles no region.
        region = "" if service in ("iam", "s3") else self.region
        account = "" if service == "s3" else self.account_id
        return f"arn:{partition(self.region)}:{service}:{region}:{account}:{resource}"


def partition(region: str) -> str:
    """Return the partition of a region, as in its ARNs.

    Examples
    --------
    >>> [partition(region) for region in ("eu-west-1", "cn-north-1", "us-gov-west-1")]
    ['aws', 'aws-cn', 'aws-us-gov']
    """
    partitions = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for start, name in partitions.items() if region.startswith(start)), "aws")


def names_of(config: Config, *, account_id: str, region: str, workspace: str = "") -> AwsNames:
    """Name everything for a configuration.

    Parameters
    ----------
    config : Config
        Sections ``aws`` and ``registry``.
    account_id, region : str
        Of the credentials in use.
    workspace : str
        ``s3://bucket/prefix``; its bucket overrides the configured one. Anything else: the
        configured bucket, without a prefix.
    """
    aws = config.aws
    stem = f"{aws.project}-{aws.environment}"
    bucket, prefix = aws.bucket or f"{stem}-{account_id}", ""
    if is_address(workspace):
        address = Address.parse(workspace)
        bucket, prefix = address.bucket, address.key
    return AwsNames(
        project=aws.project,
        environment=aws.environment,
        account_id=account_id,
        region=region,
        bucket=bucket,
        role_arn=aws.role_arn
        or f"arn:{partition(region)}:iam::{account_id}:role/{stem}-sagemaker-execution",
        group=config.registry.group,
        prefix=prefix,
        own_tags=tuple(aws.tags.items()),
        mlflow=config.registry.uri if is_managed(config.registry.uri) else "",
    )


def tags(names: AwsNames, **more: str) -> list[dict[str, str]]:
    """Return all tags of a resource, with ``more`` that only it has, as boto3 takes them."""
    return [*project_tags(names), *as_tags(more), *own_tags(names)]


def own_tags(names: AwsNames) -> list[dict[str, str]]:
    """Return the user's own tags alone, as boto3 takes them."""
    return as_tags(dict(names.own_tags))


def project_tags(names: AwsNames) -> list[dict[str, str]]:
    """Return the tags that tell a project's resources from others, whatever the user's own."""
    return as_tags({"Project": PROJECT, "Environment": names.environment})


def as_tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as boto3 takes them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]

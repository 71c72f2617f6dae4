"""What everything on AWS is called: bucket, prefixes, role, group, jobs."""

from __future__ import annotations

from dataclasses import dataclass

from basketwise.config import Config

PREFIXES = ("raw", "silver", "gold", "artifacts")
"""The four that a pipeline needs; others appear when something is written there."""


@dataclass(frozen=True)
class AwsNames:
    """Names of one project in one account and region.

    Attributes
    ----------
    account_id
        Twelve digits.
    prefix
        Below it the workspace lies in the bucket; empty, or without slashes at its ends.
    group
        The model package group.

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

    def key(self, *parts: str) -> str:
        """Return the key of something in the workspace, without the bucket."""
        return "/".join(part for part in (self.prefix, *parts) if part)

    def uri(self, *parts: str) -> str:
        """Return the S3 URI of a folder in the workspace; it ends with a slash."""
        return f"s3://{self.bucket}/{self.key(*parts)}/".replace("//", "/").replace("s3:/", "s3://")

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
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{resource}"


def names_of(config: Config, *, account_id: str, region: str, workspace: str = "") -> AwsNames:
    """Name everything for a configuration.

    Parameters
    ----------
    config : Config
        Sections ``aws`` and ``registry``.
    account_id, region : str
        Of the credentials in use.
    workspace : str
        ``s3://bucket/prefix``; its bucket wins over the configured one. Empty: the configured
        bucket, without a prefix.
    """
    aws = config.aws
    stem = f"{aws.project}-{aws.environment}"
    bucket, prefix = aws.bucket or f"{stem}-{account_id}", ""
    if workspace:
        bucket, _, prefix = workspace.removeprefix("s3://").partition("/")
    return AwsNames(
        project=aws.project,
        environment=aws.environment,
        account_id=account_id,
        region=region,
        bucket=bucket,
        role_arn=aws.role_arn or f"arn:aws:iam::{account_id}:role/{stem}-sagemaker-execution",
        group=config.registry.group,
        prefix=prefix.strip("/"),
    )

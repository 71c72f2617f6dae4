"""boto3 clients of the services that are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from basketwise.aws.errors import translated
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sts import STSClient

INSTALL = "pip install boto3"


@overload
def client(service: Literal["cloudformation"], config: AwsConfig) -> CloudFormationClient: ...
@overload
def client(service: Literal["iam"], config: AwsConfig) -> IAMClient: ...
@overload
def client(service: Literal["logs"], config: AwsConfig) -> CloudWatchLogsClient: ...
@overload
def client(service: Literal["s3"], config: AwsConfig) -> S3Client: ...
@overload
def client(service: Literal["sagemaker"], config: AwsConfig) -> SageMakerClient: ...
@overload
def client(service: Literal["service-quotas"], config: AwsConfig) -> ServiceQuotasClient: ...
@overload
def client(service: Literal["sts"], config: AwsConfig) -> STSClient: ...
def client(service: Any, config: AwsConfig) -> Any:
    """Return a boto3 client of a service.

    Parameters
    ----------
    service : str
        Its name in boto3.
    config : AwsConfig
        Region, and the endpoint where one is set.

    Raises
    ------
    DependencyError
        If boto3 is not installed.
    ConfigError
        If no region is known.
    """
    try:
        import boto3
        from botocore.config import Config as BotoConfig
    except ImportError as error:
        raise DependencyError("AWS needs the package boto3.", f"Install it: {INSTALL}") from error
    # The region too is read from the profile, which may not exist.
    with translated(f"open {service}"):
        session = boto3.Session(region_name=config.region or None)
        region = session.region_name
    if not region:
        raise ConfigError("No AWS region is known.", "Set aws.region, or AWS_DEFAULT_REGION.")
    # Adaptive: a throttled client slows down by itself instead of failing.
    options = BotoConfig(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=10)
    with translated(f"open {service}"):
        return session.client(service, endpoint_url=config.endpoint_url or None, config=options)

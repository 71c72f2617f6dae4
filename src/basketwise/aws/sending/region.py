"""Bucket and jobs must lie in one region: found out before anything is sent."""

from __future__ import annotations

from typing import Any

from basketwise.aws.clients import translated
from basketwise.aws.names import AwsNames
from basketwise.errors import DependencyError

HEADER = "x-amz-bucket-region"


def require_region(s3: Any, names: AwsNames) -> None:
    """Refuse a bucket that jobs cannot read from; a server that tells no region is taken as it is.

    boto3 finds a bucket wherever it lies, and SageMaker refuses another region only when a job is
    started.

    Raises
    ------
    DependencyError
        If the bucket lies elsewhere, is not there, or may not be looked at.
    """
    with translated(f"look at s3://{names.bucket}"):
        answer = s3.head_bucket(Bucket=names.bucket)
    found = answer["ResponseMetadata"]["HTTPHeaders"].get(HEADER, "")
    if found and found != names.region:
        raise DependencyError(
            f"The bucket {names.bucket} lies in {found}, the jobs would run in {names.region}.",
            f"Set aws.region to {found}, or choose a bucket in {names.region}.",
        )

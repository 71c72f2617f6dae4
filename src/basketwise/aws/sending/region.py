"""The bucket must be there, in the region of the jobs: found out before anything is sent."""

from __future__ import annotations

from typing import Any

from basketwise.aws.clients import NO_BUCKET, code_of, hint_for, translated
from basketwise.aws.names import AwsNames
from basketwise.errors import DependencyError

HEADER = "x-amz-bucket-region"
NOT_THERE = "404"


def require_bucket(s3: Any, names: AwsNames) -> None:
    """Refuse a bucket that jobs cannot read from; a server that tells no region is taken as it is.

    boto3 finds a bucket wherever it lies, and SageMaker refuses another region only when a job is
    started.

    Raises
    ------
    DependencyError
        If the bucket is not there, lies elsewhere, or may not be looked at.
    """
    from botocore.exceptions import ClientError

    with translated(f"look at s3://{names.bucket}"):
        try:
            answer = s3.head_bucket(Bucket=names.bucket)
        except ClientError as error:
            # An answer without a body: S3 says no more than that.
            if code_of(error) == NOT_THERE:
                raise DependencyError(
                    f"There is no bucket {names.bucket}.", hint_for(next(iter(NO_BUCKET)))
                ) from error
            raise
    found = answer["ResponseMetadata"]["HTTPHeaders"].get(HEADER, "")
    if found and found != names.region:
        raise DependencyError(
            f"The bucket {names.bucket} lies in {found}, the jobs would run in {names.region}.",
            f"Set aws.region to {found}, or choose a bucket in {names.region}.",
        )

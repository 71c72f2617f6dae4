"""A bucket that jobs cannot read from is found out before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from basketwise.aws.uploads.raw import require_bucket
from basketwise.errors import DependencyError
from tests.aws.calls import NAMES
from tests.seaweed import READER_KEY, S3Server


def region_header(region: str) -> Any:
    """Let S3 say in its answer where the bucket lies, as AWS does."""

    def tell(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] = region

    return tell


@pytest.mark.parametrize("region", ["", NAMES.region])
def test_a_bucket_in_the_region_of_the_jobs_will_do(s3_server: S3Server, region: str) -> None:
    s3 = s3_server.client()
    if region:
        s3.meta.events.register("after-call.s3.HeadBucket", region_header(region))
    require_bucket(s3, replace(NAMES, bucket=s3_server.bucket))


def test_a_bucket_in_another_region_is_refused(s3_server: S3Server) -> None:
    s3 = s3_server.client()
    s3.meta.events.register("after-call.s3.HeadBucket", region_header("us-west-2"))
    with pytest.raises(DependencyError, match="is in us-west-2, the jobs would run in") as caught:
        require_bucket(s3, replace(NAMES, bucket=s3_server.bucket))
    assert "Set aws.region to us-west-2" in caught.value.hint


def test_a_missing_bucket_is_named(s3_server: S3Server) -> None:
    with pytest.raises(DependencyError, match="There is no bucket nobody-has-this") as caught:
        require_bucket(s3_server.client(), replace(NAMES, bucket="nobody-has-this"))
    assert "basketwise aws provision" in caught.value.hint


def test_read_permission_is_enough_to_list(s3_server: S3Server) -> None:
    import boto3

    session = boto3.Session(READER_KEY, s3_server.secret_key, region_name=NAMES.region)
    s3 = session.client("s3", endpoint_url=s3_server.endpoint_url)
    require_bucket(s3, replace(NAMES, bucket=s3_server.bucket))

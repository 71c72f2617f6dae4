"""A whole account on this machine: the double for SageMaker and others, SeaweedFS for S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from basketwise.aws.names import AwsNames, names_of
from basketwise.config import Config
from tests.aws.double.account import Account
from tests.aws.double.jobs import Jobs
from tests.aws.double.service import Service, served
from tests.fakes.model_registry import ACCOUNT, REGION, ModelRegistryDouble
from tests.seaweed import S3Server

SERVICES = (
    *("SAGEMAKER", "CLOUDWATCH_LOGS", "STS", "IAM", "SERVICE_QUOTAS"),
    *("CLOUDWATCH", "APPLICATION_AUTO_SCALING"),
)
ROLE = "mlops-retail-prediction-dev-sagemaker-execution"


@dataclass(frozen=True)
class Cloud:
    """An account, and a workspace in it that nobody else uses.

    Attributes
    ----------
    workspace
        ``s3://bucket/prefix``.
    names
        What everything is called there.
    """

    service: Service
    jobs: Jobs
    registry: ModelRegistryDouble
    account: Account
    s3: Any
    names: AwsNames
    workspace: str

    def keys(self, *parts: str) -> list[str]:
        """List what is below a folder of the workspace, relative to the workspace."""
        prefix = self.names.key(*parts)
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.names.bucket, Prefix=prefix
        )
        result = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key.removeprefix(f"{self.names.prefix}/") for key in result]

    def read(self, *parts: str) -> bytes:
        """Return an object of the workspace."""
        result = self.s3.get_object(Bucket=self.names.bucket, Key=self.names.key(*parts))
        data: bytes = result["Body"].read()
        return data


@contextmanager
def running_cloud(server: S3Server, folder: Path, *more: object) -> Iterator[Cloud]:
    """Run it while the block lasts, and lead every boto3 client of this process to it.

    Parameters
    ----------
    server
        Of S3.
    folder
        For the jobs, and for caches.
    *more
        Further parts of the double.
    """
    s3, prefix = server.client(), server.new_prefix()
    workspace = f"s3://{server.bucket}/{prefix}"
    jobs, registry, account = Jobs(folder / "jobs", s3), ModelRegistryDouble(), Account(ROLE)
    names = names_of(Config(), account_id=ACCOUNT, region=REGION, workspace=workspace)
    service = Service([jobs, registry, account, *more], server.bucket)
    with served(service):
        environment = {
            **server.environment,
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            **{f"AWS_ENDPOINT_URL_{name}": service.endpoint_url for name in SERVICES},
            "XDG_CACHE_HOME": str(folder / "cache"),
            "BASKETWISE_AWS__POLL_SECONDS": "0.1",
        }
        with mock.patch.dict("os.environ", environment):
            yield Cloud(service, jobs, registry, account, s3, names, workspace)

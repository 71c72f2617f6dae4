"""A made-up AWS account in this process, as far as moto knows AWS."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws
from moto.sagemaker.models import sagemaker_backends

from basketwise.aws.account import provisioning
from basketwise.aws.account.existing import Clients
from basketwise.aws.account.stacks import Changed
from basketwise.aws.account.template import owner_tag
from basketwise.aws.images import prebuilt_image
from basketwise.aws.names import AwsNames
from basketwise.aws.registry.calls import group_exists
from basketwise.config import AwsConfig
from tests.aws.calls import ACCOUNT, NAMES

REGION = NAMES.region
IMAGE = prebuilt_image(REGION)
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "MOTO_ACCOUNT_ID": ACCOUNT,
}


@dataclass(frozen=True)
class Account:
    """Clients of the account."""

    cloudformation: Any
    iam: Any
    s3: Any
    sagemaker: Any

    @property
    def clients(self) -> Clients:
        """What provisioning takes."""
        return Clients(self.cloudformation, self.iam, self.s3, self.sagemaker)

    def provision(
        self,
        schedule: str | None = None,
        names: AwsNames = NAMES,
        aws: AwsConfig | None = None,
        report: Callable[[str], None] = lambda _: None,
        notify: str = "",
    ) -> Changed:
        """Make the stack, and what moto does not make with it."""
        result = provisioning.provision(
            self.clients,
            names,
            IMAGE,
            confirm=lambda _: True,
            report=report,
            schedule=schedule,
            aws=(aws or AwsConfig()).model_copy(update={"notify": notify}) if notify else aws,
        )
        if result.applied:
            if not group_exists(self.sagemaker, names.group):
                self.sagemaker.create_model_package_group(
                    ModelPackageGroupName=names.group, Tags=[owner_tag(names)]
                )
            self.s3.put_bucket_versioning(
                Bucket=names.bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        return result

    def buckets(self) -> list[str]:
        return [item["Name"] for item in self.s3.list_buckets()["Buckets"]]

    def roles(self) -> list[str]:
        return sorted(item["RoleName"] for item in self.iam.list_roles()["Roles"])

    def role_policy(self, role: str) -> dict[str, Any]:
        """Return all inline policies of a role as one, all references resolved."""
        statements = []
        for name in self.iam.list_role_policies(RoleName=role)["PolicyNames"]:
            result = self.iam.get_role_policy(RoleName=role, PolicyName=name)
            document = result["PolicyDocument"]
            # AWS sends JSON, which botocore reads; moto sends what Python shows of a dict.
            if isinstance(document, str):
                document = ast.literal_eval(document)
            # moto leaves a gap where AWS leaves an item out.
            statements += [statement for statement in document["Statement"] if statement]
        return {"Version": "2012-10-17", "Statement": statements}


@contextmanager
def account() -> Iterator[Account]:
    """Give an empty account."""
    with mock.patch.dict("os.environ", ENVIRONMENT), warnings.catch_warnings(), mock_aws():
        # moto knows no bucket policies, model package groups and schedules in a stack.
        warnings.filterwarnings("ignore", message="Tried to parse AWS::", category=UserWarning)
        yield Account(*map(client_of, ("cloudformation", "iam", "s3", "sagemaker")))


@cache
def client_of(service: str) -> Any:
    """Return the client of a service: made once, since that takes longer than a test."""
    boto_client: Any = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
    return complete(boto_client) if service == "sagemaker" else boto_client


def complete(sagemaker: Any) -> Any:
    """Teach a client the removals that moto lacks; returns the client."""
    events = sagemaker.meta.events
    events.register("before-call.sagemaker.DeleteModelPackage", _delete_package)
    events.register("before-call.sagemaker.DeleteModelPackageGroup", _delete_group)
    return sagemaker


def _delete_package(params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    arn = json.loads(params["body"])["ModelPackageName"]
    return _answer(sagemaker_backends[ACCOUNT][REGION].model_packages.pop(arn, None))


def _delete_group(params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    name = json.loads(params["body"])["ModelPackageGroupName"]
    backend = sagemaker_backends[ACCOUNT][REGION]
    assert not any(
        item.model_package_group_name == name for item in backend.model_packages.values()
    )
    return _answer(backend.model_package_groups.pop(name, None))


def _answer(removed: object) -> tuple[AWSResponse, dict[str, Any]]:
    if removed is not None:
        return AWSResponse("", 200, HTTPHeaders(), None), {}
    error = {"Code": "ValidationException", "Message": "It does not exist."}
    return AWSResponse("", 400, HTTPHeaders(), None), {"Error": error}

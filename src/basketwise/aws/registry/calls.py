"""Calls to SageMaker Model Registry, with Basketwise's errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.registry.ledger import Approval
from basketwise.registry.protocol import ApprovalState

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

PAGE = 100


@dataclass(frozen=True)
class Listed:
    """A version as SageMaker lists it; ``status`` is None if the list does not say it."""

    version: str
    created: datetime
    arn: str
    status: ApprovalState | None


def group_exists(sagemaker: SageMakerClient, group: str) -> bool:
    """Whether a model package group of that name exists."""
    describe_group = partial(sagemaker.describe_model_package_group, ModelPackageGroupName=group)
    return call(f"describe the group {group}", describe_group, Meaning.MISSING) is not None


def create_group(sagemaker: SageMakerClient, request: Mapping[str, Any]) -> None:
    """Create a model package group, unless somebody else has created it meanwhile."""
    call(
        f"create the model package group {request['ModelPackageGroupName']}",
        lambda: sagemaker.create_model_package_group(**request),
        Meaning.EXISTS,
    )


def create_package(sagemaker: SageMakerClient, request: Mapping[str, Any]) -> str:
    """Create a version and return its ARN."""
    with translated(f"register a version of {request['ModelPackageGroupName']}"):
        return str(sagemaker.create_model_package(**request)["ModelPackageArn"])


def listed_packages(sagemaker: SageMakerClient, group: str) -> list[Listed]:
    """List a group's versions, newest first; a group that does not exist has none."""

    def read() -> list[Listed]:
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, PaginationConfig={"PageSize": PAGE}
        )
        return [
            listed(package)
            for page in pages
            for package in page["ModelPackageSummaryList"]
            if package["ModelPackageStatus"] != "Deleting"
        ]

    return call(f"list the versions of {group}", read, Meaning.MISSING) or []


def listed(package: Mapping[str, Any]) -> Listed:
    """Return what a list, or a description, says of a version."""
    arn, status = package["ModelPackageArn"], package.get("ModelApprovalStatus")
    return Listed(
        version=arn.rpartition("/")[2],
        created=package["CreationTime"].astimezone(UTC),
        arn=arn,
        status=ApprovalState(status) if status else None,
    )


def describe(sagemaker: SageMakerClient, arn: str) -> Mapping[str, Any] | None:
    """Return SageMaker's description of a version, None if there is none."""
    request = partial(sagemaker.describe_model_package, ModelPackageName=arn)
    return call(f"describe {arn}", request, Meaning.MISSING)


def set_status(sagemaker: SageMakerClient, arn: str, state: ApprovalState, comment: str) -> None:
    """Set the status and the comment that SageMaker shows."""
    with translated(f"set {arn} to {state}"):
        sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=state.value, ApprovalDescription=comment
        )


def approval_of(package: Mapping[str, Any]) -> Approval:
    """Return the approval of a described version, as SageMaker shows it."""
    changed: datetime = package.get("LastModifiedTime") or package["CreationTime"]
    return Approval(
        status=ApprovalState(package.get("ModelApprovalStatus", ApprovalState.PENDING)),
        comment=package.get("ApprovalDescription", ""),
        at=changed.astimezone(UTC),
        who=user_of(package.get("LastModifiedBy")),
    )


def user_of(context: Mapping[str, Any] | None) -> str:
    """Return whom a description names: a profile of Studio, or an identity's ARN; else ""."""
    user = context or {}
    return str(user.get("UserProfileName") or (user.get("IamIdentity") or {}).get("Arn", ""))


def archive_and_image(package: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the URIs of a described version's archive ("" if unknown) and image."""
    container = (package.get("InferenceSpecification", {}).get("Containers") or [{}])[0]
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return str(container.get("ModelDataUrl") or source.get("S3Uri", "")), container.get("Image")


def metrics_url(package: Mapping[str, Any]) -> str:
    """Return the URI of a described version's metrics; empty if it has none."""
    statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    return str(statistics.get("S3Uri", ""))

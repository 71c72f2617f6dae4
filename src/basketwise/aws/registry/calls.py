"""The calls to SageMaker Model Registry, with our errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from basketwise.aws.clients import translated
from basketwise.aws.registry.ledger import Shown
from basketwise.registry.protocol import ApprovalState

PAGE = 100


def group_is_there(sagemaker: Any, group: str) -> bool:
    """Whether there is a model package group of that name."""
    with translated(f"look at the model package group {group}"):
        try:
            sagemaker.describe_model_package_group(ModelPackageGroupName=group)
        except sagemaker.exceptions.ClientError as error:
            if not _says(error, "does not exist"):
                raise
            return False
    return True


def make_group(sagemaker: Any, request: Mapping[str, Any]) -> None:
    """Make a model package group, unless somebody else made it meanwhile."""
    with translated(f"make the model package group {request['ModelPackageGroupName']}"):
        try:
            sagemaker.create_model_package_group(**request)
        except sagemaker.exceptions.ClientError as error:
            if not _says(error, "already exists"):
                raise


def make_package(sagemaker: Any, request: Mapping[str, Any]) -> str:
    """Make a version and return its ARN."""
    with translated(f"register a version of {request['ModelPackageGroupName']}"):
        return str(sagemaker.create_model_package(**request)["ModelPackageArn"])


def package_arns(sagemaker: Any, group: str) -> list[str]:
    """List the ARNs of a group's versions; a group that is not there has none."""
    with translated(f"list the versions of {group}"):
        try:
            pages = sagemaker.get_paginator("list_model_packages").paginate(
                ModelPackageGroupName=group, PaginationConfig={"PageSize": PAGE}
            )
            return [
                found["ModelPackageArn"]
                for page in pages
                for found in page["ModelPackageSummaryList"]
                if found["ModelPackageStatus"] != "Deleting"
            ]
        except sagemaker.exceptions.ClientError as error:
            if not _says(error, "does not exist"):
                raise
            return []


def describe(sagemaker: Any, arn: str) -> dict[str, Any]:
    """Return all that SageMaker knows of a version."""
    with translated(f"look at {arn}"):
        found: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
        return found


def show(sagemaker: Any, arn: str, state: ApprovalState, comment: str) -> None:
    """Set the status and the comment that SageMaker shows."""
    with translated(f"set {arn} to {state}"):
        sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=str(state), ApprovalDescription=comment
        )


def shown(package: Mapping[str, Any]) -> Shown:
    """Return what SageMaker shows of a described version's approval."""
    by: Mapping[str, Any] = package.get("LastModifiedBy") or {}
    changed: datetime = package.get("LastModifiedTime") or package["CreationTime"]
    return Shown(
        status=ApprovalState(package.get("ModelApprovalStatus", ApprovalState.PENDING)),
        comment=package.get("ApprovalDescription", ""),
        at=changed.astimezone(UTC),
        who=by.get("UserProfileName") or by.get("IamIdentity", {}).get("Arn", ""),
    )


def model_data_url(package: Mapping[str, Any]) -> str:
    """Return where a described version's archive lies; empty if SageMaker does not say."""
    containers = package.get("InferenceSpecification", {}).get("Containers") or [{}]
    source = containers[0].get("ModelDataSource", {}).get("S3DataSource", {})
    return str(containers[0].get("ModelDataUrl") or source.get("S3Uri", ""))


def image_uri(package: Mapping[str, Any]) -> str | None:
    """Return the image that serves a described version; None if SageMaker does not say."""
    containers = package.get("InferenceSpecification", {}).get("Containers") or [{}]
    found: str | None = containers[0].get("Image")
    return found


def metrics_url(package: Mapping[str, Any]) -> str:
    """Return where a described version's metrics lie; empty if it has none."""
    statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    return str(statistics.get("S3Uri", ""))


def _says(error: Any, piece: str) -> bool:
    # SageMaker answers ValidationException to all of these; only the words differ.
    return piece in str(error.response.get("Error", {}).get("Message", "")).lower()

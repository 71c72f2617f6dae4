"""Removal of a project from AWS; of its data only after a second confirmation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from basketwise.aws.account.stacks import remove
from basketwise.aws.account.template import owner_tag, role_name, stack_name
from basketwise.aws.errors import Meaning, call, meaning_of, translated
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


def destroy(
    cloudformation: CloudFormationClient,
    iam: IAMClient,
    sagemaker: SageMakerClient,
    names: AwsNames,
    report: Callable[[str], None],
) -> list[str]:
    """Remove pipeline, role and schedule; return what was removed. Bucket and versions are kept.

    A role that was adopted is kept too, and reported.
    """
    removed = []
    pipeline, stack = pipeline_name(names), stack_name(names)
    if _removed(
        f"remove the pipeline {pipeline}",
        lambda: sagemaker.delete_pipeline(PipelineName=pipeline, ClientRequestToken=uuid4().hex),
    ):
        removed.append(f"pipeline {pipeline}")
    report(f"Removing the stack {stack}.")
    if remove(cloudformation, stack):
        removed.append(f"stack {stack}")
    return removed + _remove_role(iam, names, report)


def _remove_role(iam: IAMClient, names: AwsNames, report: Callable[[str], None]) -> list[str]:
    """Remove the execution role, which the stack leaves behind, if a stack created it."""
    name = role_name(names)
    read = partial(iam.get_role, RoleName=name)
    answer = call(f"read the role {name}", read, Meaning.MISSING)
    if answer is None:
        return []
    if owner_tag(names) not in answer["Role"].get("Tags", []):
        report(
            f"The role {name} was there before 'basketwise aws provision', and is kept, with the "
            "policies 'jobs' and 'pipeline'."
        )
        return []
    with translated(f"remove the role {name}"):
        pages = iam.get_paginator("list_role_policies").paginate(RoleName=name)
        for policy in [policy for page in pages for policy in page["PolicyNames"]]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
    return (
        [f"role {name}"]
        if _removed(f"remove the role {name}", partial(iam.delete_role, RoleName=name))
        else []
    )


def require_ownership(
    s3: S3Client, sagemaker: SageMakerClient, names: AwsNames, confirmed: str
) -> None:
    """Refuse to delete data unless the bucket's name is confirmed and Basketwise created all of it.

    The stack's tag on bucket and group shows that.
    """
    if confirmed != names.bucket:
        raise ConfigError(
            f"Nothing was deleted: {confirmed!r} is not the bucket's name.",
            f"To delete all data, repeat the name: --delete-data --confirm {names.bucket}",
        )
    tag = owner_tag(names)
    read_tags = partial(_tags_of_bucket, s3, names.bucket)
    bucket_tags = call(f"read the tags of s3://{names.bucket}", read_tags, Meaning.NO_BUCKET)
    read_group_tags = partial(_tags_of_group, sagemaker, names.group)
    group_tags = call(f"read the tags of {names.group}", read_group_tags, Meaning.MISSING)
    tags_by_name = {f"s3://{names.bucket}": bucket_tags, f"The group {names.group}": group_tags}
    for what, tags in tags_by_name.items():
        if tags is not None and tag not in tags:
            raise ConfigError(
                f"Nothing was deleted: {what} was not created by 'basketwise aws provision'.",
                f"It lacks the tag {tag['Key']}={tag['Value']}; delete it by hand if it is yours.",
            )


def delete_data(
    s3: S3Client,
    sagemaker: SageMakerClient,
    names: AwsNames,
    confirmed: str,
    report: Callable[[str], None],
) -> list[str]:
    """Delete all model versions and every version of every object, then group and bucket.

    If AWS refuses, the same call continues with what is left.
    """
    require_ownership(s3, sagemaker, names, confirmed)
    deleted = []
    empty = partial(_empty_group, sagemaker, names.group)
    versions = call(f"delete the versions of {names.group}", empty, Meaning.MISSING)
    if versions is not None and _removed(
        f"delete the group {names.group}",
        lambda: sagemaker.delete_model_package_group(ModelPackageGroupName=names.group),
    ):
        deleted.append(f"model package group {names.group} ({versions} versions)")
    report(f"Emptying s3://{names.bucket}.")
    objects = call(
        f"empty s3://{names.bucket}", lambda: _empty_bucket(s3, names.bucket), Meaning.NO_BUCKET
    )
    if objects is not None and _removed(
        f"delete s3://{names.bucket}", lambda: s3.delete_bucket(Bucket=names.bucket)
    ):
        deleted.append(f"bucket {names.bucket} ({objects} object versions)")
    return deleted


def _tags_of_bucket(s3: S3Client, bucket: str) -> Sequence[Mapping[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        return s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as error:
        if meaning_of(error) is not Meaning.NO_KEY:
            raise
        return []


def _tags_of_group(sagemaker: SageMakerClient, group: str) -> Sequence[Mapping[str, Any]]:
    described = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    return sagemaker.list_tags(ResourceArn=described["ModelPackageGroupArn"])["Tags"]


def _empty_group(sagemaker: SageMakerClient, group: str) -> int:
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
    for arn in arns:
        sagemaker.delete_model_package(ModelPackageName=arn)
    return len(arns)


def _empty_bucket(s3: S3Client, bucket: str) -> int:
    count = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not entries:
            continue
        objects: Any = [{key: entry[key] for key in ("Key", "VersionId")} for entry in entries]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if failed := answer.get("Errors"):
            raise DependencyError(
                f"s3://{bucket}/{failed[0]['Key']} could not be deleted "
                f"({failed[0].get('Code')}), and {len(failed) - 1} more.",
                "Fix the permission, then run the same command again; it continues.",
            )
        count += len(entries)
    return count


def _removed(action: str, request: Callable[[], Any]) -> bool:
    """Make a request that removes something; return False if it did not exist."""
    return call(action, request, Meaning.MISSING, Meaning.NO_BUCKET) is not None

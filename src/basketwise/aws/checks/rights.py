"""The permissions that the role of the jobs needs, checked with IAM's simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from basketwise.aws.account.statements import PASSED_TO, actions
from basketwise.aws.errors import translated
from basketwise.aws.images import image_of, repository_arn, spark_image
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import FOLDER
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from basketwise.errors import ConfigError
from basketwise.storage.scheme import OWN

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

FIX = (
    "'basketwise aws provision' creates a role with all of them; "
    "for a role of your own, allow these actions on these resources."
)

WRITTEN = ("silver", "gold", "artifacts", "checkpoints")
"""Folders of the workspace that jobs write."""

KINDS = ("Processing", "Training")


class Need(NamedTuple):
    """Actions that the role must be allowed: on a resource, in a request with condition keys.

    ``by_pipeline``: only the pipeline does it; jobs run without.
    """

    actions: str
    resource: str
    context: Mapping[str, str] = {}
    by_pipeline: bool = False


def needs(names: AwsNames, repositories: Sequence[str], aws: AwsConfig | None = None) -> list[Need]:
    """Return the permissions of the execution role, which are those of the template's role.

    The ``repositories`` of the images are given by their ARNs; ``aws`` says whether ETL runs on
    Spark, in which VPC, with which key.
    """
    aws = aws or AwsConfig()
    logs = [names.arn_of("logs", f"log-group:/aws/sagemaker/{kind}Jobs") for kind in KINDS]
    bucket = names.arn_of("s3", names.bucket)
    group = names.arn(f"model-package-group/{names.group}")
    version = names.arn(f"model-package/{names.group}/1")
    transit = names.key(OWN, "spark/doctor")
    image = "ecr:BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer"
    pipeline = [
        ("s3:PutObject", f"{bucket}/{names.key(FOLDER, 'doctor')}"),
        *(
            (
                f"sagemaker:AddTags Create{kind}Job Describe{kind}Job Stop{kind}Job",
                names.arn(f"{kind.lower()}-job/pipelines-doctor"),
            )
            for kind in KINDS
        ),
        ("sagemaker:DescribeModelPackageGroup", group),
        ("sagemaker:AddTags CreateModelPackage DescribeModelPackage", version),
    ]
    return [
        Need("s3:ListBucket", bucket),
        Need("s3:GetObject", f"{bucket}/{names.key('raw', 'doctor')}"),
        *(Need("s3:PutObject", f"{bucket}/{names.key(name, 'doctor')}") for name in WRITTEN),
        *(Need("logs:CreateLogGroup CreateLogStream DescribeLogStreams", log) for log in logs),
        *(Need("logs:PutLogEvents", f"{log}:log-stream:doctor/algo-1") for log in logs),
        Need(
            "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}
        ),
        Need("ecr:GetAuthorizationToken", "*"),
        *(Need(image, repository) for repository in repositories),
        *([Need("s3:DeleteObject PutObject", f"{bucket}/{transit}")] if aws.etl == "spark" else []),
        *_of_key(aws.kms_key),
        *_of_network(names, aws),
        *(Need(actions, resource, by_pipeline=True) for actions, resource in pipeline),
        Need("iam:PassRole", names.role_arn, {PASSED_TO: "sagemaker.amazonaws.com"}, True),
    ]


def _of_key(key: str) -> list[Need]:
    """Return what encrypting outputs and volumes takes."""
    if not key:
        return []
    used = (
        "kms:Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext "
        "ReEncryptFrom ReEncryptTo"
    )
    return [
        Need(used, key),
        Need("kms:CreateGrant", key, {"kms:GrantIsForAWSResource": "true"}),
    ]


def _of_network(names: AwsNames, aws: AwsConfig) -> list[Need]:
    """Return what interfaces in a VPC take."""
    if not aws.subnets:
        return []
    interface = "ec2:{0}NetworkInterface {0}NetworkInterfacePermission"
    read = "DhcpOptions NetworkInterfaces SecurityGroups Subnets Vpcs"
    parts = [f"subnet/{name}" for name in aws.subnets]
    parts += [f"security-group/{name}" for name in aws.security_groups]
    return [
        *(
            Need(interface.format(verb), names.arn_of("ec2", "network-interface/doctor"))
            for verb in ("Create", "Delete")
        ),
        *(Need("ec2:CreateNetworkInterface", names.arn_of("ec2", part)) for part in parts),
        Need(" ".join(f"ec2:Describe{what}" for what in read.split()), "*"),
    ]


def rights(iam: IAMClient, config: Config, names: AwsNames) -> Check:
    """Check with IAM which permissions the role lacks."""
    repositories: list[str] = []
    # An image that no job can pull has a check of its own.
    with suppress(ConfigError):
        repositories.append(repository_arn(image_of(config.aws, names.region)))
        if config.aws.etl == "spark":
            repositories.append(repository_arn(spark_image(config.aws, names.region)))
    jobs: list[str] = []
    pipeline: list[str] = []
    unknown: list[str] = []
    for need in needs(names, repositories, config.aws):
        is_foreign = need.resource in repositories and names.account_id not in need.resource
        for result in _simulated(iam, names.role_arn, need):
            own_allows = own_policies_allow(result) if is_foreign else False
            if result["EvalDecision"] == "allowed" or own_allows:
                continue
            lacking = unknown if own_allows is None else pipeline if need.by_pipeline else jobs
            lacking.append(f"{result['EvalActionName']} on {need.resource}")
    if jobs:
        text = f"The role lacks permissions: {', '.join(jobs + pipeline)}."
        return Check("rights", "failed", text, FIX, 3)
    if pipeline:
        text = "The role lacks permissions that only the pipeline needs: "
        return Check("rights", "warning", f"{text}{', '.join(pipeline)}.", FIX)
    if unknown:
        text = f"IAM cannot tell whether the role has these permissions: {', '.join(unknown)}."
        hint = "The image belongs to another account, which may allow it. The first job will show."
        return Check("rights", "warning", text, hint)
    return Check("rights", "ok", "the role has the permissions of jobs and pipeline")


def _simulated(iam: IAMClient, role_arn: str, need: Need) -> Sequence[Mapping[str, Any]]:
    context: list[ContextEntryTypeDef] = [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value],
            "ContextKeyType": "boolean" if value == "true" else "string",
        }
        for key, value in need.context.items()
    ]
    with translated(f"simulate the policies of {role_arn}"):
        # Every action is checked on every resource, so each kind of resource needs a request.
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=actions(need.actions),
            ResourceArns=[need.resource],
            ContextEntries=context,
        )
    return answer["EvaluationResults"]


def own_policies_allow(result: Mapping[str, Any]) -> bool | None:
    """Whether the role's own policies allow something in another account; None: unknown.

    The simulator does not know the policies of another account's resources, and counts that as
    a denial. Its details distinguish the two.

    Examples
    --------
    >>> own_policies_allow({"EvalDecisionDetails": {"IAM Policy": "allowed",
    ...                                             "Resource Policy": "implicitDeny"}})
    True
    """
    decisions: dict[str, str] = dict(result.get("EvalDecisionDetails") or {})
    for of_resource in result.get("ResourceSpecificResults") or ():
        decisions |= of_resource.get("EvalDecisionDetails") or {}
    own_allows = {decision for source, decision in decisions.items() if "iam" in source.lower()}
    return own_allows == {"allowed"} if own_allows else None

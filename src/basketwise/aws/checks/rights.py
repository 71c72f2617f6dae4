"""What the role of the jobs must be allowed, and whether it is: IAM's simulator says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from basketwise.aws.account.policies import PASSED_TO, actions
from basketwise.aws.account.provisioning import repository_arn
from basketwise.aws.errors import translated
from basketwise.aws.images import image_of
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import FOLDER
from basketwise.config import Config
from basketwise.doctor.check import Check
from basketwise.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

FIX = (
    "'basketwise aws provision' makes a role that may do all of it; "
    "of a role of your own, allow these actions on these resources."
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


def needs(names: AwsNames, repository: str) -> list[Need]:
    """Return what is done under the execution role: all that the template's role is allowed.

    The ``repository`` of the image is given by its ARN; empty, it is left out.
    """
    logs = [names.arn_of("logs", f"log-group:/aws/sagemaker/{kind}Jobs") for kind in KINDS]
    bucket = names.arn_of("s3", names.bucket)
    group = names.arn(f"model-package-group/{names.group}")
    version = names.arn(f"model-package/{names.group}/1")
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
        *([Need(image, repository)] if repository else []),
        *(Need(actions, resource, by_pipeline=True) for actions, resource in pipeline),
        Need("iam:PassRole", names.role_arn, {PASSED_TO: "sagemaker.amazonaws.com"}, True),
    ]


def rights(iam: IAMClient, config: Config, names: AwsNames) -> Check:
    """Have IAM work out what the role may not do."""
    repository = ""
    # An image that no job can pull is a check of its own.
    with suppress(ConfigError):
        repository = repository_arn(image_of(config.aws, names.region))
    jobs: list[str] = []
    pipeline: list[str] = []
    abroad: list[str] = []
    for need in needs(names, repository):
        foreign = need.resource == repository and names.account_id not in repository
        for result in _simulated(iam, names.role_arn, need):
            own = own_policies_allow(result) if foreign else False
            if result["EvalDecision"] == "allowed" or own:
                continue
            told = abroad if own is None else pipeline if need.by_pipeline else jobs
            told.append(f"{result['EvalActionName']} on {need.resource}")
    if jobs:
        text = f"The role may not: {', '.join(jobs + pipeline)}."
        return Check("rights", "failed", text, FIX, 3)
    if pipeline:
        text = "The role may do what jobs do; what only the pipeline does, not: "
        return Check("rights", "warning", f"{text}{', '.join(pipeline)}.", FIX)
    if abroad:
        text = f"IAM does not say whether the role may: {', '.join(abroad)}."
        hint = "The image belongs to another account, which may allow it. The first job shows it."
        return Check("rights", "warning", text, hint)
    return Check("rights", "ok", "the role may do what jobs and pipeline do")


def _simulated(iam: IAMClient, role_arn: str, need: Need) -> Sequence[Mapping[str, Any]]:
    context: list[ContextEntryTypeDef] = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in need.context.items()
    ]
    with translated(f"simulate the policies of {role_arn}"):
        # Every action is judged on every resource, so each kind of resource is asked about apart.
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=actions(need.actions),
            ResourceArns=[need.resource],
            ContextEntries=context,
        )
    return answer["EvaluationResults"]


def own_policies_allow(result: Mapping[str, Any]) -> bool | None:
    """Whether the role's own policies allow something in another account; None: not told.

    The simulator does not know the policies of another account's resources, and counts that as
    a refusal. Its details tell the two apart.

    Examples
    --------
    >>> own_policies_allow({"EvalDecisionDetails": {"IAM Policy": "allowed",
    ...                                             "Resource Policy": "implicitDeny"}})
    True
    """
    told: dict[str, str] = dict(result.get("EvalDecisionDetails") or {})
    for of_resource in result.get("ResourceSpecificResults") or ():
        told |= of_resource.get("EvalDecisionDetails") or {}
    own = {decision for source, decision in told.items() if "iam" in source.lower()}
    return own == {"allowed"} if own else None

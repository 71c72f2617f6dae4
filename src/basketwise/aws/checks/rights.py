"""What the role of the jobs must be allowed, and whether it is: IAM's simulator says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from basketwise.aws.account.provisioning import repository_arn
from basketwise.aws.errors import translated
from basketwise.aws.images import image_of
from basketwise.aws.names import AwsNames
from basketwise.config import Config
from basketwise.doctor.check import Check
from basketwise.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

FIX = (
    "'basketwise aws provision' makes a role that may all of it; "
    "of a role of your own, allow these actions on these resources."
)


WRITTEN = ("silver", "gold", "artifacts", "checkpoints")
"""Folders of the workspace that jobs write."""

WRITTEN_BY_PIPELINE = "pipelines"

LOG_GROUPS = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")


@dataclass(frozen=True)
class Need:
    """Actions on one resource that the role must be allowed.

    Attributes
    ----------
    actions
        With blanks between them.
    context
        Condition keys of such a request.
    by_pipeline
        Whether only the pipeline does it; jobs run without.
    """

    actions: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)
    by_pipeline: bool = False


def needs(names: AwsNames, repository: str) -> list[Need]:
    """Return what is done under the execution role: all that the template's role is allowed.

    Parameters
    ----------
    names : AwsNames
        What everything is called.
    repository : str
        ARN of the image's repository; empty: not known, and left out.
    """
    logs = [names.arn_of("logs", f"log-group:{group}") for group in LOG_GROUPS]
    metrics = {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}
    bucket = names.arn_of("s3", names.bucket)
    group = names.arn(f"model-package-group/{names.group}")
    version = names.arn(f"model-package/{names.group}/1")
    image = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
    to_sagemaker = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    return [
        Need("s3:ListBucket", bucket),
        Need("s3:GetObject", f"{bucket}/{names.key('raw', 'doctor')}"),
        *(Need("s3:PutObject", f"{bucket}/{names.key(name, 'doctor')}") for name in WRITTEN),
        Need(
            "s3:PutObject",
            f"{bucket}/{names.key(WRITTEN_BY_PIPELINE, 'doctor')}",
            by_pipeline=True,
        ),
        *(
            Need("logs:CreateLogGroup logs:CreateLogStream logs:DescribeLogStreams", log)
            for log in logs
        ),
        *(Need("logs:PutLogEvents", f"{log}:log-stream:doctor/algo-1") for log in logs),
        Need("cloudwatch:PutMetricData", "*", metrics),
        Need("ecr:GetAuthorizationToken", "*"),
        *([Need(image, repository)] if repository else []),
        Need(
            "sagemaker:AddTags sagemaker:CreateProcessingJob sagemaker:DescribeProcessingJob "
            "sagemaker:StopProcessingJob",
            names.arn("processing-job/pipelines-doctor"),
            by_pipeline=True,
        ),
        Need(
            "sagemaker:AddTags sagemaker:CreateTrainingJob sagemaker:DescribeTrainingJob "
            "sagemaker:StopTrainingJob",
            names.arn("training-job/pipelines-doctor"),
            by_pipeline=True,
        ),
        Need("sagemaker:DescribeModelPackageGroup", group, by_pipeline=True),
        Need(
            "sagemaker:AddTags sagemaker:CreateModelPackage sagemaker:DescribeModelPackage",
            version,
            by_pipeline=True,
        ),
        Need("iam:PassRole", names.role_arn, to_sagemaker, by_pipeline=True),
    ]


def rights(iam: IAMClient, config: Config, names: AwsNames) -> Check:
    """Have IAM work out what the role may not do.

    Raises
    ------
    DependencyError
        If IAM refuses to say.
    """
    try:
        repository = repository_arn(image_of(config.aws, names.region))
    except ConfigError:
        # A finding of its own.
        repository = ""
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
        return Check("rights", "failed", _said("The role may not", jobs + pipeline), FIX, 3)
    if pipeline:
        text = _said("The role may do what jobs do; what only the pipeline does, not", pipeline)
        return Check("rights", "warning", text, FIX)
    if abroad:
        text = _said("IAM does not say whether the role may", abroad)
        hint = "The image belongs to another account, which may allow it. The first job shows it."
        return Check("rights", "warning", text, hint)
    return Check("rights", "ok", "the role may do what jobs and pipeline do")


def _simulated(iam: IAMClient, role_arn: str, need: Need) -> Sequence[Mapping[str, Any]]:
    context: list[ContextEntryTypeDef] = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in need.context.items()
    ]
    with translated(f"work out what {role_arn} may do"):
        # Every action is judged on every resource, so each kind of resource is asked about apart.
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=need.actions.split(),
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
    for one in result.get("ResourceSpecificResults") or ():
        told |= one.get("EvalDecisionDetails") or {}
    own = {decision for source, decision in told.items() if "iam" in source.lower()}
    return own == {"allowed"} if own else None


def _said(what: str, refused: list[str]) -> str:
    return f"{what}: {', '.join(refused)}."

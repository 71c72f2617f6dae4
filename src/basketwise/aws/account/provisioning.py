"""A project's resources on AWS, created and changed by one CloudFormation stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING

from basketwise.aws.account.stacks import Change, Changed, change, parameters_of
from basketwise.aws.names import AwsNames, partition
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

IMAGE = re.compile(
    r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9][a-z0-9._/-]*)(?:[:@].+)?"
)
"""Account, region and repository of an image in ECR."""


def template() -> str:
    """Return the CloudFormation template."""
    file = resources.files("basketwise.aws.account") / "template.yaml"
    return file.read_text(encoding="utf-8")


def stack_name(names: AwsNames) -> str:
    """Return the name of a project's stack: ``<project>-<environment>``."""
    return f"{names.project}-{names.environment}"


def owner_tag(names: AwsNames) -> dict[str, str]:
    """Return the tag that the stack gives to the bucket and the model package group."""
    return {"Key": "ManagedBy", "Value": f"basketwise/{stack_name(names)}"}


def repository_arn(image_uri: str) -> str:
    """Return the ARN of the ECR repository that an image is in.

    Raises ConfigError if it is elsewhere: SageMaker pulls from ECR only.

    Examples
    --------
    >>> repository_arn("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/basketwise:1")
    'arn:aws:ecr:eu-west-1:123456789012:repository/shop/basketwise'
    """
    image = IMAGE.fullmatch(image_uri)
    if image is None:
        raise ConfigError(
            f"{image_uri!r} is not in an ECR repository.",
            "Push the image to ECR and set aws.image_uri to "
            "<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>.",
        )
    account, region, repository = image.groups()
    return f"arn:{partition(region)}:ecr:{region}:{account}:repository/{repository}"


def provision(
    cloudformation: CloudFormationClient,
    names: AwsNames,
    image_uri: str,
    *,
    confirm: Callable[[tuple[Change, ...]], bool],
    report: Callable[[str], None],
    schedule: str | None = None,
    spark_image_uri: str = "",
    notify: str = "",
) -> Changed:
    """Create or change the stack, exactly as previewed, after confirmation.

    ``confirm`` is called with the changes, if there are any. The role may pull the images of
    ``image_uri`` and ``spark_image_uri`` (empty: none) and no other. ``schedule`` is ``cron(…)`` or
    ``rate(…)``, UTC; ``off`` for none; None: unchanged. ``notify`` is an e-mail address or the ARN
    of a topic that changes of versions are sent to; empty: none.

    Raises ConfigError if the schedule or the image cannot be used, DependencyError if AWS refuses
    or a change failed and all were rolled back.
    """
    stack = stack_name(names)
    if schedule is None:
        schedule = parameters_of(cloudformation, stack).get("Schedule", "")
    parameters = _parameters(names, image_uri, spark_image_uri or image_uri, schedule)
    is_topic = notify.startswith("arn:")
    parameters |= {
        "NotifyEmail": "" if is_topic else notify,
        "NotifyTopicArn": notify if is_topic else "",
    }
    return change(cloudformation, stack, template(), parameters, confirm, report)


def _parameters(
    names: AwsNames, image_uri: str, spark_image_uri: str, schedule: str
) -> dict[str, str]:
    expression = "" if schedule == "off" else schedule
    if expression and not re.fullmatch(r"(cron|rate)\(.+\)", expression):
        raise ConfigError(
            f"{schedule!r} is not a schedule.",
            "Give cron(0 4 ? * MON *), rate(7 days) or 'off'; times are UTC.",
        )
    return {
        "Project": names.project,
        "Environment": names.environment,
        "BucketName": names.bucket,
        "WorkspaceUri": names.uri().rstrip("/"),
        "WorkspacePrefix": f"{names.prefix}/" if names.prefix else "",
        "ModelPackageGroupName": names.group,
        "ImageRepositoryArn": repository_arn(image_uri),
        "SparkRepositoryArn": repository_arn(spark_image_uri),
        "PipelineName": pipeline_name(names),
        "Schedule": expression,
    }

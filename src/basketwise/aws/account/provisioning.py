"""What a project needs on AWS, made and changed by one CloudFormation stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from basketwise.aws.account.stacks import PATIENT, Change, Waiting, apply, proposed, values
from basketwise.aws.names import AwsNames, partition
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?P<china>\.cn)?"
    r"/(?P<repository>[a-z0-9][a-z0-9._/-]*)(?:[:@].+)?"
)
NEVER = "off"
"""What is said instead of a schedule to have none."""


@dataclass(frozen=True)
class Provisioned:
    """What was proposed, and whether it was done.

    Attributes
    ----------
    stack
        Name of the stack.
    changes
        In CloudFormation's order; empty if everything is as it should be.
    done
        Whether the changes were made; False if there were none, or nobody agreed to them.
    """

    stack: str
    changes: tuple[Change, ...]
    done: bool


def template() -> str:
    """Return the CloudFormation template, as text."""
    return (
        resources.files("basketwise.aws.account")
        .joinpath("template.yaml")
        .read_text(encoding="utf-8")
    )


def stack_name(names: AwsNames) -> str:
    """Return the name of a project's stack: ``<project>-<environment>``."""
    return f"{names.project}-{names.environment}"


def owner_tag(names: AwsNames) -> dict[str, str]:
    """Return the tag that bucket and model package group carry, once the stack has made them."""
    return {"Key": "ManagedBy", "Value": f"basketwise/{stack_name(names)}"}


def repository_arn(image_uri: str) -> str:
    """Return the ARN of the ECR repository that an image is in.

    Raises
    ------
    ConfigError
        If it lies elsewhere: SageMaker pulls from ECR only.

    Examples
    --------
    >>> repository_arn("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/basketwise:1")
    'arn:aws:ecr:eu-west-1:123456789012:repository/shop/basketwise'
    """
    found = IMAGE.fullmatch(image_uri)
    if found is None:
        raise ConfigError(
            f"{image_uri!r} is not in an ECR repository.",
            "Push the image to ECR and set aws.image_uri to "
            "<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>.",
        )
    place = f"{found['region']}:{found['account']}"
    return f"arn:{partition(found['region'])}:ecr:{place}:repository/{found['repository']}"


def preview(
    cloudformation: CloudFormationClient,
    names: AwsNames,
    image_uri: str,
    *,
    schedule: str | None = None,
    waiting: Waiting = PATIENT,
) -> tuple[Change, ...]:
    """Return what `provision` would change; nothing is changed.

    Parameters
    ----------
    cloudformation
        boto3's client.
    names : AwsNames
        What everything is called.
    image_uri : str
        Image that jobs run; the role may pull it and no other.
    schedule : str, optional
        ``cron(…)`` or ``rate(…)``, UTC; ``off`` for none; None: as it is now.
    waiting : Waiting
        How to wait.

    Raises
    ------
    ConfigError
        If the schedule or the image cannot be used.
    DependencyError
        If AWS refuses.
    """
    return provision(
        cloudformation,
        names,
        image_uri,
        schedule=schedule,
        agree=lambda _: False,
        tell=lambda _: None,
        waiting=waiting,
    ).changes


def provision(
    cloudformation: CloudFormationClient,
    names: AwsNames,
    image_uri: str,
    *,
    agree: Callable[[tuple[Change, ...]], bool],
    tell: Callable[[str], None],
    schedule: str | None = None,
    waiting: Waiting = PATIENT,
) -> Provisioned:
    """Make or change the stack, exactly as shown, once somebody has agreed.

    Parameters
    ----------
    cloudformation, names, image_uri, schedule, waiting
        See `preview`.
    agree
        Is shown the changes and says whether to make them; not asked if there are none.
    tell
        Takes lines about what is going on.

    Raises
    ------
    ConfigError
        If the schedule or the image cannot be used.
    DependencyError
        If AWS refuses, or a change failed and all were undone.
    """
    stack = stack_name(names)
    if schedule is None:
        schedule = values(cloudformation, stack).get("Schedule", "")
    with proposed(
        cloudformation, stack, template(), _parameters(names, image_uri, schedule), waiting
    ) as change_set:
        if not change_set.changes or not agree(change_set.changes):
            return Provisioned(stack, change_set.changes, done=False)
        apply(cloudformation, change_set, tell, waiting)
    return Provisioned(stack, change_set.changes, done=True)


def _parameters(names: AwsNames, image_uri: str, schedule: str) -> dict[str, str]:
    when = "" if schedule == NEVER else schedule
    if when and not re.fullmatch(r"(cron|rate)\(.+\)", when):
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
        "PipelineName": pipeline_name(names),
        "Schedule": when,
    }

"""A project's resources on AWS, created and changed by one CloudFormation stack."""

from __future__ import annotations

import re
from collections.abc import Callable

from basketwise.aws.account.adoption import missing_settings, notes, origins
from basketwise.aws.account.existing import Clients, existing_resources
from basketwise.aws.account.stacks import Change, Changed, change, parameters_of
from basketwise.aws.account.template import rendered, role_policies, shipped, stack_name
from basketwise.aws.images import repository_arn
from basketwise.aws.names import AwsNames, own_tags, partition
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError


def provision(
    clients: Clients,
    names: AwsNames,
    image_uri: str,
    *,
    confirm: Callable[[tuple[Change, ...]], bool],
    report: Callable[[str], None],
    schedule: str | None = None,
    spark_image_uri: str = "",
    aws: AwsConfig | None = None,
) -> Changed:
    """Create or change the stack, exactly as previewed, after confirmation.

    Bucket and role that exist already are adopted, and set as the template would have set them; a
    group that exists is used as it is.

    Parameters
    ----------
    clients, names
        Services and names.
    image_uri, spark_image_uri : str
        The role may pull these images (empty: none) and no other.
    confirm : callable
        Is called with the changes, if there are any.
    report : callable
        Is called with what else is to be known.
    schedule : str
        ``cron(…)`` or ``rate(…)``, UTC; ``off`` for none; None: unchanged.
    aws : AwsConfig
        VPC, key and boundary, and who is told of versions; None: none of them.

    Raises
    ------
    ConfigError
        If the schedule or the image cannot be used, or what exists cannot be adopted.
    DependencyError
        If AWS refuses, or a change failed and all were rolled back.
    """
    aws = aws or AwsConfig()
    stack, text = stack_name(names), shipped()
    current = parameters_of(clients.cloudformation, stack)
    if schedule is None:
        schedule = current.get("Schedule", "")
    parameters = _parameters(names, image_uri, spark_image_uri or image_uri, schedule, aws)
    state = existing_resources(clients, names)
    origin = origins(state, names, current)
    parameters |= origin
    policies = role_policies(names, text, parameters)
    settings = missing_settings(
        clients,
        names,
        aws,
        state,
        policies,
        bucket=not current or origin["BucketOrigin"] == "adopted",
        role=not current or origin["RoleOrigin"] == "adopted",
    )
    to_set = tuple(setting.change for setting in settings)

    def confirm_all(changes: tuple[Change, ...]) -> bool:
        for note in notes(state, names, origin, policies):
            report(note)
        return confirm((*changes, *to_set))

    # CloudFormation hands a stack's tags on to its resources, and an adopted one keeps its own.
    adopts = "adopted" in (origin["BucketOrigin"], origin["RoleOrigin"])
    result = change(
        clients.cloudformation,
        stack,
        rendered(names, text),
        parameters,
        confirm_all,
        report,
        None if adopts else own_tags(names),
    )
    applied = result.applied or (not result.changes and bool(to_set) and confirm_all(()))
    if applied:
        for setting in settings:
            setting.make()
    return Changed((*result.changes, *to_set), applied)


def _parameters(
    names: AwsNames, image_uri: str, spark_image_uri: str, schedule: str, aws: AwsConfig
) -> dict[str, str]:
    expression = "" if schedule == "off" else schedule
    if expression and not re.fullmatch(r"(cron|rate)\(.+\)", expression):
        raise ConfigError(
            f"{schedule!r} is not a schedule.",
            "Give cron(0 4 ? * MON *), rate(7 days) or 'off'; times are UTC.",
        )
    is_topic = aws.notify.startswith("arn:")
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
        "KmsKeyArn": aws.kms_key,
        "PermissionsBoundaryArn": aws.permissions_boundary,
        "NetworkArns": ",".join(network_arns(names, aws)),
        "NotifyEmail": "" if is_topic else aws.notify,
        "NotifyTopicArn": aws.notify if is_topic else "",
    }


def network_arns(names: AwsNames, aws: AwsConfig) -> list[str]:
    """Return the ARNs of what jobs in the VPC use there; empty without a VPC.

    Another account may share its subnets, so their ARNs leave the account open: the ids are unique.
    """
    if not aws.subnets:
        return []
    return [
        names.arn_of("ec2", "network-interface/*"),
        *(
            f"arn:{partition(names.region)}:ec2:{names.region}:*:{kind}/{name}"
            for kind, ids in (("subnet", aws.subnets), ("security-group", aws.security_groups))
            for name in ids
        ),
    ]

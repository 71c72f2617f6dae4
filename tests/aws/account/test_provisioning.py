from collections.abc import Iterator
from typing import Any

import pytest

from basketwise.aws.account import provisioning, stacks, template
from basketwise.aws.account.existing import Clients
from basketwise.aws.account.template import owner_tag
from basketwise.aws.images import repository_arn
from basketwise.errors import ConfigError, DependencyError
from tests.aws.calls import BUCKET, NAMES, STEM
from tests.aws.moto_account import IMAGE, Account, account

ROLE = f"{STEM}-sagemaker-execution"


@pytest.fixture
def aws() -> Iterator[Account]:
    with account() as running:
        yield running


def preview(clients: Clients) -> tuple[stacks.Change, ...]:
    """Return what would be changed, as somebody who does not agree is shown it."""
    return provisioning.provision(
        clients, NAMES, IMAGE, confirm=lambda _: False, report=lambda _: None
    ).changes


def test_a_preview_lists_what_would_be_made_and_makes_nothing(aws: Account) -> None:
    changes = preview(aws.clients)
    assert {change.action for change in changes} == {"Add"}
    assert {change.name for change in changes} >= {"Bucket", "ExecutionRole", "ModelPackageGroup"}
    assert str(changes[0]) == "Add     AWS::S3::Bucket                    Bucket"
    assert aws.buckets() == []
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


def test_the_stack_makes_bucket_and_role(aws: Account) -> None:
    result = aws.provision()
    assert result.applied
    assert aws.buckets() == [BUCKET]
    assert aws.roles() == [ROLE]
    tags = aws.s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    assert owner_tag(NAMES) in tags
    assert {"Key": "Environment", "Value": "dev"} in tags


def test_nothing_is_changed_without_confirmation(aws: Account) -> None:
    shown: list[stacks.Change] = []

    def decline(changes: tuple[stacks.Change, ...]) -> bool:
        shown.extend(changes)
        return False

    result = provisioning.provision(
        aws.clients, NAMES, IMAGE, confirm=decline, report=lambda _: None
    )
    assert not result.applied
    assert tuple(shown) == result.changes != ()
    assert aws.buckets() == []
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


def test_a_second_provisioning_finds_nothing_to_change(aws: Account) -> None:
    aws.provision()
    assert preview(aws.clients) == ()
    assert not aws.provision().applied


def test_a_changed_template_is_previewed_as_a_change(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.provision()
    changed = template.shipped().replace("TransitionInDays: 90", "TransitionInDays: 60")
    monkeypatch.setattr(provisioning, "shipped", lambda: changed)
    changes = preview(aws.clients)
    assert [(change.action, change.resource) for change in changes] == [
        ("Modify", "AWS::S3::Bucket")
    ]
    # The change set is gone, the stack is not.
    assert stacks.status(aws.cloudformation, STEM) == "CREATE_COMPLETE"


def test_a_schedule_has_its_role_and_remains_until_switched_off(aws: Account) -> None:
    aws.provision(schedule="cron(0 4 ? * MON *)")
    assert aws.roles() == [ROLE, f"{STEM}-schedule"]
    assert stacks.parameters_of(aws.cloudformation, STEM)["Schedule"] == "cron(0 4 ? * MON *)"
    assert not aws.provision().applied


@pytest.mark.parametrize("schedule", ["daily", "cron()", "rate(1 day"])
def test_a_wrong_schedule_is_refused_before_aws_is_asked_to_change(
    aws: Account, schedule: str
) -> None:
    with pytest.raises(ConfigError, match="is not a schedule"):
        aws.provision(schedule=schedule)
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


@pytest.mark.parametrize(
    ("image", "arn"),
    [
        (IMAGE, "arn:aws:ecr:eu-west-1:141502667606:repository/sagemaker-scikit-learn"),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b@sha256:00",
            "arn:aws-cn:ecr:cn-north-1:123456789012:repository/a/b",
        ),
    ],
)
def test_the_role_may_pull_the_repository_of_the_image(image: str, arn: str) -> None:
    assert repository_arn(image) == arn


def test_an_image_outside_ecr_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not in an ECR repository"):
        repository_arn("docker.io/library/python:3.12")


def test_credentials_that_are_missing_are_named() -> None:
    import boto3

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
        patch.setenv("AWS_CONFIG_FILE", "nowhere")
        services: Any = ("cloudformation", "iam", "s3", "sagemaker")
        session = boto3.Session()
        clients = Clients(*(session.client(name, region_name="eu-west-1") for name in services))
        with pytest.raises(DependencyError, match="none were found"):
            preview(clients)

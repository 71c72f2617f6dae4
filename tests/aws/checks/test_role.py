"""The role of the jobs: whether it exists, who may assume it, what it may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws import clients
from basketwise.aws.account.statements import actions
from basketwise.aws.checks.rights import needs, own_policies_allow, rights
from basketwise.aws.checks.role import role, trust
from basketwise.aws.names import AwsNames
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from tests.aws.calls import ACCOUNT, IMAGE_REPOSITORY, NAMES, STEM
from tests.aws.controls import BY_NAME
from tests.aws.controls import aws as controlled
from tests.aws.double.cloud import ROLE, Cloud, running_cloud
from tests.aws.iam_rules import allows, applies, several
from tests.aws.moto_account import account
from tests.seaweed import S3Server

CONFIG = Config(aws=AwsConfig(region=NAMES.region))
SAGEMAKER = {"Service": "sagemaker.amazonaws.com"}
OWN_IMAGE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop:1"


@pytest.fixture(scope="module")
def shipped() -> Mapping[str, Any]:
    """Give what the template's role is allowed."""
    with account() as aws:
        aws.provision()
        return aws.role_policy(f"{STEM}-sagemaker-execution")


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        yield running


def checks_by_name(names: AwsNames = NAMES) -> dict[str, Check]:
    return {check.name: check for check in role(CONFIG, names)}


def rights_check(config: Config = CONFIG) -> Check:
    return rights(clients.client("iam", config.aws), config, NAMES)


def test_the_templates_role_may_all_of_it(cloud: Cloud, shipped: Mapping[str, Any]) -> None:
    cloud.account.policy = shipped

    checks = checks_by_name()

    assert list(checks) == ["role", "rights"]
    assert {check.state for check in checks.values()} == {"ok"}
    assert checks["role"].text == f"{NAMES.role_arn}: SageMaker may assume it"


@pytest.mark.parametrize("name", BY_NAME)
def test_the_needs_are_what_the_template_allows(name: str) -> None:
    settings = controlled(name)
    with account() as made:
        made.provision(aws=settings)
        shipped = made.role_policy(f"{STEM}-sagemaker-execution")
    # On Spark, which only an isolated job cannot use.
    settings = settings.model_copy(update={"etl": "spark"})
    needed = [
        (action, need)
        for need in needs(NAMES, [IMAGE_REPOSITORY], settings)
        for action in actions(need.actions)
    ]
    refused = [
        (action, need.resource)
        for action, need in needed
        if not allows(shipped, action, need.resource, need.context)
    ]
    assert not refused
    for statement in shipped["Statement"]:
        reached = {
            action
            for action, need in needed
            if applies(statement, action, need.resource, need.context)
        }
        assert set(several(statement["Action"])) == reached, statement["Sid"]


def test_no_role(cloud: Cloud) -> None:
    cloud.account.roles.clear()

    checks = checks_by_name()

    assert list(checks) == ["role"]
    assert (checks["role"].state, checks["role"].exit_code) == ("failed", 3)
    assert checks["role"].text == f"There is no role {NAMES.role_arn}."
    assert "basketwise aws provision" in checks["role"].fix


def test_a_role_of_another_account(cloud: Cloud) -> None:
    other = AwsNames(**{**vars(NAMES), "role_arn": f"arn:aws:iam::210987654321:role/{ROLE}"})

    check = checks_by_name(other)["role"]

    assert (check.state, check.exit_code) == ("failed", 2)
    assert f"only arn:aws:iam::{ACCOUNT}:role/{ROLE}" in check.text


def test_a_role_that_sagemaker_may_not_assume(cloud: Cloud) -> None:
    cloud.account.roles[ROLE] = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ]
    }

    checks = checks_by_name()

    assert (checks["role"].state, checks["role"].exit_code) == ("failed", 3)
    assert "SageMaker may not assume it" in checks["role"].text
    assert "trust policy" in checks["role"].fix
    assert checks["rights"].state == "ok"


def test_what_jobs_may_not_do_is_named(cloud: Cloud) -> None:
    cloud.account.refused = {"s3:PutObject", "logs:PutLogEvents", "iam:PassRole"}

    check = rights_check()

    assert (check.state, check.exit_code) == ("failed", 3)
    for folder in ("silver", "gold", "artifacts", "checkpoints", "pipelines"):
        assert f"s3:PutObject on arn:aws:s3:::{NAMES.bucket}/{folder}/doctor" in check.text
    assert "logs:PutLogEvents on " in check.text
    assert f"iam:PassRole on {NAMES.role_arn}" in check.text
    assert "s3:GetObject" not in check.text
    assert "basketwise aws provision" in check.fix


def test_what_only_the_pipeline_does_is_a_warning(cloud: Cloud) -> None:
    cloud.account.refused = {"sagemaker:CreateTrainingJob"}

    check = rights_check()

    assert check.state == "warning"
    assert "only the pipeline" in check.text
    assert "sagemaker:CreateTrainingJob on " in check.text


def test_an_image_in_this_account_must_be_allowed(cloud: Cloud) -> None:
    cloud.account.refused = {"ecr:BatchGetImage"}
    own = Config(aws=AwsConfig(region=NAMES.region, image="own", image_uri=OWN_IMAGE))

    assert rights_check(own).state == "failed"
    assert rights_check().state == "warning"
    assert "belongs to another account" in rights_check().fix


def test_an_image_that_cannot_be_is_left_out(cloud: Cloud) -> None:
    config = Config(aws=AwsConfig(region=NAMES.region, image="own", image_uri="docker.io/x"))

    assert rights_check(config).state == "ok"
    assert not [need for need in needs(NAMES, []) if "BatchGetImage" in need.actions]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}, True),
        ({"IAM Policy": "implicitDeny", "Resource Policy": "implicitDeny"}, False),
        ({"IAM Policy": "explicitDeny"}, False),
        ({}, None),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_policies_of_another_account_are_distinguished(
    details: dict[str, str], expected: bool | None, whole: bool
) -> None:
    result = {"EvalDecisionDetails": details}
    assert (
        own_policies_allow(result if whole else {"ResourceSpecificResults": [result]}) is expected
    )


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": SAGEMAKER, "Action": "sts:AssumeRole", **more}


ACCOUNT_KEY = "aws:SourceAccount"


@pytest.mark.parametrize(
    ("statements", "state"),
    [
        ([allow()], "ok"),
        (allow(), "ok"),
        ([allow(Action=["sts:TagSession", "sts:AssumeRole"])], "ok"),
        ([allow(Action="sts:*")], "ok"),
        ([allow(Action="STS:assumerole")], "ok"),
        ([allow(Principal={"Service": ["ec2.amazonaws.com", SAGEMAKER["Service"]]})], "ok"),
        ([allow(Condition={"StringEquals": {ACCOUNT_KEY: ACCOUNT}})], "ok"),
        ([allow(Condition={"StringLike": {"AWS:sourceaccount": ["1", ACCOUNT]}})], "ok"),
        ([allow(Condition={"StringEquals": {ACCOUNT_KEY: "210987654321"}})], "failed"),
        ([allow(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*"}})], "warning"),
        ([allow(Condition={"ArnLike": {"aws:SourceArn": "*"}}), allow()], "ok"),
        ([allow(), allow(Effect="Deny")], "failed"),
        ([allow(), allow(Effect="Deny", Condition={"Bool": {"a": "b"}})], "warning"),
        ([allow(), allow(Effect="Deny", Principal={"AWS": "*"})], "ok"),
        ([allow(Action="sts:TagSession")], "failed"),
        ([allow(Principal={"Service": "ec2.amazonaws.com"})], "failed"),
        ([allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], "failed"),
        ([allow(Principal="*")], "failed"),
        ([], "failed"),
    ],
)
def test_trust_policies(statements: Any, state: str) -> None:
    rights_check, text = trust({"Version": "2012-10-17", "Statement": statements}, ACCOUNT)

    assert rights_check == state
    assert "SageMaker" in text


def test_a_policy_without_statements_trusts_nobody() -> None:
    assert trust({}, ACCOUNT)[0] == "failed"

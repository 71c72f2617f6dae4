"""The shipped policies against every call that is made: all allowed, and nothing to spare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, get_args

import pytest

from basketwise.aws.account import policies, provisioning, removal, stacks
from basketwise.aws.account.statements import BOUNDARY as BOUNDARY_KEY
from basketwise.aws.account.template import shipped as shipped_template
from basketwise.aws.checks.rights import WRITTEN
from basketwise.aws.requests.pipeline import FOLDER
from tests.aws.by_hand import adopt, clients_with, make_by_hand
from tests.aws.calls import (
    ACCOUNT,
    BUCKET,
    CLOUDFORMATION,
    GROUP,
    NAMES,
    PROVISIONING,
    STEM,
)
from tests.aws.controls import BOUNDARY, BY_NAME, GRANT, KEY, SUBNETS, calls
from tests.aws.controls import aws as aws_with
from tests.aws.data import fill
from tests.aws.iam_rules import allows, applies, matches, several
from tests.aws.moto_account import IMAGE, Account, account
from tests.aws.recording import PASSED, WITHOUT_RESOURCE, Call, Recorder
from tests.aws.stack_double import IDENTIFIED_BY, NOT_ADOPTED

Policies = Mapping[str, Mapping[str, Any]]

SCHEMAS = Path(str(distribution("cfn-lint").locate_file("cfnlint/data/schemas/resources")))
"""AWS's own schemas of resource types, each with the permissions that its handlers need."""

LARGEST_POLICY = 6144
"""Characters of a managed policy, white space not counted (Amazon Web Services, IAM quotas)."""


WHO = ("provision", "run", "deploy", "role", "schedule")


@cache
def shipped_with(name: str) -> Policies:
    """All policies by whom they are for; those of the template as a stack resolves them."""
    settings = aws_with(name)
    with account() as aws:
        aws.provision(schedule="rate(7 days)", aws=settings)
        return {
            **{task: policies.policy(task, NAMES, settings) for task in get_args(policies.Task)},
            "role": aws.role_policy(f"{STEM}-sagemaker-execution"),
            "schedule": aws.role_policy(f"{STEM}-schedule"),
        }


@pytest.fixture(scope="module")
def shipped() -> Policies:
    """All policies without further settings."""
    return shipped_with("none")


each_policy = pytest.mark.parametrize("who", WHO)
each_combination = pytest.mark.parametrize("name", BY_NAME)


@each_policy
@each_combination
def test_every_call_is_allowed(name: str, who: str) -> None:
    policy = shipped_with(name)[who]
    made = [call for call in calls(name) if call.who == who]
    refused = [
        str(call) for call in made if not allows(policy, call.action, call.resource, call.context)
    ]
    assert made
    assert not refused


@each_policy
@each_combination
def test_no_policy_allows_an_action_that_is_never_called(name: str, who: str) -> None:
    spare: list[str] = []
    for statement in shipped_with(name)[who]["Statement"]:
        made = [
            call
            for call in calls(name)
            if call.who == who and applies(statement, call.action, call.resource, call.context)
        ]
        spare += set(several(statement["Action"])) - {call.action for call in made}
        spare += [
            pattern
            for pattern in several(statement["Resource"])
            if not any(matches(pattern, call.resource) for call in made)
        ]
    assert not spare


@each_policy
@each_combination
def test_no_policy_is_wider_than_it_has_to_be(name: str, who: str) -> None:
    for statement in shipped_with(name)[who]["Statement"]:
        actions = several(statement["Action"])
        assert not [action for action in actions if "*" in action or "?" in action]
        if "*" in several(statement["Resource"]):
            assert set(actions) <= WITHOUT_RESOURCE
        if "iam:PassRole" in actions:
            assert list(statement["Condition"]["StringEquals"]) == [PASSED]
        if "kms:CreateGrant" in actions:
            assert statement["Condition"] == {"Bool": GRANT}


@pytest.mark.parametrize(
    ("who", "action", "resource"),
    [
        ("role", "kms:Decrypt", KEY.replace("1234abcd", "deadbeef")),
        ("run", "kms:Decrypt", KEY.replace("1234abcd", "deadbeef")),
        ("run", "kms:CreateGrant", KEY),
        ("role", "kms:CreateGrant", KEY),
        ("role", "kms:ScheduleKeyDeletion", KEY),
        ("role", "ec2:CreateNetworkInterface", NAMES.arn_of("ec2", "subnet/subnet-99999999")),
        ("role", "ec2:DeleteNetworkInterface", NAMES.arn_of("ec2", f"subnet/{SUBNETS[0]}x")),
        # A role without the boundary.
        ("provision", "iam:CreateRole", NAMES.role_arn),
        ("provision", "iam:PutRolePolicy", NAMES.role_arn),
        ("provision", "iam:PutRolePermissionsBoundary", NAMES.role_arn),
    ],
)
def test_settings_allow_no_more_than_they_name(who: str, action: str, resource: str) -> None:
    assert not allows(shipped_with("all")[who], action, resource)


def test_another_boundary_is_not_allowed() -> None:
    other = {BOUNDARY_KEY: BOUNDARY.replace("engineers", "admins")}
    for action in ("iam:CreateRole", "iam:PutRolePermissionsBoundary"):
        assert not allows(shipped_with("boundary")["provision"], action, NAMES.role_arn, other)


@pytest.mark.parametrize(
    ("who", "action", "resource"),
    [
        ("role", "s3:GetObject", f"arn:aws:s3:::{BUCKET}-other/raw/w.csv"),
        ("role", "s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/raw/w.csv"),
        *(
            ("role", "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{key}")
            for key in (
                "raw/w.csv",
                "model-registry/models/1.json",
                "deployment-configs/latest_model_config.json",
                "code/run.sh",
                ".basketwise/lock",
                "other/gold/metadata.json",
                "goldmine",
            )
        ),
        *(
            ("role", "logs:PutLogEvents", NAMES.arn_of("logs", f"log-group:{group}:log-stream:x"))
            for group in ("/aws/lambda/theirs", "/aws/sagemaker/Endpoints/theirs")
        ),
        ("role", "sagemaker:UpdateModelPackage", NAMES.arn(f"model-package/{GROUP}/1")),
        ("role", "sagemaker:CreateModelPackage", NAMES.arn("model-package/other/1")),
        ("run", "iam:CreateRole", NAMES.role_arn),
        ("run", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("run", "s3:DeleteBucket", f"arn:aws:s3:::{BUCKET}"),
        ("run", "sagemaker:StopTrainingJob", NAMES.arn("training-job/theirs")),
        ("deploy", "sagemaker:UpdateEndpoint", NAMES.arn("endpoint/theirs")),
        ("deploy", "s3:PutObject", f"arn:aws:s3:::{BUCKET}/deployment-configs/x"),
        ("deploy", "cloudwatch:PutMetricAlarm", NAMES.arn_of("cloudwatch", "alarm:theirs")),
        ("provision", "iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("schedule", "sagemaker:StartPipelineExecution", NAMES.arn("pipeline/theirs")),
    ],
)
def test_what_is_nobodys_business_is_not_allowed(
    shipped: Policies, who: str, action: str, resource: str
) -> None:
    context = {PASSED: "sagemaker.amazonaws.com"}
    assert not allows(shipped[who], action, resource, context)


def test_under_a_prefix_the_role_writes_there_alone() -> None:
    names = replace(NAMES, prefix="team/a")
    with account() as aws:
        aws.provision(names=names)
        role = aws.role_policy(f"{STEM}-sagemaker-execution")
    for folder in (*WRITTEN, FOLDER):
        assert allows(role, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/team/a/{folder}/x")
        assert not allows(role, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{folder}/x")
    assert not allows(role, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/team/a/code/run.sh")


@pytest.mark.parametrize("task", get_args(policies.Task))
def test_a_policy_fits_into_a_managed_policy(task: policies.Task) -> None:
    text = json.dumps(policies.policy(task, NAMES, aws_with("all")), separators=(",", ":"))
    assert len(text) <= LARGEST_POLICY


# --- the list of calls against what is called ---------------------------------------------------


@pytest.fixture(scope="module", params=["none", "all"])
def recorded(request: pytest.FixtureRequest) -> tuple[str, list[Call]]:
    """What the product calls to make, change and remove a stack, and all data with it.

    Then for a bucket and a role that were made by hand.
    """
    name = str(request.param)
    settings = aws_with(name)
    bounded = {BOUNDARY_KEY: settings.permissions_boundary} if settings.permissions_boundary else {}
    recorder = Recorder("provision", NAMES, context=bounded)

    def provision(aws: Account) -> None:
        provisioning.provision(
            aws.clients,
            replace(NAMES, own_tags=tuple(settings.tags.items())),
            IMAGE,
            confirm=lambda _: True,
            report=lambda _: None,
            aws=settings,
        )

    with account() as aws:
        aws.provision(aws=settings)
        fill(aws)
        # Recorded are the product's calls, not those that set the scene.
        with recorder.watching(*aws.clients):
            stacks.failures(aws.cloudformation, STEM)
            removal.destroy(aws.cloudformation, aws.iam, aws.sagemaker, NAMES, lambda _: None)
            removal.delete_data(aws.s3, aws.sagemaker, NAMES, BUCKET, lambda _: None)
            provision(aws)
    with account() as aws:
        make_by_hand(aws)
        with recorder.watching(aws.iam, aws.s3, aws.sagemaker):
            adopt(clients_with(aws), settings)
    return name, recorder.calls


def test_what_is_recorded_is_allowed(recorded: tuple[str, list[Call]]) -> None:
    name, made = recorded
    shipped = shipped_with(name)
    refused = [
        str(call)
        for call in made
        if not allows(shipped[call.who], call.action, call.resource, call.context)
    ]
    assert not refused


def test_the_list_is_exactly_what_is_recorded(recorded: tuple[str, list[Call]]) -> None:
    name, made = recorded
    listed = {call.action for call in calls(name) if call.origin == PROVISIONING}
    assert {call.action for call in made} == listed


@cache
def schemas() -> dict[str, Any]:
    """Return AWS's schemas of the template's resource types."""
    template, result = shipped_template(), {}
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if f"Type: {schema.get('typeName')}\n" in template:
            result[schema["typeName"]] = schema
    return result


def test_what_cloudformation_adopts_is_identified_by_a_name_in_the_template() -> None:
    """Adopted is what no read-only property identifies: all but the group."""
    read_only = {
        name: set(schema["primaryIdentifier"]) & set(schema.get("readOnlyProperties", ()))
        for name, schema in schemas().items()
    }
    assert {name for name in IDENTIFIED_BY if read_only[name]} == NOT_ADOPTED
    for name, key in IDENTIFIED_BY.items():
        if name not in NOT_ADOPTED:
            assert schemas()[name]["primaryIdentifier"] == [f"/properties/{key}"]


def test_what_cloudformation_calls_is_what_its_resource_types_say() -> None:
    known: set[str] = set()
    for schema in schemas().values():
        for handler in schema["handlers"].values():
            known |= set(handler.get("permissions", []))
    assert set(schemas()) == {
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::IAM::Role",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::Scheduler::Schedule",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SNS::Subscription",
        "AWS::Events::Rule",
    }
    unknown = {call.action for call in calls("all") if call.origin == CLOUDFORMATION} - known
    assert not unknown

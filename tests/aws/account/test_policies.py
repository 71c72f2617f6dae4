"""The shipped policies against every call that is made: all allowed, and nothing to spare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, get_args

import pytest

from basketwise.aws.account import policies, provisioning, removal, stacks
from basketwise.aws.checks.rights import WRITTEN
from basketwise.aws.requests.pipeline import FOLDER
from tests.aws.calls import (
    ACCOUNT,
    BUCKET,
    CALLS,
    CLOUDFORMATION,
    GROUP,
    NAMES,
    PROVISIONING,
    STEM,
)
from tests.aws.data import fill
from tests.aws.iam_rules import allows, applies, matches, several
from tests.aws.moto_account import IMAGE, account
from tests.aws.recording import PASSED, WITHOUT_RESOURCE, Call, Recorder

Policies = Mapping[str, Mapping[str, Any]]

SCHEMAS = Path(str(distribution("cfn-lint").locate_file("cfnlint/data/schemas/resources")))
"""AWS's own schemas of resource types, each with the permissions that its handlers need."""

LARGEST_POLICY = 6144
"""Characters of a managed policy, white space not counted (Amazon Web Services, IAM quotas)."""


@pytest.fixture(scope="module")
def shipped() -> Policies:
    """All policies by whom they are for; those of the template as a stack resolves them."""
    with account() as aws:
        aws.provision(schedule="rate(7 days)")
        return {
            "provision": policies.policy("provision", NAMES),
            "run": policies.policy("run", NAMES),
            "deploy": policies.policy("deploy", NAMES),
            "role": aws.role_policy(f"{STEM}-sagemaker-execution"),
            "schedule": aws.role_policy(f"{STEM}-schedule"),
        }


each_policy = pytest.mark.parametrize("who", ["provision", "run", "deploy", "role", "schedule"])


@each_policy
def test_every_call_is_allowed(shipped: Policies, who: str) -> None:
    calls = [call for call in CALLS if call.who == who]
    refused = [
        str(call)
        for call in calls
        if not allows(shipped[who], call.action, call.resource, call.context)
    ]
    assert calls
    assert not refused


@each_policy
def test_no_policy_allows_an_action_that_is_never_called(shipped: Policies, who: str) -> None:
    spare: list[str] = []
    for statement in shipped[who]["Statement"]:
        calls = [
            call
            for call in CALLS
            if call.who == who and applies(statement, call.action, call.resource, call.context)
        ]
        spare += set(several(statement["Action"])) - {call.action for call in calls}
        spare += [
            pattern
            for pattern in several(statement["Resource"])
            if not any(matches(pattern, call.resource) for call in calls)
        ]
    assert not spare


@each_policy
def test_no_policy_is_wider_than_it_has_to_be(shipped: Policies, who: str) -> None:
    for statement in shipped[who]["Statement"]:
        actions = several(statement["Action"])
        assert not [action for action in actions if "*" in action or "?" in action]
        if "*" in several(statement["Resource"]):
            assert set(actions) <= WITHOUT_RESOURCE
        if "iam:PassRole" in actions:
            assert list(statement["Condition"]["StringEquals"]) == [PASSED]


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
    text = json.dumps(policies.policy(task, NAMES), separators=(",", ":"))
    assert len(text) <= LARGEST_POLICY


# --- the list of calls against what is called ---------------------------------------------------


@pytest.fixture(scope="module")
def recorded() -> list[Call]:
    """What the product calls to make, change and remove a stack, and all data with it."""
    with account() as aws:
        recorder = Recorder("provision", NAMES)
        aws.provision()
        fill(aws)
        # Recorded are the product's calls, not those that set the scene.
        with recorder.watching(aws.cloudformation, aws.s3, aws.sagemaker):
            stacks.failures(aws.cloudformation, STEM)
            removal.destroy(aws.cloudformation, aws.sagemaker, NAMES, lambda _: None)
            removal.delete_data(aws.s3, aws.sagemaker, NAMES, BUCKET, lambda _: None)
            provisioning.provision(
                aws.cloudformation,
                NAMES,
                IMAGE,
                confirm=lambda _: True,
                report=lambda _: None,
            )
    return recorder.calls


def test_what_is_recorded_is_allowed(shipped: Policies, recorded: list[Call]) -> None:
    refused = [
        str(call)
        for call in recorded
        if not allows(shipped[call.who], call.action, call.resource, call.context)
    ]
    assert not refused


def test_the_list_is_exactly_what_is_recorded(recorded: list[Call]) -> None:
    listed = {call.action for call in CALLS if call.origin == PROVISIONING}
    assert {call.action for call in recorded} == listed


def test_what_cloudformation_calls_is_what_its_resource_types_say() -> None:
    template = (Path(stacks.__file__).parent / "template.yaml").read_text(encoding="utf-8")
    known: set[str] = set()
    types = set()
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if f"Type: {schema.get('typeName')}\n" in template:
            types.add(schema["typeName"])
            for handler in schema["handlers"].values():
                known |= set(handler.get("permissions", []))
    assert types == {
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
    unknown = {call.action for call in CALLS if call.origin == CLOUDFORMATION} - known
    assert not unknown

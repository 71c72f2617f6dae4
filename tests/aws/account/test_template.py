"""The template as it is written: what no stack in a test can show."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.account import provisioning
from basketwise.aws.account.template import parsed, rendered, role_policies, shipped
from basketwise.aws.names import names_of
from basketwise.aws.requests.pipeline import start_parameters
from basketwise.config import Config
from tests.aws.calls import ACCOUNT, BUCKET, NAMES, STEM
from tests.aws.controls import BOUNDARY, BY_NAME, KEY, OWN_TAGS
from tests.aws.controls import aws as aws_with
from tests.aws.iam_rules import allows
from tests.aws.moto_account import IMAGE, account

PATH = Path(str(resources.files("basketwise.aws.account") / "template.yaml"))
EXECUTION = "<aws.scheduler.execution-id>"


def resource(name: str) -> dict[str, Any]:
    from cfnlint.decode import decode  # type: ignore[import-untyped]

    template, _ = decode(str(PATH))
    definition = template["Resources"][name]
    assert isinstance(definition, dict)
    return definition


def chosen(value: Any) -> Any:
    """Return what a condition chooses for what a stack creates itself."""
    return value["Fn::If"][1] if isinstance(value, dict) and "Fn::If" in value else value


def test_cfn_lint_has_nothing_to_say() -> None:
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--template", str(PATH)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_template_can_be_sent_as_it_is() -> None:
    # Longer ones would have to are in a bucket first (CloudFormation quotas).
    assert len(rendered(NAMES, shipped()).encode()) < 51_200


@pytest.mark.parametrize("name", ["Bucket", "BucketPolicy", "ModelPackageGroup"])
def test_data_outlives_the_stack(name: str) -> None:
    definition = resource(name)
    assert definition["DeletionPolicy"] == definition["UpdateReplacePolicy"] == "Retain"


def test_the_bucket_is_versioned_encrypted_and_private() -> None:
    properties = resource("Bucket")["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert chosen(properties["BucketEncryption"])


def test_no_rule_deletes_current_artifacts() -> None:
    rules = {
        item["Id"]: item
        for item in chosen(resource("Bucket")["Properties"]["LifecycleConfiguration"])["Rules"]
    }
    assert "ExpirationInDays" not in rules["old-artifacts"]
    deleting = [item for item in rules.values() if "ExpirationInDays" in item]
    assert [item["Prefix"] for item in deleting] == ["checkpoints/"]
    assert "AbortIncompleteMultipartUpload" in rules["incomplete-uploads"]


def test_the_bucket_is_reached_by_tls_only() -> None:
    document = resource("BucketPolicy")["Properties"]["PolicyDocument"]
    (deny,) = document["Statement"]
    deny["Resource"] = [
        item["Fn::Sub"].replace("${AWS::Partition}", "aws").replace("${BucketName}", BUCKET)
        for item in deny["Resource"]
    ]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    both = {"Statement": [deny, everything]}
    for arn in (f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/raw/w.csv"):
        assert not allows(both, "s3:GetObject", arn, {"aws:SecureTransport": "false"})
        assert allows(both, "s3:GetObject", arn, {"aws:SecureTransport": "true"})


def test_the_group_has_its_tags() -> None:
    tags = {
        item["Key"]: item["Value"] for item in resource("ModelPackageGroup")["Properties"]["Tags"]
    }
    assert (
        tags.items()
        >= {
            "Project": "RetailPredictionMLOps",
            "ModelType": "Classification",
            "Target": "BASKET_PRICE_SENSITIVITY",
        }.items()
    )
    assert tags["Environment"] == {"Ref": "Environment"}


def test_the_role_trusts_sagemaker_in_this_account_alone() -> None:
    trust = resource("ExecutionRole")["Properties"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_no_role_takes_a_managed_policy() -> None:
    assert "ManagedPolicyArns" not in shipped()


def test_the_schedule_starts_the_pipeline_as_the_command_does() -> None:
    values = {"PipelineName": f"{STEM}-pipeline", "WorkspaceUri": NAMES.uri().rstrip("/")}
    text = resource("RetrainingSchedule")["Properties"]["Target"]["Input"]["Fn::Sub"]
    sent = json.loads(re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text))
    run = f"scheduled-{EXECUTION}"
    assert sent["PipelineName"] == f"{STEM}-pipeline"
    assert sent["PipelineParameters"] == start_parameters(NAMES, run, run)
    # AWS wants 32 to 128 characters; an execution's id has at least one.
    assert 32 <= len(sent["ClientRequestToken"].replace(EXECUTION, "x")) <= 64


# --- as it is sent -----------------------------------------------------------------------------

TAGGED = {
    *("Bucket", "ModelPackageGroup", "ExecutionRole", "ScheduleRole"),
    *("ApprovalRule", "ApprovalTopic"),
}


def sent(name: str = "none") -> dict[str, Any]:
    names = names_of(Config(aws=aws_with(name)), account_id=ACCOUNT, region=NAMES.region)
    document: dict[str, Any] = json.loads(rendered(names, shipped()))
    return document


def test_cfn_lint_has_nothing_to_say_of_what_is_sent_either(tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text(json.dumps(sent("tags")), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--template", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_may_be_adopted_is_named_and_retained() -> None:
    resources = sent()["Resources"]
    for name, key, value in (
        ("Bucket", "BucketName", BUCKET),
        ("BucketPolicy", "Bucket", BUCKET),
        ("ExecutionRole", "RoleName", f"{STEM}-sagemaker-execution"),
    ):
        assert resources[name]["Properties"][key] == value
        assert resources[name]["DeletionPolicy"] == "Retain"
    # By its name alone, CloudFormation would not see that the policy needs the bucket.
    assert resources["BucketPolicy"]["DependsOn"] == "Bucket"


def test_only_names_and_tags_are_written() -> None:
    document, plain = sent("tags"), parsed(shipped())
    for name, key in (
        ("Bucket", "BucketName"),
        ("BucketPolicy", "Bucket"),
        ("ExecutionRole", "RoleName"),
        ("ModelPackageGroup", "ModelPackageGroupName"),
    ):
        del document["Resources"][name]["Properties"][key]
        del plain["Resources"][name]["Properties"][key]
    del document["Resources"]["BucketPolicy"]["DependsOn"]
    for name in TAGGED:
        tags = chosen(document["Resources"][name]["Properties"].pop("Tags"))
        theirs = chosen(plain["Resources"][name]["Properties"].pop("Tags"))
        own = [{"Key": key, "Value": value} for key, value in OWN_TAGS.items()]
        assert tags == [*theirs, *own]
    assert document == plain


def test_an_adopted_thing_gets_no_tags_and_no_rules() -> None:
    resources = sent("tags")["Resources"]
    for name, condition in (("Bucket", "CreatesBucket"), ("ExecutionRole", "CreatesRole")):
        tags = resources[name]["Properties"]["Tags"]["Fn::If"]
        assert (tags[0], tags[2]) == (condition, {"Ref": "AWS::NoValue"})
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Fn::If"]
    assert (rules[0], rules[2]) == ("CreatesBucket", {"Ref": "AWS::NoValue"})
    encryption = resources["Bucket"]["Properties"]["BucketEncryption"]["Fn::If"]
    assert (encryption[0], encryption[2]) == ("SetsEncryption", {"Ref": "AWS::NoValue"})
    either = [{"Condition": "HasKey"}, {"Condition": "CreatesBucket"}]
    assert sent()["Conditions"]["SetsEncryption"] == {"Fn::Or": either}
    assert resources["ModelPackageGroup"]["Condition"] == "CreatesGroup"
    assert resources["BucketPolicy"]["Condition"] == "CreatesPolicy"


@pytest.mark.parametrize("name", BY_NAME)
def test_policies_are_resolved_as_a_stack_resolves_them(name: str) -> None:
    with account() as made:
        made.provision(aws=aws_with(name))
        expected = made.role_policy(f"{STEM}-sagemaker-execution")["Statement"]
    parameters = provisioning._parameters(NAMES, IMAGE, IMAGE, "", aws_with(name))
    policies = role_policies(NAMES, shipped(), parameters)
    assert list(policies) == ["jobs", "pipeline"]
    resolved = [item for policy in policies.values() for item in policy["Statement"]]
    assert sorted(resolved, key=str) == sorted(expected, key=str)


def test_both_roles_are_bounded() -> None:
    demand = {
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": "iam:CreateRole",
                "Resource": "*",
                "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}},
            },
        ]
    }
    for name, permitted in (("none", False), ("boundary", True)):
        with account() as made:
            made.provision(schedule="rate(7 days)", aws=aws_with(name))
            roles = [made.iam.get_role(RoleName=role)["Role"] for role in made.roles()]
        assert len(roles) == 2
        for role in roles:
            bound = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
            context = {"iam:PermissionsBoundary": bound} if bound else {}
            assert allows(demand, "iam:CreateRole", role["Arn"], context) is permitted


def test_the_bucket_encrypts_with_the_key() -> None:
    with account() as made:
        made.provision(aws=aws_with("key"))
        rules = made.s3.get_bucket_encryption(Bucket=BUCKET)
    (rule,) = rules["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == KEY


def test_what_stacks_create_has_ones_own_tags() -> None:
    names = names_of(Config(aws=aws_with("tags")), account_id=ACCOUNT, region=NAMES.region)
    with account() as made:
        made.provision(names=names)
        tags = made.s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
        role = made.iam.get_role(RoleName=f"{STEM}-sagemaker-execution")["Role"]
    for given in (tags, role["Tags"]):
        assert OWN_TAGS.items() <= {item["Key"]: item["Value"] for item in given}.items()

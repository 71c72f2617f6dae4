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

from basketwise.aws.account.template import shipped, written
from basketwise.aws.requests.pipeline import start_parameters
from tests.aws.calls import BUCKET, NAMES, STEM
from tests.aws.iam_rules import allows

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
    assert len(written(NAMES, shipped()).encode()) < 51_200


@pytest.mark.parametrize("name", ["Bucket", "BucketPolicy", "ModelPackageGroup"])
def test_data_outlives_the_stack(name: str) -> None:
    definition = resource(name)
    assert definition["DeletionPolicy"] == definition["UpdateReplacePolicy"] == "Retain"


def test_the_bucket_is_versioned_encrypted_and_private() -> None:
    properties = resource("Bucket")["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["BucketEncryption"]


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

"""What exists already: adopted, set as the template would have set it, or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from basketwise.aws.account import removal
from basketwise.aws.account.existing import TLS_STATEMENT, Clients, existing_resources
from basketwise.aws.account.template import owner_tag, role_name
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError, DependencyError
from tests.aws.by_hand import THEIRS, TRUST, adopt, clients_with, make_by_hand
from tests.aws.calls import ACCOUNT, BUCKET, GROUP, NAMES, STEM
from tests.aws.controls import BOUNDARY, KEY, OWN_TAGS
from tests.aws.controls import aws as aws_with
from tests.aws.data import fill
from tests.aws.iam_rules import allows
from tests.aws.moto_account import Account, account
from tests.aws.stack_double import StackDouble

ROLE = role_name(NAMES)


@pytest.fixture
def aws() -> Iterator[Account]:
    with account() as running:
        yield running


def lines(clients: Clients, settings: AwsConfig | None = None) -> list[str]:
    """Return the preview, and change nothing."""
    return [str(item) for item in adopt(clients, settings, confirm=lambda _: False).changes]


def destroy(clients: Clients) -> tuple[list[str], list[str]]:
    """Return what was removed, and what was said."""
    said: list[str] = []
    cloudformation, iam, _, sagemaker = clients
    return removal.destroy(cloudformation, iam, sagemaker, NAMES, said.append), said


def test_the_preview_says_what_is_adopted_and_what_is_set(aws: Account) -> None:
    make_by_hand(aws)
    assert lines(clients_with(aws)) == [
        f"Import  AWS::S3::Bucket                    Bucket ({BUCKET})",
        f"Import  AWS::IAM::Role                     ExecutionRole ({ROLE})",
        f"Set     AWS::S3::Bucket                    versioning of {BUCKET}",
        f"Set     AWS::S3::Bucket                    ownership of {BUCKET}",
        f"Set     AWS::S3::Bucket                    block of public access of {BUCKET}",
        f"Set     AWS::S3::BucketPolicy              TLS only of {BUCKET}",
        f"Set     AWS::IAM::Role                     policy jobs of {ROLE}",
        f"Set     AWS::IAM::Role                     policy pipeline of {ROLE}",
    ]
    state = existing_resources(clients_with(aws), NAMES)
    assert state.bucket is not None
    assert not state.bucket.versioned
    assert state.role is not None
    assert list(state.role.inline) == ["notebooks"]


def test_an_adopted_bucket_is_set_and_keeps_what_is_its_owners(aws: Account) -> None:
    make_by_hand(aws)
    aws.s3.put_bucket_tagging(
        Bucket=BUCKET, Tagging={"TagSet": [{"Key": "team", "Value": "pricing"}]}
    )
    clients = clients_with(aws)
    assert adopt(clients).applied
    state = existing_resources(clients, NAMES).bucket
    assert state is not None
    assert state.versioned
    assert state.blocked
    assert state.only_tls
    assert state.ownership == "BucketOwnerEnforced"
    policy = json.loads(aws.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["Theirs", TLS_STATEMENT]
    assert policy["Statement"][0] == THEIRS
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    both = {"Statement": [policy["Statement"][1], everything]}
    for plain, allowed in (("true", True), ("false", False)):
        secure = {"aws:SecureTransport": plain}
        assert allows(both, "s3:GetObject", f"arn:aws:s3:::{BUCKET}/x", secure) is allowed
    tags = aws.s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    assert tags == [{"Key": "team", "Value": "pricing"}]
    # moto holds requests against the policy, but no conditions.
    aws.s3.delete_bucket_policy(Bucket=BUCKET)
    assert aws.s3.get_object(Bucket=BUCKET, Key="raw/w.csv")["Body"].read() == b"theirs"


def test_an_adopted_role_may_what_jobs_need_and_what_else_it_may_is_said(aws: Account) -> None:
    make_by_hand(aws)
    said: list[str] = []
    adopt(clients_with(aws), report=said.append)
    policy = aws.role_policy(ROLE)
    assert allows(policy, "sagemaker:CreateTrainingJob", NAMES.arn("training-job/pipelines-x"))
    text = "\n".join(said)
    assert (
        "may do more than they need: AmazonS3FullAccess, AmazonSageMakerFullAccess, notebooks."
        in text
    )
    assert f"{GROUP} exists already: it is used as it is" in text
    assert "keeps its own tags and lifecycle rules" in text


def test_key_and_boundary_are_set_too(aws: Account) -> None:
    make_by_hand(aws)
    clients = clients_with(aws)
    adopt(clients, aws_with("all"))
    state = existing_resources(clients, NAMES)
    assert state.bucket is not None
    assert state.bucket.key == KEY
    assert state.role is not None
    assert state.role.boundary == BOUNDARY
    assert allows(aws.role_policy(ROLE), "kms:Decrypt", KEY)


def test_a_second_provisioning_has_nothing_to_do(aws: Account) -> None:
    make_by_hand(aws)
    clients = clients_with(aws)
    adopt(clients)
    result = adopt(clients)
    assert (result.changes, result.applied) == ((), False)


def test_what_was_set_back_since_is_set_again(aws: Account) -> None:
    make_by_hand(aws)
    clients = clients_with(aws)
    adopt(clients)
    aws.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    aws.iam.delete_role_policy(RoleName=ROLE, PolicyName="jobs")
    assert lines(clients) == [
        f"Set     AWS::S3::Bucket                    versioning of {BUCKET}",
        f"Set     AWS::IAM::Role                     policy jobs of {ROLE}",
    ]
    assert adopt(clients).applied
    assert lines(clients) == []


def test_destroy_keeps_an_adopted_role_and_says_so(aws: Account) -> None:
    make_by_hand(aws)
    clients = clients_with(aws)
    adopt(clients)
    removed, said = destroy(clients)
    assert removed == [f"stack {STEM}"]
    assert aws.roles() == [ROLE]
    assert f"The role {ROLE} was there before 'basketwise aws provision', and is kept" in said[-1]


def test_data_of_an_adopted_bucket_cannot_be_deleted(aws: Account) -> None:
    make_by_hand(aws)
    clients = clients_with(aws)
    for _ in range(2):
        adopt(clients, aws_with("tags"))
    with pytest.raises(ConfigError, match="was not created by"):
        removal.delete_data(aws.s3, aws.sagemaker, NAMES, BUCKET, lambda _: None)
    assert aws.buckets() == [BUCKET]


def test_what_destroy_kept_is_adopted_and_is_ones_own_again(aws: Account) -> None:
    stacks = StackDouble(aws.iam, aws.s3, aws.sagemaker)
    clients = clients_with(aws, stacks)
    adopt(clients)
    # What a stack sets, the double does not.
    for _ in range(2):
        adopt(clients_with(aws))
    removed, _ = destroy(clients)
    assert removed == [f"stack {STEM}", f"role {ROLE}"]
    assert lines(clients) == [
        f"Import  AWS::S3::Bucket                    Bucket ({BUCKET})",
        f"Import  AWS::S3::BucketPolicy              BucketPolicy ({BUCKET})",
        "Add     AWS::IAM::Role                     ExecutionRole",
    ]
    adopt(clients)
    origins = {
        name: value
        for name, value in stacks.stacks[STEM].parameters.items()
        if name.endswith("Origin")
    }
    assert origins == {
        "BucketOrigin": "created",
        "RoleOrigin": "created",
        "PolicyOrigin": "created",
        "GroupOrigin": "adopted",
    }
    aws.s3.delete_bucket_policy(Bucket=BUCKET)
    fill(aws)
    deleted = removal.delete_data(aws.s3, aws.sagemaker, NAMES, BUCKET, lambda _: None)
    assert len(deleted) == 2


def test_an_existing_group_stays_in_the_stack_that_made_it(aws: Account) -> None:
    stacks = StackDouble(aws.iam, aws.s3, aws.sagemaker)
    clients = clients_with(aws, stacks)
    adopt(clients)
    adopt(clients, aws_with("tags"))
    assert "ModelPackageGroup" in stacks.stacks[STEM].resources


def test_a_stack_has_ones_own_tags_unless_it_would_hand_them_to_what_it_adopted(
    aws: Account,
) -> None:
    stacks = StackDouble(aws.iam, aws.s3, aws.sagemaker)
    clients = clients_with(aws, stacks)
    for settings, expected in (("none", {}), ("tags", OWN_TAGS), ("none", {})):
        adopt(clients, aws_with(settings))
        assert {tag["Key"]: tag["Value"] for tag in stacks.stacks[STEM].tags} == expected
    destroy(clients)
    aws.s3.delete_bucket_tagging(Bucket=BUCKET)
    adopt(clients, aws_with("tags"))
    assert stacks.stacks[STEM].parameters["BucketOrigin"] == "adopted"
    assert stacks.stacks[STEM].tags == []


def test_a_public_bucket_is_refused(aws: Account) -> None:
    make_by_hand(aws)
    public = THEIRS | {"Principal": "*"}
    aws.s3.put_bucket_policy(
        Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [public]})
    )
    aws.s3.meta.events.register("after-call.s3.GetBucketPolicyStatus", is_public)
    try:
        with pytest.raises(ConfigError, match="is public: its policy lets everybody in"):
            adopt(clients_with(aws))
    finally:
        aws.s3.meta.events.unregister("after-call.s3.GetBucketPolicyStatus", is_public)
    assert existing_resources(clients_with(aws), NAMES).bucket is not None
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


def is_public(parsed: dict[str, Any], **_: Any) -> None:
    parsed["PolicyStatus"] = {"IsPublic": True}


def test_a_bucket_elsewhere_is_refused(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    located = {"LocationConstraint": "eu-central-1"}
    monkeypatch.setattr(aws.s3, "get_bucket_location", lambda **_: located)
    with pytest.raises(ConfigError, match="is in eu-central-1, the jobs would run in eu-west-1"):
        adopt(clients_with(aws))


def test_a_bucket_that_may_not_be_read_is_probably_somebody_elses(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ClientError

    def refuse(code: str) -> Any:
        def call(**_: Any) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetBucketLocation")

        return call

    monkeypatch.setattr(aws.s3, "get_bucket_location", refuse("AccessDenied"))
    with pytest.raises(ConfigError, match="may not read how it is set") as refused:
        adopt(clients_with(aws))
    assert "aws.bucket" in refused.value.hint
    monkeypatch.setattr(aws.s3, "get_bucket_location", refuse("SlowDown"))
    with pytest.raises(DependencyError, match="SlowDown"):
        adopt(clients_with(aws))


def test_a_role_that_is_not_for_jobs_is_refused(aws: Account) -> None:
    other = {**TRUST["Statement"][0], "Principal": {"Service": "ec2.amazonaws.com"}}  # type: ignore[dict-item]
    make_by_hand(aws, trust={"Version": "2012-10-17", "Statement": [other]})
    with pytest.raises(ConfigError, match="is not for jobs: SageMaker may not assume it"):
        adopt(clients_with(aws))


def test_a_role_below_another_path_is_refused(aws: Account) -> None:
    make_by_hand(aws, path="/service-role/")
    with pytest.raises(ConfigError, match="cannot be created") as refused:
        adopt(clients_with(aws))
    assert f"aws.role_arn to arn:aws:iam::{ACCOUNT}:role/service-role/{ROLE}" in refused.value.hint


def test_a_template_with_references_would_adopt_nothing(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from basketwise.aws.account import provisioning, template

    make_by_hand(aws)
    monkeypatch.setattr(provisioning, "rendered", lambda _, text: json.dumps(template.parsed(text)))
    with pytest.raises(DependencyError, match="already exists"):
        adopt(clients_with(aws))


def test_what_stacks_create_has_the_tag_of_its_owner(aws: Account) -> None:
    aws.provision()
    role = aws.iam.get_role(RoleName=ROLE)["Role"]
    assert owner_tag(NAMES) in role["Tags"]

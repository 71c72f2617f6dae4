"""The KMS key of jobs and bucket, in a made-up account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from basketwise.aws import clients
from basketwise.aws.account import policies
from basketwise.aws.checks.key import key
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from tests.aws.calls import BUCKET, NAMES
from tests.aws.controls import KEY
from tests.aws.iam_rules import allows
from tests.aws.moto_account import account, client_of
from tests.aws.recording import Recorder


@pytest.fixture
def kms() -> Iterator[Any]:
    with (
        account() as aws,
        mock.patch.object(clients, "client", lambda service, _: client_of(service)),
    ):
        aws.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": NAMES.region}
        )
        yield client_of("kms")


def made(kms: Any, spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT") -> str:
    created = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    return str(created["Arn"])


def checks(arn: str) -> dict[str, Check]:
    settings = Config(aws=AwsConfig(region=NAMES.region, kms_key=arn))
    return {check.name: check for check in key(settings, NAMES)}


def encrypt_with(arn: str) -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    rules = [{"ApplyServerSideEncryptionByDefault": default}]
    client_of("s3").put_bucket_encryption(
        Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": rules}
    )


def test_without_a_key_nothing_is_asked() -> None:
    assert list(key(Config(), NAMES)) == []


def test_a_key_that_the_bucket_uses(kms: Any) -> None:
    arn = made(kms)
    encrypt_with(arn)
    result = checks(arn)
    assert {name: check.state for name, check in result.items()} == {
        "key": "ok",
        "encryption": "ok",
    }


def test_a_bucket_that_does_not_use_the_key_is_a_warning(kms: Any) -> None:
    check = checks(made(kms))["encryption"]
    assert check.state == "warning"
    assert "basketwise aws provision" in check.fix


def test_a_key_that_is_disabled(kms: Any) -> None:
    arn = made(kms)
    kms.disable_key(KeyId=arn.rpartition("/")[2])
    check = checks(arn)["key"]
    assert (check.state, check.exit_code) == ("failed", 3)
    assert check.text.endswith("its state is Disabled.")


def test_a_key_that_signs(kms: Any) -> None:
    check = checks(made(kms, "RSA_2048", "SIGN_VERIFY"))["key"]
    assert (check.state, check.exit_code) == ("failed", 2)
    assert "RSA_2048" in check.text


def test_no_key(kms: Any) -> None:
    check = checks(KEY)["key"]
    assert (check.state, check.text) == ("failed", f"There is no key {KEY}.")


def test_a_key_of_another_region(kms: Any) -> None:
    check = checks(KEY.replace("eu-west-1", "us-east-1"))["key"]
    assert (check.state, check.exit_code) == ("failed", 2)
    assert "is in us-east-1, the jobs would run in eu-west-1" in check.text


def test_what_is_asked_is_what_the_policy_allows(kms: Any) -> None:
    recorder, arn = Recorder("run", NAMES), made(kms)
    with recorder.watching(kms, client_of("s3")):
        checks(arn)
    policy = policies.policy("run", NAMES, AwsConfig(kms_key=arn))
    assert {call.action for call in recorder.calls} == {
        "kms:DescribeKey",
        "s3:GetEncryptionConfiguration",
    }
    for call in recorder.calls:
        assert allows(policy, call.action, call.resource)
        assert not allows(policies.policy("run", NAMES), call.action, call.resource)

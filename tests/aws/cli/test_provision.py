"""``aws provision``, ``aws destroy``, ``aws policy``: in a made-up account."""

from __future__ import annotations

import io
from collections.abc import Iterator
from unittest import mock

import pytest

from basketwise.aws import clients
from tests.aws.by_hand import make_by_hand
from tests.aws.calls import ACCOUNT, BUCKET, GROUP, STEM
from tests.aws.controls import BOUNDARY, KEY
from tests.aws.data import fill
from tests.aws.moto_account import Account, account, client_of
from tests.aws.stack_double import StackDouble
from tests.cli.calling import Outcome, call, called


@pytest.fixture
def aws() -> Iterator[Account]:
    with (
        account() as running,
        mock.patch.object(clients, "client", lambda service, _: client_of(service)),
    ):
        yield running


def typed(text: str, *arguments: str) -> Outcome:
    """Call with somebody at the keyboard."""
    keyboard = io.StringIO(text)
    with (
        mock.patch.object(keyboard, "isatty", return_value=True),
        mock.patch("sys.stdin", keyboard),
    ):
        return call(*arguments)


def test_a_dry_run_previews_without_changes(aws: Account) -> None:
    outcome = called("aws", "provision", "--dry-run")
    assert outcome.out.splitlines()[0] == "Add     AWS::S3::Bucket                    Bucket"
    assert outcome.out.splitlines()[-1] == "Nothing was changed."
    assert aws.buckets() == []


def test_provisioning_asks_first_and_lists_the_resources(aws: Account) -> None:
    refused = typed("n\n", "aws", "provision")
    assert (refused.code, aws.buckets()) == (0, [])
    outcome = typed("y\n", "aws", "provision")
    assert outcome.code == 0
    assert f"s3://{BUCKET}" in outcome.out
    assert f"role/{STEM}-sagemaker-execution" in outcome.out
    assert "Make these changes?" in outcome.err
    assert called("aws", "provision", "--yes").out == f"The stack {STEM} is up to date.\n"


def test_json_is_one_object(aws: Account) -> None:
    document = called("aws", "provision", "--yes", "--json").json
    assert document["done"] is True
    assert document["bucket"] == BUCKET
    assert {"action", "resource", "name", "replaced"} == set(document["changes"][0])


@pytest.mark.parametrize("command", ["provision", "destroy"])
def test_without_a_terminal_it_refuses_to_ask(aws: Account, command: str) -> None:
    outcome = call("aws", command)
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


def test_destroy_keeps_data(aws: Account) -> None:
    aws.provision()
    fill(aws)
    outcome = called("aws", "destroy", "--yes")
    assert f"removed   stack {STEM}" in outcome.out
    assert f"kept      s3://{BUCKET}" in outcome.out
    assert aws.buckets() == [BUCKET]
    assert aws.roles() == []


def test_data_are_deleted_after_two_confirmations(aws: Account) -> None:
    aws.provision()
    fill(aws)
    outcome = typed(f"{BUCKET}\ny\n", "aws", "destroy", "--delete-data")
    assert outcome.code == 0
    assert f"All data in s3://{BUCKET} and all versions of {GROUP} will be deleted." in outcome.err
    assert aws.buckets() == []


def test_a_wrong_name_leaves_even_the_stack(aws: Account) -> None:
    aws.provision()
    outcome = typed("yes\n", "aws", "destroy", "--delete-data", "--yes")
    assert outcome.code == 2
    assert f"--confirm {BUCKET}" in outcome.err
    assert aws.buckets() == [BUCKET]
    assert aws.roles() == [f"{STEM}-sagemaker-execution"]


def test_in_a_script_the_name_is_an_option(aws: Account) -> None:
    aws.provision()
    assert call("aws", "destroy", "--yes", "--confirm", BUCKET).code == 2
    arguments = ("--yes", "--delete-data", "--confirm", BUCKET, "--json")
    document = called("aws", "destroy", *arguments).json
    assert document["data_deleted"] is True
    assert document["removed"][0] == f"stack {STEM}"
    assert aws.buckets() == []


def test_a_policy_is_printed_without_asking_aws(aws: Account) -> None:
    other = "210987654321"
    document = called("aws", "policy", "run", "--account", other).json
    assert document["Version"] == "2012-10-17"
    assert f"arn:aws:s3:::{STEM}-{other}" in [item["Resource"] for item in document["Statement"]]
    assert call("aws", "policy", "run", "--account", "1").code == 2


def test_the_policy_is_for_the_account_of_the_credentials(aws: Account) -> None:
    text = called("aws", "policy", "provision").out
    assert f"{STEM}-{ACCOUNT}" in text


def test_a_wrong_schedule_and_a_strange_image_are_refused(aws: Account) -> None:
    assert call("aws", "provision", "--yes", "--schedule", "daily").code == 2
    image = ("--set", "aws.image=own", "--set", "aws.image_uri=docker.io/shop:1")
    assert call("aws", "provision", "--yes", *image).code == 2
    assert aws.buckets() == []


def test_a_policy_is_for_the_settings(aws: Account) -> None:
    settings = ("--set", f"aws.kms_key={KEY}", "--set", f"aws.permissions_boundary={BOUNDARY}")
    run = called("aws", "policy", "run", *settings).json
    assert KEY in [statement["Resource"] for statement in run["Statement"]]
    provision = called("aws", "policy", "provision", *settings).out
    assert f'"iam:PermissionsBoundary": "{BOUNDARY}"' in provision
    assert "kms:" not in called("aws", "policy", "run").out


def test_what_is_adopted_and_set_is_shown_before_it_is_asked(aws: Account) -> None:
    make_by_hand(aws)
    stacks = StackDouble(aws.iam, aws.s3, aws.sagemaker)

    def opened(service: str, _: object) -> object:
        return stacks if service == "cloudformation" else client_of(service)

    with mock.patch.object(clients, "client", opened):
        refused = typed("n\n", "aws", "provision")
        assert refused.out.splitlines()[-1] == "Nothing was changed."
        assert f"Import  AWS::S3::Bucket                    Bucket ({BUCKET})" in refused.out
        assert f"Set     AWS::S3::Bucket                    versioning of {BUCKET}" in refused.out
        assert "keeps its own policies" in refused.err
        assert "Status" not in aws.s3.get_bucket_versioning(Bucket=BUCKET)
        document = called("aws", "provision", "--yes", "--json").json
        assert {change["action"] for change in document["changes"]} == {"Import", "Set"}
        assert aws.s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
        up_to_date = called("aws", "provision", "--yes")
        assert up_to_date.out == f"The stack {STEM} is up to date.\n"
        destroyed = called("aws", "destroy", "--yes")
    assert destroyed.out.splitlines()[0] == f"removed   stack {STEM}"
    assert "was there before" in destroyed.err
    assert aws.roles() == [f"{STEM}-sagemaker-execution"]


def test_who_is_told_of_versions_is_shown(aws: Account) -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:releases"
    shown = called("aws", "provision", "--yes", "--set", f"aws.notify={topic}").out
    assert f"notices to  {topic}" in shown
    assert "AWS mails a link" not in shown
    assert "AWS::Events::Rule" in shown


def test_an_address_has_to_be_confirmed(aws: Account) -> None:
    shown = called("aws", "provision", "--yes", "--set", "aws.notify=ann@example.com").out
    assert "AWS mails a link first: nothing is sent before it is confirmed." in shown
    refused = call("aws", "provision", "--yes", "--set", "aws.notify=ann")
    assert refused.code == 2
    assert "aws.notify" in refused.err

"""Notices of new, approved and rejected versions: the rule, its topic, and what is mailed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from moto.events.models import EventPattern

from tests.aws.account.test_template import resource
from tests.aws.calls import GROUP, NAMES, SCOPE, STEM
from tests.aws.moto_account import REGION, Account, account, client_of

TOPIC = f"arn:aws:sns:{SCOPE}:{STEM}-approvals"
OTHER = f"arn:aws:sns:{SCOPE}:releases"
EVENT = {
    # As in the SageMaker Developer Guide, "Events that SageMaker AI sends to EventBridge".
    "version": "0",
    "id": "844e2571-85d4-695f-b930-0153b71dcb42",
    "detail-type": "SageMaker Model Package State Change",
    "source": "aws.sagemaker",
    "account": "123456789012",
    "time": "2021-02-24T17:00:14Z",
    "region": "eu-west-1",
    "resources": [f"arn:aws:sagemaker:{SCOPE}:model-package/{GROUP}/2"],
    "detail": {
        "ModelPackageGroupName": GROUP,
        "ModelPackageVersion": 2,
        "ModelPackageArn": f"arn:aws:sagemaker:{SCOPE}:model-package/{GROUP}/2",
        "CreationTime": "2021-02-24T17:00:14Z",
        "InferenceSpecification": {
            "Containers": [{"Image": "i", "ImageDigest": "sha256:4d", "ModelDataUrl": "s3://b/m"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        "ModelApprovalStatus": "Rejected",
        "MetadataProperties": {"GeneratedBy": f"arn:aws:sagemaker:{SCOPE}:pipeline/p/execution/4"},
        "LastModifiedTime": "2021-02-24T17:00:14Z",
    },
}


@pytest.fixture
def aws() -> Iterator[Account]:
    with account() as made:
        yield made


def rules() -> list[dict[str, Any]]:
    return list(client_of("events").list_rules(NamePrefix=STEM)["Rules"])


def target() -> dict[str, Any]:
    (only,) = client_of("events").list_targets_by_rule(Rule=f"{STEM}-approvals")["Targets"]
    assert isinstance(only, dict)
    return only


def matches(pattern: str, **detail: object) -> bool:
    event: Any = EVENT | {"detail": {**EVENT["detail"], **detail}}  # type: ignore[dict-item]
    return EventPattern(pattern, json.loads(pattern)).matches_event(event)


def test_nothing_is_sent_unless_it_is_asked_for(aws: Account) -> None:
    aws.provision()
    assert rules() == []
    assert client_of("sns").list_topics()["Topics"] == []


def test_an_address_gets_a_topic_of_its_own(aws: Account) -> None:
    aws.provision(notify="ann@example.com")
    assert [topic["TopicArn"] for topic in client_of("sns").list_topics()["Topics"]] == [TOPIC]
    assert target()["Arn"] == TOPIC


def test_eventbridge_alone_may_publish_and_the_address_subscribes() -> None:
    # moto makes neither.
    mail = resource("ApprovalMail")["Properties"]
    assert mail == {
        "TopicArn": {"Ref": "ApprovalTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "NotifyEmail"},
    }
    (statement,) = resource("ApprovalTopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sns:Publish", {"Ref": "ApprovalTopic"})
    # AWS does not evaluate any for EventBridge: with one, nothing would arrive.
    assert "Condition" not in statement


def test_a_topic_of_ones_own_is_left_as_it_is(aws: Account) -> None:
    aws.provision(notify=OTHER)
    assert client_of("sns").list_topics()["Topics"] == []
    assert target()["Arn"] == OTHER


def test_the_rule_matches_what_sagemaker_sends_of_this_group(aws: Account) -> None:
    aws.provision(notify="ann@example.com")
    (rule,) = rules()
    for status in ("PendingManualApproval", "Approved", "Rejected"):
        assert matches(rule["EventPattern"], ModelApprovalStatus=status)
    assert not matches(rule["EventPattern"], ModelPackageGroupName="theirs")
    assert NAMES.region == REGION


def test_the_mail_says_what_happened_and_where_to_read_why(aws: Account) -> None:
    aws.provision(notify="ann@example.com")
    transformer = target()["InputTransformer"]
    values: dict[str, object] = {}
    for name, path in transformer["InputPathsMap"].items():
        value: Any = EVENT
        for key in path.removeprefix("$.").split("."):
            value = value[key]
        values[name] = value
    template = json.loads(transformer["InputTemplate"])
    text = re.sub(r"<(\w+)>", lambda match: str(values[match[1]]), template)
    assert text == (
        f"Version 2 of {GROUP} is Rejected. Who decided, and why: basketwise models history 2"
    )

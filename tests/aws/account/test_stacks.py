"""What moto's stacks never do: fail, take their time, be at work already."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from basketwise.aws.account import stacks
from basketwise.errors import DependencyError
from tests.aws.calls import SCOPE, STEM

ID = f"arn:aws:cloudformation:{SCOPE}:stack/{STEM}/1"
SET = f"arn:aws:cloudformation:{SCOPE}:changeSet/x/1"
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


class StubbedClient:
    """A client that answers what it was told to, in order; counts the pauses."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "cloudformation",
            region_name="eu-west-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        self.stub = Stubber(self.client)
        self.pauses = 0

    def pause(self, _: float) -> None:
        self.pauses += 1

    def status(self, *statuses: str) -> None:
        for status in statuses:
            stack = {
                "StackName": STEM,
                "StackId": ID,
                "CreationTime": NOON,
                "StackStatus": status,
            }
            self.stub.add_response("describe_stacks", {"Stacks": [stack]})

    def no_stack(self) -> None:
        self.stub.add_client_error(
            "describe_stacks", "ValidationError", f"Stack with id {STEM} does not exist"
        )

    def created(self) -> None:
        self.stub.add_response("create_change_set", {"Id": SET, "StackId": ID})

    def change_set(self, status: str, reason: str = "", **more: Any) -> None:
        answer = {"Status": status, "StatusReason": reason, "Changes": [], **more}
        self.stub.add_response("describe_change_set", answer)

    def events(self, *events: tuple[str, str, str]) -> None:
        answer = [
            {
                "StackId": ID,
                "EventId": str(n),
                "StackName": STEM,
                "LogicalResourceId": name,
                "PhysicalResourceId": ID if name == STEM else name,
                "ResourceType": "AWS::S3::Bucket",
                "Timestamp": NOON,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
            for n, (name, status, reason) in enumerate(events)
        ]
        self.stub.add_response("describe_stack_events", {"StackEvents": answer})


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubbedClient]:
    stubbed = StubbedClient()
    monkeypatch.setattr(stacks, "sleep", stubbed.pause)
    with stubbed.stub:
        yield stubbed
    stubbed.stub.assert_no_pending_responses()


def changes(stubbed: StubbedClient) -> tuple[stacks.Change, ...]:
    return stacks.change(stubbed.client, STEM, "{}", {}, lambda _: False, lambda _: None).changes


def resource(name: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": name,
            "ResourceType": "AWS::S3::Bucket",
            **more,
        },
    }


def test_changes_are_waited_for_and_read_page_by_page(stubbed: StubbedClient) -> None:
    stubbed.status("UPDATE_COMPLETE")
    stubbed.created()
    stubbed.change_set("CREATE_IN_PROGRESS")
    stubbed.change_set("CREATE_COMPLETE", Changes=[resource("A")], NextToken="more")
    stubbed.change_set(
        "CREATE_COMPLETE",
        Changes=[resource("B", PhysicalResourceId="shop", Replacement="True")],
    )
    stubbed.status("UPDATE_COMPLETE")
    stubbed.stub.add_response("delete_change_set", {})
    preview = changes(stubbed)
    assert [item.name for item in preview] == ["A", "B (shop)"]
    assert str(preview[1]).endswith("(may be recreated)")
    assert stubbed.pauses == 1


def test_a_refusal_of_cloudformation_is_shown_and_leaves_no_stack(
    stubbed: StubbedClient,
) -> None:
    stubbed.no_stack()
    stubbed.created()
    stubbed.change_set("FAILED", "Bucket is owned by another account")
    stubbed.status("REVIEW_IN_PROGRESS")
    stubbed.stub.add_response("delete_stack", {}, {"StackName": ID})
    with pytest.raises(DependencyError, match="owned by another account"):
        changes(stubbed)


def test_no_changes_are_no_error(stubbed: StubbedClient) -> None:
    stubbed.status("CREATE_COMPLETE")
    stubbed.created()
    stubbed.change_set("FAILED", "The submitted information didn't contain changes.")
    stubbed.status("CREATE_COMPLETE")
    stubbed.stub.add_response("delete_change_set", {})
    assert changes(stubbed) == ()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UPDATE_IN_PROGRESS", "being changed already"),
        ("ROLLBACK_COMPLETE", "basketwise aws destroy"),
        ("DELETE_FAILED", "basketwise aws destroy"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_refused(
    stubbed: StubbedClient, status: str, message: str
) -> None:
    stubbed.status(status)
    with pytest.raises(DependencyError, match=message):
        changes(stubbed)


def test_a_failed_change_names_the_first_cause_and_no_older_one(stubbed: StubbedClient) -> None:
    stubbed.no_stack()
    stubbed.created()
    stubbed.change_set("CREATE_COMPLETE", Changes=[resource("Bucket")])
    stubbed.stub.add_response("execute_change_set", {})
    stubbed.status("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_COMPLETE")
    stubbed.events(
        ("ExecutionRole", "CREATE_FAILED", "Resource creation cancelled"),
        ("Bucket", "CREATE_FAILED", "shop already exists"),
        (STEM, "CREATE_IN_PROGRESS", "User Initiated"),
        ("Bucket", "CREATE_FAILED", "of another attempt"),
    )
    stubbed.status("DELETE_COMPLETE")
    with pytest.raises(DependencyError) as error:
        stacks.change(stubbed.client, STEM, "{}", {}, lambda _: True, lambda _: None)
    assert "DELETE_COMPLETE" in error.value.headline
    assert error.value.hint.splitlines() == [
        "Bucket (AWS::S3::Bucket): shop already exists",
        "ExecutionRole (AWS::S3::Bucket): Resource creation cancelled",
    ]
    assert stubbed.pauses == 2


def test_waiting_ends(stubbed: StubbedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "POLL_SECONDS", stacks.LIMIT_SECONDS / 2)
    stubbed.status("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
    with pytest.raises(
        DependencyError, match="still in status UPDATE_IN_PROGRESS after 30 minutes"
    ):
        stacks.wait_for_stack(stubbed.client, STEM)


def test_a_removal_that_fails_says_why(stubbed: StubbedClient) -> None:
    stubbed.status("CREATE_COMPLETE")
    stubbed.stub.add_response("delete_stack", {}, {"StackName": ID})
    stubbed.status("DELETE_FAILED")
    stubbed.events(("ExecutionRole", "DELETE_FAILED", "still attached"))
    with pytest.raises(DependencyError) as error:
        stacks.remove(stubbed.client, STEM)
    assert "still attached" in error.value.hint


def test_refused_permission_says_so(stubbed: StubbedClient) -> None:
    stubbed.stub.add_client_error("describe_stacks", "AccessDenied", "not authorized")
    with pytest.raises(DependencyError, match="not authorized"):
        stacks.status(stubbed.client, STEM)

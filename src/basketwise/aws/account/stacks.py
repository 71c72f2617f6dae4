"""CloudFormation stacks: changes shown before they are made, and followed to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import sleep, time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from basketwise.aws.errors import Meaning, call, refusal, translated
from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

NO_STACK = "NONE"
"""Status of a stack that does not exist."""

NEW = frozenset({NO_STACK, "REVIEW_IN_PROGRESS"})
SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
CHANGEABLE = SUCCEEDED | {"UPDATE_ROLLBACK_COMPLETE"}
"""Statuses of a stack that can be changed; a rollback left it as it was."""

POLL_SECONDS, LIMIT_SECONDS = 5.0, 1800.0


@dataclass(frozen=True)
class Change:
    """One line of a preview.

    The action is ``Add``, ``Modify``, ``Remove`` or ``Import`` (it exists already, and is taken
    over); the resource is its type, ``AWS::S3::Bucket``; the name is the template's, with the real
    one in brackets once it has one. What is replaced is, or may be, made anew, without its content.
    """

    action: str
    resource: str
    name: str
    replaced: bool = False

    def __str__(self) -> str:
        again = "  (may be made anew)" if self.replaced else ""
        return f"{self.action:<8}{self.resource:<35}{self.name}{again}"


class Changed(NamedTuple):
    """Changes to a stack, in CloudFormation's order, and whether they were made."""

    changes: tuple[Change, ...]
    done: bool


def status(cloudformation: CloudFormationClient, stack: str) -> str:
    """Return a stack's status, ``NONE`` if there is none of that name or id."""
    described = _described(cloudformation, stack)
    return described["StackStatus"] if described else NO_STACK


def values(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Return the parameters that a stack was last given; empty if there is no stack."""
    described = _described(cloudformation, stack)
    parameters = described.get("Parameters", []) if described else []
    return {item["ParameterKey"]: item["ParameterValue"] for item in parameters}


def change(
    cloudformation: CloudFormationClient,
    stack: str,
    template: str,
    parameters: Mapping[str, str],
    agree: Callable[[tuple[Change, ...]], bool],
    tell: Callable[[str], None],
) -> Changed:
    """Show what a template would change, and make the changes if somebody agrees.

    If one of them fails, CloudFormation undoes the others. What was worked out and not made is
    removed at the end, and so is the empty stack that CloudFormation makes for the purpose.
    """
    before = status(cloudformation, stack)
    _require_changeable(stack, before)
    # A first attempt that fails leaves nothing that would be in the way of a second.
    on_failure: Any = {"OnStackFailure": "DELETE"} if before in NEW else {}
    with translated(f"preview the changes to the stack {stack}"):
        created = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=f"basketwise-{time_ns():x}",
            ChangeSetType="CREATE" if before in NEW else "UPDATE",
            TemplateBody=template,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            # What an earlier stack left behind on purpose is taken over, not an obstacle.
            ImportExistingResources=True,
            **on_failure,
        )
    arn, stack_id = created["Id"], created["StackId"]
    try:
        changes = _worked_out(cloudformation, arn, stack_id)
        agreed = bool(changes) and agree(changes)
        if agreed:
            _apply(cloudformation, arn, stack_id, tell)
        return Changed(changes, agreed)
    finally:
        with suppress(DependencyError), translated("remove the preview"):
            after = status(cloudformation, stack_id)
            if after == "REVIEW_IN_PROGRESS":
                cloudformation.delete_stack(StackName=stack_id)
            elif after in CHANGEABLE:
                cloudformation.delete_change_set(ChangeSetName=arn, StackName=stack_id)


def remove(cloudformation: CloudFormationClient, stack: str) -> bool:
    """Remove a stack and wait; what its template says to retain stays. False if there was none."""
    described = _described(cloudformation, stack)
    if described is None:
        return False
    with translated(f"remove the stack {stack}"):
        cloudformation.delete_stack(StackName=described["StackId"])
    end = settled(cloudformation, described["StackId"])
    if end not in {"DELETE_COMPLETE", NO_STACK}:
        raise DependencyError(
            f"The stack {stack} could not be removed ({end}).",
            "\n".join(failures(cloudformation, described["StackId"])) or "Try again.",
        )
    return True


def settled(cloudformation: CloudFormationClient, stack: str) -> str:
    """Wait until a stack is not being changed; return its status then."""
    now = ""
    for _ in _polls():
        now = status(cloudformation, stack)
        if not now.endswith("_IN_PROGRESS"):
            return now
    raise DependencyError(
        f"The stack is still at {now} after {LIMIT_SECONDS / 60:.0f} minutes.",
        "CloudFormation goes on by itself; look at the stack's events in its console.",
    )


def failures(cloudformation: CloudFormationClient, stack: str) -> list[str]:
    """Return what failed in the last change of a stack, first cause first."""
    failed: list[str] = []
    with translated(f"read the events of {stack}"):
        pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
        for event in (event for page in pages for event in page["StackEvents"]):
            reason = event.get("ResourceStatusReason", "")
            if str(event["ResourceStatus"]).endswith("_FAILED"):
                failed.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
            elif reason == "User Initiated" and event["PhysicalResourceId"] == event["StackId"]:
                # Events come newest first; older ones belong to changes made before.
                break
    return failed[::-1]


def _described(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef | None:
    answer = call(
        f"describe the stack {stack}",
        lambda: cloudformation.describe_stacks(StackName=stack),
        Meaning.MISSING,
    )
    return answer["Stacks"][0] if answer else None


def _polls() -> Iterator[None]:
    """Yield now and after each pause, until the limit is reached."""
    for turn in range(int(LIMIT_SECONDS / POLL_SECONDS)):
        if turn:
            sleep(POLL_SECONDS)
        yield


def _apply(
    cloudformation: CloudFormationClient, arn: str, stack_id: str, tell: Callable[[str], None]
) -> None:
    with translated("change the stack"):
        cloudformation.execute_change_set(
            ChangeSetName=arn, StackName=stack_id, RetainExceptOnCreate=True
        )
    tell("CloudFormation is at work, and goes on should this command be stopped.")
    end = settled(cloudformation, stack_id)
    if end not in SUCCEEDED:
        raise DependencyError(
            f"The stack could not be changed ({end}); what had been changed was undone.",
            "\n".join(failures(cloudformation, stack_id))
            or "CloudFormation gives no reason; its console shows the stack's events.",
        )


def _require_changeable(stack: str, now: str) -> None:
    if now in NEW or now in CHANGEABLE:
        return
    if now.endswith("_IN_PROGRESS"):
        raise DependencyError(
            f"The stack {stack} is being changed already ({now}).",
            "Wait until that has ended, then start the same command again.",
        )
    raise DependencyError(
        f"The stack {stack} cannot be changed: it is at {now}.",
        "Remove it with 'basketwise aws destroy' (data stays), then provision again.",
    )


def _worked_out(
    cloudformation: CloudFormationClient, arn: str, stack_id: str
) -> tuple[Change, ...]:
    paginator = cloudformation.get_paginator("describe_change_set")
    for _ in _polls():
        with translated("read the changes"):
            pages = list(paginator.paginate(ChangeSetName=arn, StackName=stack_id))
        if pages[0]["Status"] == "CREATE_COMPLETE":
            return tuple(
                _change(item["ResourceChange"]) for page in pages for item in page["Changes"]
            )
        if pages[0]["Status"] == "FAILED":
            reason = pages[0].get("StatusReason", "")
            if refusal("FAILED", reason).meaning is Meaning.NO_CHANGES:
                return ()
            raise DependencyError(
                f"CloudFormation cannot make these changes: {reason}",
                "Fix what it names, then start the same command again.",
            )
    raise DependencyError("CloudFormation did not work out the changes.", "Try again later.")


def _change(described: Mapping[str, Any]) -> Change:
    physical = described.get("PhysicalResourceId")
    return Change(
        described["Action"],
        described["ResourceType"],
        described["LogicalResourceId"] + (f" ({physical})" if physical else ""),
        replaced=described.get("Replacement") in {"True", "Conditional"},
    )

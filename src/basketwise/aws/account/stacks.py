"""CloudFormation stacks: changes shown before they are made, and followed to their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from basketwise.aws.errors import ask, missing, translated
from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

NOT_THERE = "NONE"
"""Status of a stack that does not exist."""

NEW = frozenset({NOT_THERE, "REVIEW_IN_PROGRESS"})
CHANGEABLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}
)
"""Statuses of a stack that can be changed; a rollback left it as it was."""

SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
UNCHANGED = ("didn't contain changes", "No updates are to be performed")
LIMIT_SECONDS = 1800.0


@dataclass(frozen=True)
class Waiting:
    """How to wait: seconds between two questions, and what passes them."""

    poll: float = 5.0
    sleep: Callable[[float], None] = time.sleep

    def ticks(self) -> Iterator[None]:
        """Give a turn now and after each pause, until the limit is reached."""
        for turn in range(int(LIMIT_SECONDS / self.poll)):
            if turn:
                self.sleep(self.poll)
            yield


PATIENT = Waiting()


@dataclass(frozen=True)
class Change:
    """One line of a preview.

    Attributes
    ----------
    action
        ``Add``, ``Modify``, ``Remove`` or ``Import`` (it is there already, and is taken over).
    resource
        Its type, ``AWS::S3::Bucket``.
    name
        What the template calls it; with the real name in brackets once it has one.
    replaced
        Whether it is, or may be, made anew: what it held is not carried over.
    """

    action: str
    resource: str
    name: str
    replaced: bool = False

    def __str__(self) -> str:
        again = "  (may be made anew)" if self.replaced else ""
        return f"{self.action:<8}{self.resource:<35}{self.name}{again}"


@dataclass(frozen=True)
class ChangeSet:
    """Changes that CloudFormation has worked out and not yet made."""

    arn: str
    stack_id: str
    changes: tuple[Change, ...]


def status(cloudformation: CloudFormationClient, stack: str) -> str:
    """Return a stack's status, ``NONE`` if there is none of that name or id."""
    described = _described(cloudformation, stack)
    return described["StackStatus"] if described else NOT_THERE


def values(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Return the parameters that a stack was last given; empty if there is no stack."""
    described = _described(cloudformation, stack)
    parameters = described.get("Parameters", []) if described else []
    return {one["ParameterKey"]: one["ParameterValue"] for one in parameters}


@contextmanager
def proposed(
    cloudformation: CloudFormationClient,
    stack: str,
    template: str,
    parameters: Mapping[str, str],
    waiting: Waiting = PATIENT,
) -> Iterator[ChangeSet]:
    """Have CloudFormation work out what a template would change.

    Nothing is changed. What was worked out, and the empty stack that CloudFormation makes for the
    purpose, is removed at the end unless it was made so by `apply`.

    Raises
    ------
    DependencyError
        If the stack cannot be changed now, or CloudFormation refuses the template.
    """
    before = status(cloudformation, stack)
    _require_changeable(stack, before)
    new = before in NEW
    # A first attempt that fails leaves nothing that would be in the way of a second.
    on_failure: Any = {"OnStackFailure": "DELETE"} if new else {}
    with translated(f"work out the changes to the stack {stack}"):
        made = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=f"basketwise-{time.time_ns():x}",
            ChangeSetType="CREATE" if new else "UPDATE",
            TemplateBody=template,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            # What an earlier stack left behind on purpose is taken over, not an obstacle.
            ImportExistingResources=True,
            **on_failure,
        )
    try:
        changes = _worked_out(cloudformation, made["Id"], made["StackId"], waiting)
        yield ChangeSet(made["Id"], made["StackId"], changes)
    finally:
        with suppress(DependencyError), translated("remove what was worked out"):
            _discard(cloudformation, made["Id"], made["StackId"])


def apply(
    cloudformation: CloudFormationClient,
    change_set: ChangeSet,
    tell: Callable[[str], None],
    waiting: Waiting = PATIENT,
) -> None:
    """Make the changes and wait until they are made.

    Raises
    ------
    DependencyError
        If one of them failed; CloudFormation has then undone the others.
    """
    with translated("change the stack"):
        cloudformation.execute_change_set(
            ChangeSetName=change_set.arn, StackName=change_set.stack_id, RetainExceptOnCreate=True
        )
    tell("CloudFormation is at work, and goes on should this command be stopped.")
    end = settled(cloudformation, change_set.stack_id, waiting)
    if end not in SUCCEEDED:
        raise DependencyError(
            f"The stack could not be changed ({end}); what had been changed was undone.",
            "\n".join(failures(cloudformation, change_set.stack_id))
            or "CloudFormation gives no reason; its console shows the stack's events.",
        )


def remove(cloudformation: CloudFormationClient, stack: str, waiting: Waiting = PATIENT) -> bool:
    """Remove a stack and wait; what its template says to retain stays.

    Returns
    -------
    bool
        False if there was none.
    """
    described = _described(cloudformation, stack)
    if described is None:
        return False
    with translated(f"remove the stack {stack}"):
        cloudformation.delete_stack(StackName=described["StackId"])
    end = settled(cloudformation, described["StackId"], waiting)
    if end not in {"DELETE_COMPLETE", NOT_THERE}:
        raise DependencyError(
            f"The stack {stack} could not be removed ({end}).",
            "\n".join(failures(cloudformation, described["StackId"])) or "Try again.",
        )
    return True


def settled(cloudformation: CloudFormationClient, stack: str, waiting: Waiting) -> str:
    """Wait until a stack is not being changed; return its status then."""
    now = ""
    for _ in waiting.ticks():
        now = status(cloudformation, stack)
        if not now.endswith("_IN_PROGRESS"):
            return now
    raise DependencyError(
        f"The stack is still at {now} after {LIMIT_SECONDS / 60:.0f} minutes.",
        "CloudFormation goes on by itself; look at the stack's events in its console.",
    )


def failures(cloudformation: CloudFormationClient, stack: str) -> list[str]:
    """Return what failed in the last change of a stack, first cause first."""
    found: list[str] = []
    with translated(f"read the events of {stack}"):
        pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
        for event in (event for page in pages for event in page["StackEvents"]):
            reason = event.get("ResourceStatusReason", "")
            if str(event["ResourceStatus"]).endswith("_FAILED"):
                found.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
            elif reason == "User Initiated" and event["PhysicalResourceId"] == event["StackId"]:
                # Events come newest first; older ones belong to changes made before.
                break
    return found[::-1]


def _described(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef | None:
    answer = ask(
        f"look at the stack {stack}",
        lambda: cloudformation.describe_stacks(StackName=stack),
        missing,
    )
    return answer["Stacks"][0] if answer else None


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
    cloudformation: CloudFormationClient, arn: str, stack_id: str, waiting: Waiting
) -> tuple[Change, ...]:
    request: Any = {"ChangeSetName": arn, "StackName": stack_id}
    for _ in waiting.ticks():
        with translated("read the changes"):
            pages = [cloudformation.describe_change_set(**request)]
            while more := pages[-1].get("NextToken"):
                pages.append(cloudformation.describe_change_set(**request, NextToken=more))
        reason = pages[0].get("StatusReason", "")
        if pages[0]["Status"] == "CREATE_COMPLETE":
            found = (one["ResourceChange"] for page in pages for one in page.get("Changes", []))
            return tuple(map(_change, found))
        if pages[0]["Status"] == "FAILED":
            if any(sign in reason for sign in UNCHANGED):
                return ()
            raise DependencyError(
                f"CloudFormation cannot make these changes: {reason}",
                "Fix what it names, then start the same command again.",
            )
    raise DependencyError("CloudFormation did not work out the changes.", "Try again later.")


def _change(found: Mapping[str, Any]) -> Change:
    physical = found.get("PhysicalResourceId")
    return Change(
        action=found["Action"],
        resource=found["ResourceType"],
        name=found["LogicalResourceId"] + (f" ({physical})" if physical else ""),
        replaced=found.get("Replacement") in {"True", "Conditional"},
    )


def _discard(cloudformation: CloudFormationClient, arn: str, stack_id: str) -> None:
    now = status(cloudformation, stack_id)
    if now == "REVIEW_IN_PROGRESS":
        cloudformation.delete_stack(StackName=stack_id)
    elif now in CHANGEABLE:
        cloudformation.delete_change_set(ChangeSetName=arn, StackName=stack_id)

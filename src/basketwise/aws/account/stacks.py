"""CloudFormation stacks: previewing changes, making them, and waiting for their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
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

    The action is ``Add``, ``Modify``, ``Remove`` or ``Import`` (it exists already and is
    adopted); the resource is its type, ``AWS::S3::Bucket``; the name is the template's, followed by
    the physical name in brackets, if any. ``replaced``: it is, or may be, recreated, without its
    content.
    """

    action: str
    resource: str
    name: str
    replaced: bool = False

    def __str__(self) -> str:
        note = "  (may be recreated)" if self.replaced else ""
        return f"{self.action:<8}{self.resource:<35}{self.name}{note}"


class Changed(NamedTuple):
    """Changes to a stack, in CloudFormation's order, and whether they were made."""

    changes: tuple[Change, ...]
    applied: bool


def status(cloudformation: CloudFormationClient, stack: str) -> str:
    """Return a stack's status, ``NONE`` if there is none of that name or id."""
    described = _described(cloudformation, stack)
    return described["StackStatus"] if described else NO_STACK


def parameters_of(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Return the parameters that a stack was last given; empty if there is no stack."""
    described = _described(cloudformation, stack)
    parameters = described.get("Parameters", []) if described else []
    return {item["ParameterKey"]: item["ParameterValue"] for item in parameters}


def change(
    cloudformation: CloudFormationClient,
    stack: str,
    template: str,
    parameters: Mapping[str, str],
    confirm: Callable[[tuple[Change, ...]], bool],
    report: Callable[[str], None],
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Changed:
    """Preview what a template would change, and make the changes if ``confirm`` agrees.

    If one of them fails, CloudFormation rolls back the others. An unused preview is removed at the
    end, and so is the empty stack that CloudFormation creates for it. ``tags`` are those of the
    stack itself, which CloudFormation puts on all its resources too; None: those that it has.
    """
    described = _described(cloudformation, stack)
    before = described["StackStatus"] if described else NO_STACK
    has_tags = bool(described and described.get("Tags"))
    # An empty list removes those that it has.
    own_tags: Any = {"Tags": tags} if tags or (has_tags and tags is not None) else {}
    _require_changeable(stack, before)
    # A creation that fails leaves nothing that would block the next one.
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
            # Resources that an earlier stack retained are adopted.
            ImportExistingResources=True,
            **on_failure,
            **own_tags,
        )
    arn, stack_id = created["Id"], created["StackId"]
    try:
        changes = _preview(cloudformation, arn, stack_id)
        confirmed = bool(changes) and confirm(changes)
        if confirmed:
            _apply(cloudformation, arn, stack_id, report)
        return Changed(changes, confirmed)
    finally:
        with suppress(DependencyError), translated("remove the preview"):
            after = status(cloudformation, stack_id)
            if after == "REVIEW_IN_PROGRESS":
                cloudformation.delete_stack(StackName=stack_id)
            elif after in CHANGEABLE:
                cloudformation.delete_change_set(ChangeSetName=arn, StackName=stack_id)


def remove(cloudformation: CloudFormationClient, stack: str) -> bool:
    """Remove a stack and wait; retained resources are kept. False if there was none."""
    described = _described(cloudformation, stack)
    if described is None:
        return False
    with translated(f"remove the stack {stack}"):
        cloudformation.delete_stack(StackName=described["StackId"])
    end = wait_for_stack(cloudformation, described["StackId"])
    if end not in {"DELETE_COMPLETE", NO_STACK}:
        raise DependencyError(
            f"The stack {stack} could not be removed ({end}).",
            "\n".join(failures(cloudformation, described["StackId"])) or "Try again.",
        )
    return True


def wait_for_stack(cloudformation: CloudFormationClient, stack: str) -> str:
    """Wait until a stack is no longer being changed; return its status."""
    now = ""
    for _ in _polls():
        now = status(cloudformation, stack)
        if not now.endswith("_IN_PROGRESS"):
            return now
    raise DependencyError(
        f"The stack is still in status {now} after {LIMIT_SECONDS / 60:.0f} minutes.",
        "CloudFormation continues by itself; its console shows the stack's events.",
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
    describe = partial(cloudformation.describe_stacks, StackName=stack)
    answer = call(f"describe the stack {stack}", describe, Meaning.MISSING)
    return answer["Stacks"][0] if answer else None


def _polls() -> Iterator[None]:
    """Yield now and after each pause, until the limit is reached."""
    for turn in range(int(LIMIT_SECONDS / POLL_SECONDS)):
        if turn:
            sleep(POLL_SECONDS)
        yield


def _apply(
    cloudformation: CloudFormationClient, arn: str, stack_id: str, report: Callable[[str], None]
) -> None:
    with translated("change the stack"):
        cloudformation.execute_change_set(
            ChangeSetName=arn, StackName=stack_id, RetainExceptOnCreate=True
        )
    report("CloudFormation is making the changes, and continues if this command is stopped.")
    end = wait_for_stack(cloudformation, stack_id)
    if end not in SUCCEEDED:
        raise DependencyError(
            f"The stack could not be changed ({end}); all changes were rolled back.",
            "\n".join(failures(cloudformation, stack_id))
            or "CloudFormation gives no reason; its console shows the stack's events.",
        )


def _require_changeable(stack: str, now: str) -> None:
    if now in NEW or now in CHANGEABLE:
        return
    if now.endswith("_IN_PROGRESS"):
        raise DependencyError(
            f"The stack {stack} is being changed already ({now}).",
            "Wait until the change has ended, then run the same command again.",
        )
    raise DependencyError(
        f"The stack {stack} cannot be changed: its status is {now}.",
        "Remove it with 'basketwise aws destroy' (data are kept), then provision again.",
    )


def _preview(cloudformation: CloudFormationClient, arn: str, stack_id: str) -> tuple[Change, ...]:
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
                "Fix the cause, then run the same command again.",
            )
    raise DependencyError(
        "CloudFormation did not finish the preview of the changes in time.", "Try again later."
    )


def _change(described: Mapping[str, Any]) -> Change:
    physical = described.get("PhysicalResourceId")
    return Change(
        described["Action"],
        described["ResourceType"],
        described["LogicalResourceId"] + (f" ({physical})" if physical else ""),
        replaced=described.get("Replacement") in {"True", "Conditional"},
    )

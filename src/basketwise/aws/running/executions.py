"""Executions of the SageMaker Pipeline: looked up by name, described, followed to their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from basketwise import clock
from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.aws.running.jobs import OUTCOMES, POLL_SECONDS, LogTail
from basketwise.errors import DependencyError, InputError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient

ENDED = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})
PAGE_SIZE = 100
MAX_SHOWN = 5
"""Executions that are listed when the requested one does not exist."""

UPSERT_HINT = "Create it first: basketwise aws pipeline upsert"

JOBS = ("TrainingJob", "ProcessingJob")


@dataclass(frozen=True)
class Step:
    """One step of an execution.

    Attributes
    ----------
    status
        ``Starting``, ``Executing``, ``Stopping``, ``Stopped``, ``Failed`` or ``Succeeded``.
    seconds
        Run time, up to now if it has not ended; None if it has not started.
    cached
        Whether an earlier execution's outputs are reused.
    arn
        ARN of the job or version that it created; empty for other kinds.
    log_group
        Log group of the job; empty if it has none.
    """

    name: str
    status: str
    seconds: float | None
    cached: bool
    reason: str
    arn: str
    log_group: str

    def __str__(self) -> str:
        cached = ", reused from an earlier execution" if self.cached else ""
        return f"{self.name}: {self.status}{cached}{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class Execution:
    """One execution of the pipeline, named after its run, with its started steps in order.

    Attributes
    ----------
    status
        ``Executing``, ``Stopping``, ``Stopped``, ``Failed`` or ``Succeeded``.
    reason
        Why it failed: the reasons of the failed steps, else that of the execution.
    started
        ISO 8601, UTC.
    """

    name: str
    arn: str
    status: str
    reason: str
    started: str
    steps: tuple[Step, ...]


def find_execution(sagemaker: SageMakerClient, names: AwsNames, reference: str) -> str | None:
    """Return the ARN of the execution with a name or id; None if there is none."""
    for name, arn in _executions(sagemaker, names):
        if reference in (name, arn.rpartition("/")[2]):
            return arn
    return None


def execution_arn(sagemaker: SageMakerClient, names: AwsNames, reference: str) -> str:
    """Return the ARN of the execution with a name, id or ARN; without any, of the latest.

    Raises InputError if there is none, DependencyError if SageMaker refuses.
    """
    if reference.startswith("arn:"):
        return reference
    if reference and (arn := find_execution(sagemaker, names, reference)):
        return arn
    latest = _executions(sagemaker, names, MAX_SHOWN)
    name = pipeline_name(names)
    if not latest:
        raise InputError(
            f"The pipeline {name} has never been started.",
            "Start it: basketwise aws pipeline start",
        )
    if not reference:
        return latest[0][1]
    shown = ", ".join(name for name, _ in latest)
    raise InputError(f"The pipeline {name} has no execution {reference!r}.", f"Latest: {shown}.")


def describe(sagemaker: SageMakerClient, arn: str) -> Execution:
    """Describe an execution; raises InputError if there is none with that ARN."""
    read = partial(sagemaker.describe_pipeline_execution, PipelineExecutionArn=arn)
    execution = call(f"describe {arn}", read, Meaning.MISSING)
    if execution is None:
        raise InputError(f"There is no execution {arn}.", "Omit it to see the latest.")
    with translated(f"list the steps of {arn}"):
        pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        steps = tuple(_step(step) for page in pages for step in page["PipelineExecutionSteps"])
    reasons = [f"{step.name}: {step.reason}" for step in steps if step.reason]
    return Execution(
        name=execution.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2],
        arn=arn,
        status=execution["PipelineExecutionStatus"],
        reason="; ".join(reasons) or execution.get("FailureReason", ""),
        started=execution["CreationTime"].astimezone(UTC).isoformat(timespec="seconds"),
        steps=steps,
    )


def follow(
    sagemaker: SageMakerClient,
    logs: CloudWatchLogsClient,
    arn: str,
    report: Callable[[str], None],
    *,
    poll: float = POLL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Execution:
    """Wait for an execution's end, ``poll`` seconds at a time; reports the states of its steps.

    Raises DependencyError if it failed or was stopped, with the reason and the end of the log.
    """
    reported: dict[str, str] = {}
    while True:
        execution = describe(sagemaker, arn)
        for step in execution.steps:
            if reported.get(step.name) != str(step):
                reported[step.name] = str(step)
                report(str(step))
        if execution.status in ENDED:
            break
        sleep(poll)
    if execution.status != "Succeeded":
        reason = execution.reason or "no reason was given"
        outcome = OUTCOMES.get(execution.status, "has failed")
        raise DependencyError(
            f"The execution {execution.name} {outcome}. {reason}",
            _log_excerpt(logs, execution),
        )
    return execution


def _log_excerpt(logs: CloudWatchLogsClient, execution: Execution) -> str:
    """Return the last lines of the failed job's log."""
    failed = next((step for step in execution.steps if step.reason and step.log_group), None)
    if failed is None:
        return ""
    job = failed.arn.rpartition("/")[2]
    tail = LogTail(logs, failed.log_group, job)
    for _ in tail.read_new():
        pass
    if tail.error_headline:
        # The execution failed for the reason above; this one must not hide it.
        return f"The log of {job} could not be read: {tail.error_headline}"
    if not tail.last:
        return f"The job {job} has no log."
    return "\n".join((f"The log of {job} ends with:", *tail.last))


def _executions(
    sagemaker: SageMakerClient, names: AwsNames, limit: int | None = None
) -> list[tuple[str, str]]:
    """List name and ARN of the executions, the latest first; at most ``limit``."""
    name = pipeline_name(names)

    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=name,
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": PAGE_SIZE, **({"MaxItems": limit} if limit else {})},
    )

    def read() -> list[Any]:
        return [summary for page in pages for summary in page["PipelineExecutionSummaries"]]

    executions = call(f"list the executions of {name}", read, Meaning.MISSING)
    if executions is None:
        raise InputError(f"There is no pipeline {name}.", UPSERT_HINT)
    return [
        (execution.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2], arn)
        for execution in executions
        for arn in [execution["PipelineExecutionArn"]]
    ]


def _step(step: Mapping[str, Any]) -> Step:
    started: datetime | None = step.get("StartTime")
    ended: datetime = step.get("EndTime") or clock.now()
    metadata: Mapping[str, Any] = step.get("Metadata", {})
    message = metadata.get("Fail", {}).get("ErrorMessage", "")
    kind = next((kind for kind, details in metadata.items() if "Arn" in details), "")
    return Step(
        name=step["StepName"],
        status=step["StepStatus"],
        seconds=max((ended - started).total_seconds(), 0.0) if started else None,
        cached="CacheHitResult" in step,
        reason=message or step.get("FailureReason", ""),
        arn=metadata[kind]["Arn"] if kind else "",
        log_group=f"/aws/sagemaker/{kind}s" if kind in JOBS else "",
    )

"""Executions of the SageMaker Pipeline: found by name, described, followed to their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.pipeline import pipeline_name
from basketwise.aws.running.jobs import ENDS, POLL_SECONDS, LogTail
from basketwise.errors import DependencyError, InputError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient

ENDED = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})
PAGE = 100
SHOWN = 5
"""So many executions are named when the one that was asked for is not among them."""

UPSERT = "Make it first: basketwise aws pipeline upsert"

LOG_GROUPS = {
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
}


@dataclass(frozen=True)
class Step:
    """One step of an execution.

    Attributes
    ----------
    status
        ``Starting``, ``Executing``, ``Stopping``, ``Stopped``, ``Failed`` or ``Succeeded``.
    seconds
        Of work, up to now if it has not ended; None if it has not begun.
    cached
        Whether an earlier execution's outputs were taken.
    made
        ARN of the job or the version that it made; empty for other kinds.
    log_group
        Where the job's log is; empty if it has none.
    """

    name: str
    status: str
    seconds: float | None
    cached: bool
    reason: str
    made: str
    log_group: str

    def __str__(self) -> str:
        cached = ", as in an earlier execution" if self.cached else ""
        return f"{self.name}: {self.status}{cached}{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class Execution:
    """One execution of the pipeline, named after its run, with the steps that have begun, in order.

    Attributes
    ----------
    status
        ``Executing``, ``Stopping``, ``Stopped``, ``Failed`` or ``Succeeded``.
    reason
        Why it failed: what the failed steps say, else what the execution says.
    started
        ISO 8601, UTC.
    """

    name: str
    arn: str
    status: str
    reason: str
    started: str
    steps: tuple[Step, ...]


def find_execution(sagemaker: SageMakerClient, names: AwsNames, wanted: str) -> str | None:
    """Return the ARN of the execution of a name or an id; None if there is none."""
    for name, arn in _executions(sagemaker, names):
        if wanted in (name, arn.rpartition("/")[2]):
            return arn
    return None


def execution_arn(sagemaker: SageMakerClient, names: AwsNames, wanted: str) -> str:
    """Return the ARN of an execution: of a name, an id, an ARN, or the latest.

    Raises
    ------
    InputError
        If there is none.
    DependencyError
        If SageMaker refuses.
    """
    if wanted.startswith("arn:"):
        return wanted
    if wanted and (arn := find_execution(sagemaker, names, wanted)):
        return arn
    latest = _executions(sagemaker, names, SHOWN)
    name = pipeline_name(names)
    if not latest:
        raise InputError(
            f"The pipeline {name} has never been started.",
            "Start it: basketwise aws pipeline start",
        )
    if not wanted:
        return latest[0][1]
    shown = ", ".join(name for name, _ in latest)
    raise InputError(f"The pipeline {name} has no execution {wanted!r}.", f"The latest: {shown}.")


def describe(sagemaker: SageMakerClient, arn: str) -> Execution:
    """Return what is known of an execution; raises InputError if there is none of that ARN."""
    execution = call(
        f"describe {arn}",
        lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        Meaning.MISSING,
    )
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
    tell: Callable[[str], None],
    *,
    poll: float = POLL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Execution:
    """Wait for an execution's end, ``poll`` seconds at a time; tells each step's states in lines.

    Raises
    ------
    DependencyError
        If it failed or was stopped, with the reason and the end of the failed job's log.
    """
    told: dict[str, str] = {}
    while True:
        execution = describe(sagemaker, arn)
        for step in execution.steps:
            if told.get(step.name) != str(step):
                told[step.name] = str(step)
                tell(str(step))
        if execution.status in ENDED:
            break
        sleep(poll)
    if execution.status != "Succeeded":
        reason = execution.reason or "no reason was given"
        raise DependencyError(
            f"The execution {execution.name} {ENDS.get(execution.status, 'has failed')}. {reason}",
            _end_of_log(logs, execution),
        )
    return execution


def _end_of_log(logs: CloudWatchLogsClient, execution: Execution) -> str:
    """Show the end of the log of the job that failed."""
    failed = next((step for step in execution.steps if step.reason and step.log_group), None)
    if failed is None:
        return ""
    job = failed.made.rpartition("/")[2]
    tail = LogTail(logs, failed.log_group, job)
    for _ in tail.new():
        pass
    if tail.trouble:
        # The execution failed for the reason above; this one must not hide it.
        return f"The log of {job} could not be read: {tail.trouble}"
    if not tail.last:
        return f"The job {job} left no log."
    return "\n".join((f"The log of {job} ends with:", *tail.last))


def _executions(
    sagemaker: SageMakerClient, names: AwsNames, most: int | None = None
) -> list[tuple[str, str]]:
    """List name and ARN of the executions, the latest first; at most so many."""
    name = pipeline_name(names)

    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=name,
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": PAGE, **({"MaxItems": most} if most else {})},
    )

    def read() -> list[Any]:
        return [summary for page in pages for summary in page["PipelineExecutionSummaries"]]

    executions = call(f"list the executions of {name}", read, Meaning.MISSING)
    if executions is None:
        raise InputError(f"There is no pipeline {name}.", UPSERT)
    return [
        (execution.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2], arn)
        for execution in executions
        for arn in [execution["PipelineExecutionArn"]]
    ]


def _step(step: Mapping[str, Any]) -> Step:
    started: datetime | None = step.get("StartTime")
    ended: datetime = step.get("EndTime") or datetime.now(UTC)
    metadata: Mapping[str, Any] = step.get("Metadata", {})
    refusal = metadata.get("Fail", {}).get("ErrorMessage", "")
    kind = next((kind for kind, details in metadata.items() if "Arn" in details), "")
    return Step(
        name=step["StepName"],
        status=step["StepStatus"],
        seconds=max((ended - started).total_seconds(), 0.0) if started else None,
        cached="CacheHitResult" in step,
        reason=refusal or step.get("FailureReason", ""),
        made=metadata[kind]["Arn"] if kind else "",
        log_group=LOG_GROUPS.get(kind, ""),
    )

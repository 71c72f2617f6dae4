"""SageMaker jobs: starting them once, following them to their end, stopping them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from basketwise.aws.errors import Meaning, Refusal, call, refusal, translated
from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient

Kind = Literal["Processing", "Training"]

ENDED = frozenset({"Completed", "Failed", "Stopped"})
OUTCOMES = {"Failed": "has failed", "Stopped": "was stopped"}
LOG_EXCERPT_LINES = 20
"""Shown of a failed job's log."""

DIGEST_VARIABLE = "BASKETWISE_DIGEST"
"""Environment variable with the digest of a job's work; no setting has this name."""

POLL_SECONDS = 15.0
LOG_DELAY_SECONDS = 5.0
"""After a job's end, before its log is read once more."""

LOG_OVERLAP_MILLISECONDS = 60_000
"""A line may appear in a log this much later than its time."""


@dataclass(frozen=True)
class JobState:
    """The state of a job.

    Attributes
    ----------
    status
        ``InProgress``, ``Completed``, ``Failed``, ``Stopping`` or ``Stopped``.
    phase
        SageMaker's secondary status; empty for processing jobs.
    seconds, billable_seconds
        Run time and billed time (less on spot capacity, of all instances together); None until it
        has ended.
    digest
        Digest of the work that it was started for, see :mod:`basketwise.aws.running.attempts`.
    output_uri
        S3 URI that it writes to.
    instance, instances, volume_gb
        Type and number of its instances, and the disk of each.
    began, ended
        When it started and ended (ISO 8601, UTC); empty if it has not.
    """

    name: str
    status: str
    phase: str = ""
    reason: str = ""
    seconds: float | None = None
    billable_seconds: float | None = None
    digest: str = ""
    output_uri: str = ""
    instance: str = ""
    instances: int = 1
    volume_gb: float = 0.0
    began: str = ""
    ended: str = ""


class JobFailedError(DependencyError):
    """A job has failed or was stopped: it does not continue by itself."""


def start_once(sagemaker: SageMakerClient, kind: Kind, request: dict[str, Any]) -> bool:
    """Start a job, unless one of its name exists; return whether it was started."""
    name = request[f"{kind}JobName"]
    if describe(sagemaker, kind, name) is not None:
        return False
    create = getattr(sagemaker, f"create_{kind.lower()}_job")
    # Somebody may have started it between the two calls.
    return call(f"start {name}", lambda: create(**request), Meaning.EXISTS) is not None


def describe(sagemaker: SageMakerClient, kind: Kind, name: str) -> JobState | None:
    """Return the state of a job; None if there is none of that name."""
    request = getattr(sagemaker, f"describe_{kind.lower()}_job")
    job: dict[str, Any] | None = call(
        f"describe the job {name}", lambda: request(**{f"{kind}JobName": name}), Meaning.MISSING
    )
    if job is None:
        return None
    started: datetime | None = job.get(f"{kind}StartTime")
    ended: datetime | None = job.get(f"{kind}EndTime")
    seconds = (ended - started).total_seconds() if started and ended else None
    outputs = job.get("ProcessingOutputConfig", {}).get("Outputs") or [{}]
    processing_uri = outputs[0].get("S3Output", {}).get("S3Uri", "")
    cluster = job.get("ProcessingResources", {}).get("ClusterConfig", {})
    resources = job.get("ResourceConfig", cluster)
    instances = resources.get("InstanceCount", 1)
    billed = seconds * instances if seconds is not None else None
    return JobState(
        name=name,
        status=job[f"{kind}JobStatus"],
        phase=job.get("SecondaryStatus", ""),
        # A processing job's own message is separate from SageMaker's.
        reason=job.get("ExitMessage") or job.get("FailureReason", ""),
        seconds=job.get("TrainingTimeInSeconds", seconds),
        billable_seconds=job.get("BillableTimeInSeconds", billed),
        digest=job.get("Environment", {}).get(DIGEST_VARIABLE, ""),
        output_uri=job.get("OutputDataConfig", {}).get("S3OutputPath", processing_uri),
        instance=resources.get("InstanceType", ""),
        instances=instances,
        volume_gb=resources.get("VolumeSizeInGB", 0.0),
        began=_iso(started),
        ended=_iso(ended),
    )


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""


def statuses(sagemaker: SageMakerClient, kind: Kind, start: str) -> dict[str, str]:
    """Return the status of every job whose name begins with ``start``, by name.

    A hundred are listed in one request, so that their number hardly matters.
    """
    operation: Any = "list_training_jobs" if kind == "Training" else "list_processing_jobs"
    request: Any = {"NameContains": start, "PaginationConfig": {"PageSize": 100}}
    pages = sagemaker.get_paginator(operation).paginate(**request)
    with translated(f"list the jobs {start}…"):
        listed: list[Any] = [job for page in pages for job in page[f"{kind}JobSummaries"]]
    return {
        job[f"{kind}JobName"]: job[f"{kind}JobStatus"]
        for job in listed
        if job[f"{kind}JobName"].startswith(start)
    }


def follow(
    sagemaker: SageMakerClient,
    logs: CloudWatchLogsClient,
    kind: Kind,
    name: str,
    report: Callable[[str], None],
    *,
    poll: float = POLL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> JobState:
    """Wait for a job's end; reports its states and the lines of its log.

    Raises JobFailedError if it failed or was stopped, with the reason and the last lines of its
    log, DependencyError if AWS refuses or the job no longer exists.
    """
    last_phase, tail = "", LogTail(logs, f"/aws/sagemaker/{kind}Jobs", name)
    while True:
        state = describe(sagemaker, kind, name)
        if state is None:
            raise DependencyError(f"The job {name} no longer exists.", "Start the run again.")
        phase = state.phase or state.status
        if phase != last_phase:
            report(f"{name}: {phase}")
            last_phase = phase
        for line in tail.read_new():
            report(line)
        if state.status in ENDED:
            break
        sleep(poll)
    # The last lines may arrive after the end.
    sleep(min(poll, LOG_DELAY_SECONDS))
    for line in tail.read_new():
        report(line)
    if state.status != "Completed":
        last = "\n".join(tail.last)
        code, _, message = state.reason.partition(": ")
        log = f"The log of the job ends with:\n{last}" if last else "The job has no log."
        advice = refusal(code, message, Refusal("", hint="")).hint
        raise JobFailedError(
            f"The job {name} {OUTCOMES[state.status]}: {state.reason or 'no reason was given'}",
            f"{advice}\n{log}".lstrip(),
        )
    return state


def stop(sagemaker: SageMakerClient, kind: Kind, name: str) -> None:
    """Request that a job stops, unless it has ended."""
    state = describe(sagemaker, kind, name)
    if state is not None and state.status == "InProgress":
        with translated(f"stop {name}"):
            getattr(sagemaker, f"stop_{kind.lower()}_job")(**{f"{kind}JobName": name})


class LogTail:
    """The unread lines of a job's log.

    ``last`` contains the last lines read, ``error_headline`` why the log cannot be read, if so.
    """

    def __init__(self, logs: CloudWatchLogsClient, group: str, job: str) -> None:
        self._logs, self._group, self._job = logs, group, job
        self._event_ids: set[str] = set()
        self._since = 0
        self.error_headline = ""
        self.last: list[str] = []

    def read_new(self) -> Iterator[str]:
        """Yield the lines since the last call; none while there is no log yet.

        A log that cannot be read does not end the wait for its job: the error is a line, once.
        """
        try:
            events = self._events()
        except DependencyError as error:
            if error.headline != self.error_headline:
                self.error_headline = error.headline
                yield error.headline
            return
        for event in events:
            if event["eventId"] not in self._event_ids:
                self._event_ids.add(event["eventId"])
                self._since = max(self._since, event["timestamp"])
                line = event["message"].rstrip()
                self.last = [*self.last, line][-LOG_EXCERPT_LINES:]
                yield line

    def _events(self) -> list[Any]:
        # The first line creates a stream. Lines of several streams are not strictly ordered, so
        # some time before the last one is read again.
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._group,
            logStreamNamePrefix=f"{self._job}/",
            startTime=max(self._since - LOG_OVERLAP_MILLISECONDS, 0),
        )

        def read() -> list[Any]:
            return [event for page in pages for event in page["events"]]

        return call(f"read the log of {self._job}", read, Meaning.MISSING) or []

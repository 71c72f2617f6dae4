"""SageMaker jobs: started once, followed to their end, stopped when asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from basketwise.aws.errors import Meaning, Refusal, call, refusal, translated
from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient

Kind = Literal["Processing", "Training"]

ENDED = frozenset({"Completed", "Failed", "Stopped"})
ENDS = {"Failed": "has failed", "Stopped": "was stopped"}
NO_ADVICE = Refusal("", hint="")

LAST_LINES = 20
"""So many lines of a failed job's log are shown."""

DIGEST_VARIABLE = "BASKETWISE_DIGEST"
"""Of a job's environment: the digest of its work; no setting is called so."""

POLL_SECONDS = 15.0
LATE_SECONDS = 5.0
"""After a job's end its log is read once more, so much later."""

LATE_MILLISECONDS = 60_000
"""So much later than its time may a line appear in a log."""


@dataclass(frozen=True)
class JobState:
    """What is known of a job.

    Attributes
    ----------
    status
        ``InProgress``, ``Completed``, ``Failed``, ``Stopping`` or ``Stopped``.
    phase
        What it is doing, in SageMaker's words; empty for processing jobs.
    seconds, billable_seconds
        Of work, and of those that are paid for (less on spot capacity); None until it has ended.
    digest
        Of the work that it was started for, see :mod:`basketwise.aws.running.attempts`.
    place
        S3 URI that it writes to.
    """

    name: str
    status: str
    phase: str = ""
    reason: str = ""
    seconds: float | None = None
    billable_seconds: float | None = None
    digest: str = ""
    place: str = ""


class JobEndedError(DependencyError):
    """A job has failed, or was stopped: it does not go on by itself."""


def start_once(sagemaker: SageMakerClient, kind: Kind, request: dict[str, Any]) -> bool:
    """Start a job and return True, unless there is one of its name."""
    name = request[f"{kind}JobName"]
    if describe(sagemaker, kind, name) is not None:
        return False
    create = getattr(sagemaker, f"create_{kind.lower()}_job")
    # Somebody may have started it between the two calls.
    return call(f"start {name}", lambda: create(**request), Meaning.EXISTS) is not None


def describe(sagemaker: SageMakerClient, kind: Kind, name: str) -> JobState | None:
    """Return what is known of a job; None if there is none of that name."""
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
    processed = outputs[0].get("S3Output", {}).get("S3Uri", "")
    return JobState(
        name=name,
        status=job[f"{kind}JobStatus"],
        phase=job.get("SecondaryStatus", ""),
        # A processing job's own words are apart from SageMaker's.
        reason=job.get("ExitMessage") or job.get("FailureReason", ""),
        seconds=job.get("TrainingTimeInSeconds", seconds),
        billable_seconds=job.get("BillableTimeInSeconds", seconds),
        digest=job.get("Environment", {}).get(DIGEST_VARIABLE, ""),
        place=job.get("OutputDataConfig", {}).get("S3OutputPath", processed),
    )


def follow(
    sagemaker: SageMakerClient,
    logs: CloudWatchLogsClient,
    kind: Kind,
    name: str,
    tell: Callable[[str], None],
    *,
    poll: float = POLL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> JobState:
    """Wait for a job's end; tells its states and the lines of its log as they come.

    Raises
    ------
    JobEndedError
        If it failed or was stopped, with the reason and the last lines of its log.
    DependencyError
        If AWS refuses to tell.
    """
    told, lines = "", LogTail(logs, f"/aws/sagemaker/{kind}Jobs", name)
    while True:
        state = describe(sagemaker, kind, name)
        if state is None:
            raise DependencyError(f"The job {name} is gone.", "Start the run again.")
        now = state.phase or state.status
        if now != told:
            tell(f"{name}: {now}")
            told = now
        for line in lines.new():
            tell(line)
        if state.status in ENDED:
            break
        sleep(poll)
    # The last lines may come after the end.
    sleep(min(poll, LATE_SECONDS))
    for line in lines.new():
        tell(line)
    if state.status != "Completed":
        last = "\n".join(lines.last)
        code, _, message = state.reason.partition(": ")
        log = f"The log of the job ends with:\n{last}" if last else "The job has no log."
        advice = refusal(code, message, NO_ADVICE).hint
        raise JobEndedError(
            f"The job {name} {ENDS[state.status]}: {state.reason or 'no reason was given'}",
            f"{advice}\n{log}".lstrip(),
        )
    return state


def stop(sagemaker: SageMakerClient, kind: Kind, name: str) -> None:
    """Ask a job to stop; one that has ended is no error."""
    state = describe(sagemaker, kind, name)
    if state is not None and state.status == "InProgress":
        with translated(f"stop {name}"):
            getattr(sagemaker, f"stop_{kind.lower()}_job")(**{f"{kind}JobName": name})


class LogTail:
    """The lines of a job's log that have not been read yet.

    ``last`` has the last lines read, ``trouble`` why the log could not be read; empty if it could.
    """

    def __init__(self, logs: CloudWatchLogsClient, group: str, job: str) -> None:
        self._logs, self._group, self._job = logs, group, job
        self._seen: set[str] = set()
        self._since = 0
        self.trouble = ""
        self.last: list[str] = []

    def new(self) -> Iterator[str]:
        """Give the lines that came since the last call; none while there is no log yet.

        A log that cannot be read is no reason to leave its job: that is told once, as a line.
        """
        try:
            events = self._events()
        except DependencyError as error:
            if error.headline != self.trouble:
                self.trouble = error.headline
                yield error.headline
            return
        for event in events:
            if event["eventId"] not in self._seen:
                self._seen.add(event["eventId"])
                self._since = max(self._since, event["timestamp"])
                line = event["message"].rstrip()
                self.last = [*self.last, line][-LAST_LINES:]
                yield line

    def _events(self) -> list[Any]:
        # A stream is made by the first line. Lines of several streams come in no strict order, so
        # some time before the last one is asked for again.
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._group,
            logStreamNamePrefix=f"{self._job}/",
            startTime=max(self._since - LATE_MILLISECONDS, 0),
        )

        def read() -> list[Any]:
            return [event for page in pages for event in page["events"]]

        return call(f"read the log of {self._job}", read, Meaning.MISSING) or []

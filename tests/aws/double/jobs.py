"""SageMaker's processing and training jobs, and their logs in CloudWatch."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tests.aws.double.job import Job
from tests.fakes.model_registry import ACCOUNT, REGION, RefusedError

GROUPS = {f"/aws/sagemaker/{kind}Jobs": kind for kind in ("Processing", "Training")}


class Jobs:
    """Jobs by name, and what a test may do to them.

    Attributes
    ----------
    folder
        Where each job has a folder that stands for its ``/opt/ml``.
    capacity
        Whether new training jobs find a machine.
    images
        The images that can be pulled; None: all.
    pause
        Seconds that a job stays in each of its states before it works.
    warm
        Whether a job's process finds the libraries imported, which saves it most of its time.
    """

    def __init__(self, folder: Path, s3: Any) -> None:
        self.folder, self.s3 = folder, s3
        self.jobs: dict[str, Job] = {}
        self.capacity = True
        self.images: set[str] | None = None
        self.pause = 0.0
        self.warm = True

    def CreateProcessingJob(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._create("Processing", sent, sent["AppSpecification"]["ImageUri"])

    def CreateTrainingJob(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._create("Training", sent, sent["AlgorithmSpecification"]["TrainingImage"])

    def DescribeProcessingJob(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        job = self._job("Processing", sent)
        message = {"ExitMessage": job.message} if job.message else {}
        return self._described(job) | message

    def DescribeTrainingJob(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        job = self._job("Training", sent)
        result = self._described(job) | {
            "SecondaryStatus": job.phases[-1],
            "ModelArtifacts": {"S3ModelArtifacts": job.model_data_url},
        }
        if job.ended:
            result["TrainingTimeInSeconds"] = max(int(job.worked), 1)
            spot = job.request.get("EnableManagedSpotTraining")
            result["BillableTimeInSeconds"] = max(int(job.worked * (0.3 if spot else 1)), 1)
        return result

    def ListProcessingJobs(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._listed("Processing", sent)

    def ListTrainingJobs(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._listed("Training", sent)

    def StopProcessingJob(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._stop("Processing", sent)

    def StopTrainingJob(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._stop("Training", sent)

    def FilterLogEvents(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        kind = GROUPS.get(sent["logGroupName"])
        of_kind = [job for job in self.jobs.values() if job.kind == kind and job.log.is_file()]
        if not of_kind:
            raise RefusedError("ResourceNotFoundException", "The log group does not exist.")
        events = []
        for job in of_kind:
            stream = f"{job.name}/algo-1-{int(job.created)}"
            if not stream.startswith(sent["logStreamNamePrefix"]):
                continue
            first = int(job.created * 1000)
            for number, line in enumerate(job.log.read_text(errors="replace").splitlines()):
                if first + number >= sent.get("startTime", 0):
                    events.append(
                        {
                            "eventId": f"{job.name}-{number}",
                            "logStreamName": stream,
                            "timestamp": first + number,
                            "message": line,
                        }
                    )
        begin = int(sent.get("nextToken", "0"))
        end = begin + sent.get("limit", 100)
        more = {"nextToken": str(end)} if end < len(events) else {}
        return {"events": events[begin:end]} | more

    def close(self) -> None:
        """Stop what still runs."""
        for job in list(self.jobs.values()):
            if not job.ended:
                job.stop()

    def _create(self, kind: str, sent: dict[str, Any], image: str) -> dict[str, Any]:
        name = sent[f"{kind}JobName"]
        if name in self.jobs:
            raise RefusedError("ResourceInUse", f"Job name must be unique: {name}")
        job = Job(kind, sent, self.folder / name, self.s3, pause=self.pause, warm=self.warm)
        self.jobs[name] = job
        if self.images is not None and image not in self.images:
            job.end("Failed", f"ClientError: Cannot pull the image {image}: it does not exist.")
        elif not self.capacity and kind == "Training":
            job.end("Failed", "CapacityError: Unable to provision requested ML compute capacity.")
        else:
            threading.Thread(target=job.run, daemon=True).start()
        return {f"{kind}JobArn": _arn(job)}

    def _described(self, job: Job) -> dict[str, Any]:
        result: dict[str, Any] = {
            **job.request,
            f"{job.kind}JobArn": _arn(job),
            f"{job.kind}JobStatus": job.status,
            "CreationTime": job.created,
        }
        times = {f"{job.kind}StartTime": job.started, f"{job.kind}EndTime": job.ended}
        result |= {key: value for key, value in times.items() if value}
        return result | ({"FailureReason": job.reason} if job.reason else {})

    def _listed(self, kind: str, sent: dict[str, Any]) -> dict[str, Any]:
        named = [
            job
            for job in self.jobs.values()
            if job.kind == kind and sent.get("NameContains", "") in job.name
        ]
        begin = int(sent.get("NextToken", "0"))
        end = begin + sent.get("MaxResults", 10)
        page = [
            {
                f"{kind}JobName": job.name,
                f"{kind}JobArn": _arn(job),
                "CreationTime": job.created,
                f"{kind}JobStatus": job.status,
            }
            for job in named[begin:end]
        ]
        more = {"NextToken": str(end)} if end < len(named) else {}
        return {f"{kind}JobSummaries": page} | more

    def _stop(self, kind: str, sent: dict[str, Any]) -> dict[str, Any]:
        job = self._job(kind, sent)
        if job.ended:
            raise RefusedError("ValidationException", "The job has ended.")
        threading.Thread(target=job.stop, daemon=True).start()
        return {}

    def _job(self, kind: str, sent: dict[str, Any]) -> Job:
        job = self.jobs.get(sent[f"{kind}JobName"])
        if job is None or job.kind != kind:
            # SageMaker says it so for trainings, and otherwise for processing jobs.
            message = (
                "Requested resource not found." if kind == "Training" else "Could not find job."
            )
            raise RefusedError("ValidationException", message)
        return job


def _arn(job: Job) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{job.kind.lower()}-job/{job.name}"

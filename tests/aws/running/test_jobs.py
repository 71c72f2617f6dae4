from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from basketwise.aws.running.jobs import describe, follow, start_once, statuses, stop
from basketwise.errors import DependencyError

NAME = "retail-prediction-training-run-20260203-120005"
START = datetime(2026, 2, 3, 12, tzinfo=UTC)
REQUEST: dict[str, Any] = {
    "TrainingJobName": NAME,
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/basketwise",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/artifacts/"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


@pytest.fixture
def sagemaker() -> Any:
    return _client("sagemaker")


@pytest.fixture
def answers(sagemaker: Any) -> Iterator[Stubber]:
    with Stubber(sagemaker) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def logs() -> Any:
    return _client("logs")


@pytest.fixture
def written(logs: Any) -> Iterator[Stubber]:
    with Stubber(logs) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def _client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="key"
    )


def state(status: str, phase: str, **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": NAME,
        "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/x",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
        "TrainingJobStatus": status,
        "SecondaryStatus": phase,
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": REQUEST["ResourceConfig"],
        "StoppingCondition": REQUEST["StoppingCondition"],
        "CreationTime": START,
        **more,
    }


def absent(answers: Stubber) -> None:
    answers.add_client_error(
        "describe_training_job", "ValidationException", "Requested resource not found."
    )


def line(number: int, text: str) -> dict[str, Any]:
    return {"eventId": str(number), "timestamp": number, "message": f"{text}\n"}


def test_a_missing_job_is_started(sagemaker: Any, answers: Stubber) -> None:
    absent(answers)
    answers.add_response("create_training_job", {"TrainingJobArn": "arn:aws:x"}, REQUEST)

    assert start_once(sagemaker, "Training", REQUEST)


def test_a_job_of_that_name_is_not_started_twice(sagemaker: Any, answers: Stubber) -> None:
    answers.add_response("describe_training_job", state("InProgress", "Training"))

    assert not start_once(sagemaker, "Training", REQUEST)


def test_who_starts_it_in_between_wins(sagemaker: Any, answers: Stubber) -> None:
    absent(answers)
    answers.add_client_error("create_training_job", "ResourceInUse", "name is taken")

    assert not start_once(sagemaker, "Training", REQUEST)


def test_what_sagemaker_refuses_comes_with_what_to_do(sagemaker: Any, answers: Stubber) -> None:
    absent(answers)
    answers.add_client_error("create_training_job", "AccessDeniedException", "no")

    with pytest.raises(DependencyError, match=f"refused to start {NAME}") as caught:
        start_once(sagemaker, "Training", REQUEST)

    assert "basketwise aws policy run" in caught.value.hint


def test_jobs_are_listed_by_what_their_names_begin_with(sagemaker: Any, answers: Stubber) -> None:
    now = datetime(2026, 2, 3, tzinfo=UTC)

    def page(*names: str) -> dict[str, Any]:
        summary = {"TrainingJobArn": "arn:aws:sagemaker:x:1:training-job/x", "CreationTime": now}
        return {
            "TrainingJobSummaries": [
                {**summary, "TrainingJobName": name, "TrainingJobStatus": "Completed"}
                for name in names
            ]
        }

    request = {"NameContains": "retail-", "MaxResults": 100}
    answers.add_response("list_training_jobs", page("retail-a") | {"NextToken": "2"}, request)
    more = page("not-retail-b", "retail-c")
    answers.add_response("list_training_jobs", more, request | {"NextToken": "2"})
    found = statuses(sagemaker, "Training", "retail-")
    assert found == {"retail-a": "Completed", "retail-c": "Completed"}


def test_times_are_those_that_are_paid_for(sagemaker: Any, answers: Stubber) -> None:
    answers.add_response(
        "describe_training_job",
        state(
            "Completed",
            "Completed",
            TrainingTimeInSeconds=200,
            BillableTimeInSeconds=60,
            TrainingStartTime=START,
            TrainingEndTime=START + timedelta(seconds=210),
        ),
    )

    job = describe(sagemaker, "Training", NAME)

    assert job is not None
    assert (job.seconds, job.billable_seconds) == (200, 60)


def test_every_instance_of_a_processing_job_is_paid_for(sagemaker: Any, answers: Stubber) -> None:
    cluster = {"InstanceCount": 3, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    answers.add_response(
        "describe_processing_job",
        {
            "ProcessingJobName": NAME,
            "ProcessingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/x",
            "ProcessingJobStatus": "Completed",
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {"ImageUri": "image"},
            "CreationTime": START,
            "ProcessingStartTime": START,
            "ProcessingEndTime": START + timedelta(seconds=100),
        },
    )

    job = describe(sagemaker, "Processing", NAME)

    assert job is not None
    assert (job.seconds, job.billable_seconds) == (100, 300)


def test_states_and_lines_are_reported_as_they_arrive(
    sagemaker: Any, answers: Stubber, logs: Any, written: Stubber
) -> None:
    for phase in ("Starting", "Training", "Training"):
        answers.add_response("describe_training_job", state("InProgress", phase))
    answers.add_response("describe_training_job", state("Completed", "Completed"))
    written.add_client_error("filter_log_events", "ResourceNotFoundException", "no group yet")
    last = [line(2, "two")]
    for events in ([line(1, "one")], [line(1, "one"), line(2, "two")], last, last):
        written.add_response("filter_log_events", {"events": events})
    reported: list[str] = []
    waits: list[float] = []

    follow(sagemaker, logs, "Training", NAME, reported.append, poll=5, sleep=waits.append)

    assert reported == [
        f"{NAME}: Starting",
        f"{NAME}: Training",
        "one",
        "two",
        f"{NAME}: Completed",
    ]
    assert waits == [5, 5, 5, 5]


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_ends_badly_says_why_and_shows_its_last_lines(
    sagemaker: Any, answers: Stubber, logs: Any, written: Stubber, status: str
) -> None:
    answers.add_response(
        "describe_training_job", state(status, status, FailureReason="AlgorithmError: exit 2")
    )
    events = [line(number, f"line {number}") for number in range(30)]
    written.add_response("filter_log_events", {"events": events})

    with pytest.raises(DependencyError, match="AlgorithmError: exit 2") as caught:
        follow(sagemaker, logs, "Training", NAME, lambda text: None, poll=0)

    shown = caught.value.hint.splitlines()
    assert shown[1:] == [f"line {number}" for number in range(10, 30)]


def test_only_what_still_runs_is_stopped(sagemaker: Any, answers: Stubber) -> None:
    answers.add_response("describe_training_job", state("InProgress", "Training"))
    answers.add_response("stop_training_job", {}, {"TrainingJobName": NAME})
    stop(sagemaker, "Training", NAME)

    answers.add_response("describe_training_job", state("Completed", "Completed"))
    stop(sagemaker, "Training", NAME)

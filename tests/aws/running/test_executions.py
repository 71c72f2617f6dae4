"""Executions of the pipeline: found, looked at, followed to a bad end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from basketwise.aws.clients import client
from basketwise.aws.requests.entry import RUN, RUN_SCRIPT
from basketwise.aws.running.executions import describe, execution_arn, find_execution, follow
from basketwise.aws.running.pipelines import start, upsert
from basketwise.config import Config
from basketwise.errors import DependencyError, InputError
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.pipelines import Pipelines
from tests.aws.double.service import wait_for
from tests.seaweed import S3Server

CONFIG = Config()
PIPE = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/shop"
ARN = f"{PIPE}/execution/abcdefghijkl"
JOB = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/pipelines-abc-Train-x"
BEGAN = datetime(2026, 2, 3, 12, 0, 5, tzinfo=UTC)

NO_LOGS: Any = None


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    """An account with a pipeline, some data, and code that cannot be installed."""
    with running_cloud(s3_server, tmp_path) as running:
        running.service.parts.append(
            Pipelines(running.jobs, running.registry, running.names.bucket)
        )
        files = dict.fromkeys(("raw/a.csv", "code/basketwise.whl"), "")
        files |= {"code/requirements.txt": "not-pinned==1\n", f"code/{RUN_SCRIPT}": RUN}
        for key, text in files.items():
            running.s3.put_object(
                Bucket=running.names.bucket, Key=running.names.key(key), Body=text.encode()
            )
        upsert(client("sagemaker", CONFIG.aws), running.names, CONFIG)
        yield running


@pytest.fixture
def sagemaker(cloud: Cloud) -> Any:
    return client("sagemaker", CONFIG.aws)


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    running = boto3.client(
        "sagemaker", region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="key"
    )
    with Stubber(running) as stubber:
        yield running, stubber
        stubber.assert_no_pending_responses()


def answer(stubber: Stubber, status: str, *steps: dict[str, Any], **more: Any) -> None:
    stubber.add_response(
        "describe_pipeline_execution",
        {
            "PipelineExecutionArn": ARN,
            "PipelineExecutionDisplayName": "run-1",
            "PipelineExecutionStatus": status,
            "CreationTime": BEGAN,
            **more,
        },
        {"PipelineExecutionArn": ARN},
    )
    stubber.add_response(
        "list_pipeline_execution_steps",
        {"PipelineExecutionSteps": list(steps)},
        {"PipelineExecutionArn": ARN, "SortOrder": "Ascending"},
    )


def step(name: str, status: str, seconds: float | None = None, **more: Any) -> dict[str, Any]:
    ended = {"EndTime": BEGAN + timedelta(seconds=seconds)} if seconds is not None else {}
    return {"StepName": name, "StepStatus": status, "StartTime": BEGAN, **ended, **more}


def test_steps_come_with_their_time_and_what_they_made(stubbed: tuple[Any, Stubber]) -> None:
    sagemaker, answers = stubbed
    cached = {"CacheHitResult": {"SourcePipelineExecutionArn": ARN}}
    answer(
        answers,
        "Executing",
        step("Etl", "Succeeded", 0.5, **cached),
        step("Train", "Executing", Metadata={"TrainingJob": {"Arn": JOB}}),
        {"StepName": "Evaluate", "StepStatus": "Starting"},
    )
    execution = describe(sagemaker, ARN)
    assert (execution.name, execution.status, execution.reason) == ("run-1", "Executing", "")
    assert execution.started == "2026-02-03T12:00:05+00:00"
    etl, train, evaluate = execution.steps
    assert (etl.seconds, etl.cached, etl.arn) == (0.5, True, "")
    assert train.seconds is not None
    assert train.seconds > 1e6
    assert (train.cached, train.arn, train.log_group) == (
        False,
        JOB,
        "/aws/sagemaker/TrainingJobs",
    )
    assert evaluate.seconds is None


def test_states_are_reported_once_and_a_refusal_with_its_reason(
    stubbed: tuple[Any, Stubber],
) -> None:
    sagemaker, answers = stubbed
    trained = step("Train", "Succeeded", 3, CacheHitResult={"SourcePipelineExecutionArn": ARN})
    decided = step("Decide", "Succeeded", 4, Metadata={"Condition": {"Outcome": "False"}})
    refused = step(
        "Refuse",
        "Failed",
        5,
        FailureReason="Step failed",
        Metadata={"Fail": {"ErrorMessage": "The model is not registered."}},
    )
    answer(answers, "Executing", step("Train", "Executing"))
    answer(answers, "Executing", trained)
    failed = {"FailureReason": "Step failure: One or multiple steps failed."}
    answer(answers, "Failed", trained, decided, refused, **failed)
    reported: list[str] = []
    waits: list[float] = []
    with pytest.raises(DependencyError) as caught:
        follow(sagemaker, NO_LOGS, ARN, reported.append, poll=7, sleep=waits.append)
    assert reported == [
        "Train: Executing",
        "Train: Succeeded, reused from an earlier execution",
        "Decide: Succeeded",
        "Refuse: Failed: The model is not registered.",
    ]
    assert waits == [7, 7]
    assert caught.value.headline == (
        "The execution run-1 has failed. Refuse: The model is not registered."
    )


def test_an_execution_that_was_stopped_says_so(stubbed: tuple[Any, Stubber]) -> None:
    sagemaker, answers = stubbed
    answer(answers, "Stopped", step("Train", "Stopped", 3))
    with pytest.raises(DependencyError, match=r"run-1 was stopped\. no reason was given"):
        follow(sagemaker, NO_LOGS, ARN, lambda _: None)


def test_a_failed_job_shows_the_end_of_its_log(cloud: Cloud, sagemaker: Any) -> None:
    started = start(sagemaker, cloud.s3, cloud.names, CONFIG, "run-1")
    logs = client("logs", CONFIG.aws)
    with pytest.raises(DependencyError, match=r"Etl: ClientError: .*exit code: 1") as caught:
        follow(sagemaker, logs, started.arn, lambda _: None, poll=0.02)
    first, *lines = caught.value.hint.splitlines()
    assert first.startswith("The log of pipelines-")
    assert first.endswith("ends with:")
    assert "not every requirement has a hash" in "\n".join(lines)
    # A log that cannot be read does not hide why it failed.
    cloud.service.denied = {"FilterLogEvents"}
    with pytest.raises(DependencyError, match=r"Etl: ClientError: .*exit code: 1") as caught:
        follow(sagemaker, logs, started.arn, lambda _: None)
    assert "could not be read" in caught.value.hint


def test_executions_are_looked_up_by_name_or_id_or_as_the_latest(
    cloud: Cloud, sagemaker: Any
) -> None:
    with pytest.raises(InputError, match="has never been started") as none_yet:
        execution_arn(sagemaker, cloud.names, "")
    assert "pipeline start" in none_yet.value.hint
    cloud.jobs.images = set()
    names = [f"run-{number}" for number in range(7)]
    arns = [start(sagemaker, cloud.s3, cloud.names, CONFIG, name).arn for name in names]
    assert execution_arn(sagemaker, cloud.names, "") == arns[-1]
    for wanted in ("run-0", arns[0].rpartition("/")[2], arns[0]):
        assert execution_arn(sagemaker, cloud.names, wanted) == arns[0]
    assert find_execution(sagemaker, cloud.names, "run") is None
    with pytest.raises(InputError, match="no execution 'run-9'") as caught:
        execution_arn(sagemaker, cloud.names, "run-9")
    assert caught.value.hint == "Latest: run-6, run-5, run-4, run-3, run-2."
    with pytest.raises(InputError, match="no execution arn"):
        describe(sagemaker, f"{arns[0]}x")
    wait_for(lambda: describe(sagemaker, arns[-1]).status == "Failed")


def test_without_a_pipeline_it_says_what_to_do(sagemaker: Any, cloud: Cloud) -> None:
    names = dataclasses.replace(cloud.names, project="other")
    with pytest.raises(InputError, match="There is no pipeline other-dev-pipeline") as caught:
        execution_arn(sagemaker, names, "")
    assert "basketwise aws pipeline upsert" in caught.value.hint

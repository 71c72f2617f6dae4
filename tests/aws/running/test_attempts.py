"""Which of a run's jobs is followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.clients import client
from basketwise.aws.running.attempts import (
    MAX_ATTEMPTS,
    attempts,
    digest_of,
    select_job,
    with_digest,
)
from basketwise.aws.running.jobs import DIGEST_VARIABLE
from basketwise.config import AwsConfig
from basketwise.errors import DependencyError
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.job import Job
from tests.fakes.model_registry import REGION
from tests.seaweed import S3Server

WORKSPACE_URI = "s3://bucket/here/"
REQUEST = with_digest({"TrainingJobName": "job", "Environment": {"A": "b"}}, "ours")


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        yield running


@pytest.fixture
def sagemaker(cloud: Cloud) -> Any:
    return client("sagemaker", AwsConfig(region=REGION))


def start_jobs(cloud: Cloud, *existing: tuple[str, str], output_uri: str = WORKSPACE_URI) -> None:
    """Leave jobs of earlier attempts: digest and status of each."""
    for number, (digest, status) in enumerate(existing, start=1):
        name = "job" if number == 1 else f"job-{number}"
        request = {
            "TrainingJobName": name,
            "OutputDataConfig": {"S3OutputPath": f"{output_uri}artifacts/"},
            "Environment": {DIGEST_VARIABLE: digest},
        }
        cloud.jobs.jobs[name] = Job("Training", request, Path(name), cloud.s3, status=status)


@pytest.mark.parametrize(
    ("existing", "unusable", "expected"),
    [
        ([], [], "job"),
        ([("ours", "InProgress")], [], "job"),
        ([("ours", "Completed")], [], "job"),
        ([("ours", "Failed")], [], "job-2"),
        ([("ours", "Stopped"), ("ours", "Failed")], [], "job-3"),
        ([("ours", "Stopping")], [], "job-2"),
        ([("ours", "Failed"), ("ours", "InProgress")], [], "job-2"),
        ([("ours", "Completed"), ("theirs", "Completed")], [], "job"),
        ([("theirs", "Completed")], [], "job-2"),
        ([("theirs", "Failed"), ("ours", "Completed")], [], "job-2"),
        ([("ours", "Completed")], ["job"], "job-2"),
    ],
)
def test_the_latest_job_of_the_same_work_is_followed(
    cloud: Cloud,
    sagemaker: Any,
    existing: list[tuple[str, str]],
    unusable: list[str],
    expected: str,
) -> None:
    start_jobs(cloud, *existing)
    assert select_job(sagemaker, "Training", REQUEST, WORKSPACE_URI, unusable) == expected


def test_other_running_work_of_that_name_is_refused(cloud: Cloud, sagemaker: Any) -> None:
    start_jobs(cloud, ("theirs", "InProgress"))
    with pytest.raises(
        DependencyError, match="is still running in s3://bucket/here/, on other data"
    ):
        select_job(sagemaker, "Training", REQUEST, WORKSPACE_URI)


def test_other_work_in_another_workspace_is_ignored(cloud: Cloud, sagemaker: Any) -> None:
    start_jobs(cloud, ("theirs", "InProgress"), output_uri="s3://bucket/there/")
    assert select_job(sagemaker, "Training", REQUEST, WORKSPACE_URI) == "job-2"


def test_all_attempts_are_listed_up_to_a_limit(cloud: Cloud, sagemaker: Any) -> None:
    start_jobs(cloud, *[("ours", "Failed")] * 3)
    assert [item.name for item in attempts(sagemaker, "Training", "job")] == [
        "job",
        "job-2",
        "job-3",
    ]
    start_jobs(cloud, *[("ours", "Failed")] * MAX_ATTEMPTS)
    with pytest.raises(DependencyError, match=f"There are {MAX_ATTEMPTS} jobs job"):
        select_job(sagemaker, "Training", REQUEST, WORKSPACE_URI)


def test_the_digest_changes_with_any_part_of_the_work() -> None:
    item = digest_of(stage="etl", inputs={"a.csv": "1"})
    assert item == digest_of(inputs={"a.csv": "1"}, stage="etl")
    assert len({item, digest_of(stage="etl", inputs={"a.csv": "2"}), digest_of(stage="etl")}) == 3
    assert REQUEST["Environment"] == {"A": "b", DIGEST_VARIABLE: "ours"}

"""Which of a run's jobs is followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.clients import client
from basketwise.aws.running.attempts import ATTEMPTS, attempts, choose, digest_of, marked
from basketwise.aws.running.jobs import DIGEST_VARIABLE
from basketwise.config import AwsConfig
from basketwise.errors import DependencyError
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.job import Job
from tests.fakes.model_registry import REGION
from tests.seaweed import S3Server

PLACE = "s3://bucket/here/"
REQUEST = marked({"TrainingJobName": "job", "Environment": {"A": "b"}}, "ours")


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        yield running


@pytest.fixture
def sagemaker(cloud: Cloud) -> Any:
    return client("sagemaker", AwsConfig(region=REGION))


def leave(cloud: Cloud, *left: tuple[str, str], place: str = PLACE) -> None:
    """Leave jobs of earlier attempts: digest and status of each."""
    for number, (digest, status) in enumerate(left, start=1):
        name = "job" if number == 1 else f"job-{number}"
        request = {
            "TrainingJobName": name,
            "OutputDataConfig": {"S3OutputPath": f"{place}artifacts/"},
            "Environment": {DIGEST_VARIABLE: digest},
        }
        cloud.jobs.jobs[name] = Job("Training", request, Path(name), cloud.s3, status=status)


@pytest.mark.parametrize(
    ("left", "unusable", "expected"),
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
    left: list[tuple[str, str]],
    unusable: list[str],
    expected: str,
) -> None:
    leave(cloud, *left)
    assert choose(sagemaker, "Training", REQUEST, PLACE, unusable) == expected


def test_other_work_of_that_name_that_goes_on_here_is_waited_for(
    cloud: Cloud, sagemaker: Any
) -> None:
    leave(cloud, ("theirs", "InProgress"))
    with pytest.raises(DependencyError, match="still works in s3://bucket/here/, on other data"):
        choose(sagemaker, "Training", REQUEST, PLACE)


def test_other_work_elsewhere_is_none_of_ours(cloud: Cloud, sagemaker: Any) -> None:
    leave(cloud, ("theirs", "InProgress"), place="s3://bucket/there/")
    assert choose(sagemaker, "Training", REQUEST, PLACE) == "job-2"


def test_all_jobs_are_found_and_there_is_an_end_to_them(cloud: Cloud, sagemaker: Any) -> None:
    leave(cloud, *[("ours", "Failed")] * 3)
    assert [one.name for one in attempts(sagemaker, "Training", "job")] == ["job", "job-2", "job-3"]
    leave(cloud, *[("ours", "Failed")] * ATTEMPTS)
    with pytest.raises(DependencyError, match=f"There are {ATTEMPTS} jobs job"):
        choose(sagemaker, "Training", REQUEST, PLACE)


def test_the_digest_changes_with_any_part_of_the_work() -> None:
    one = digest_of(stage="etl", inputs={"a.csv": "1"})
    assert one == digest_of(inputs={"a.csv": "1"}, stage="etl")
    assert len({one, digest_of(stage="etl", inputs={"a.csv": "2"}), digest_of(stage="etl")}) == 3
    assert REQUEST["Environment"] == {"A": "b", DIGEST_VARIABLE: "ours"}

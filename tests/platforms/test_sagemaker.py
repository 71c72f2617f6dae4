"""Which of a run's jobs is followed, and what of the workspace a job may rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.aws.clients import client
from basketwise.aws.running.jobs import Kind
from basketwise.config import AwsConfig, Config
from basketwise.errors import DependencyError, InputError
from basketwise.platforms.protocol import EtlJob
from basketwise.platforms.sagemaker import ATTEMPTS, SageMakerPlatform
from basketwise.storage.opening import open_storage
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.job import Job
from tests.cli.till import delivered, delivery
from tests.fakes.model_registry import REGION
from tests.seaweed import S3Server

RUN = "run-7"
CONFIG = Config.model_validate({"aws": {"region": REGION}, "index": {"refine_rounds": 1}})


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        yield running


@pytest.fixture
def platform(cloud: Cloud) -> SageMakerPlatform:
    config = AwsConfig(region=REGION)
    return SageMakerPlatform(
        sagemaker=client("sagemaker", config),
        logs=client("logs", config),
        s3=client("s3", config),
        names=cloud.names,
        storage=open_storage(cloud.workspace, config),
        run_id=RUN,
        tell=lambda _: None,
        poll=0.1,
    )


def leave(cloud: Cloud, folder: Path, kind: Kind, name: str, *statuses: str) -> None:
    """Leave jobs of earlier attempts."""
    for number, status in enumerate(statuses, start=1):
        attempt = name if number == 1 else f"{name}-{number}"
        request = {f"{kind}JobName": attempt, "OutputDataConfig": {"S3OutputPath": "s3://x/"}}
        cloud.jobs.jobs[attempt] = Job(kind, request, folder / attempt, cloud.s3, status=status)


@pytest.mark.parametrize(
    ("left", "force", "expected"),
    [
        ((), False, "job"),
        (("InProgress",), False, "job"),
        (("Completed",), False, "job"),
        (("Failed",), False, "job-2"),
        (("Stopped", "Failed"), False, "job-3"),
        (("Stopping",), False, "job-2"),
        (("Failed", "InProgress"), False, "job-2"),
        (("Completed", "Completed"), False, "job-2"),
        (("Completed",), True, "job-2"),
        (("InProgress",), True, "job"),
    ],
)
def test_the_latest_attempt_is_followed_unless_it_is_of_no_use(
    cloud: Cloud,
    platform: SageMakerPlatform,
    tmp_path: Path,
    left: tuple[str, ...],
    force: bool,
    expected: str,
) -> None:
    leave(cloud, tmp_path, "Training", "job", *left)
    platform.force = force
    assert platform._next_name("Training", "job") == expected


def test_there_is_an_end_to_attempts(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    leave(cloud, tmp_path, "Training", "job", *(["Failed"] * ATTEMPTS))
    with pytest.raises(DependencyError, match=f"has {ATTEMPTS} jobs job"):
        platform._next_name("Training", "job")


def etl_job(data: str, folder: Path) -> EtlJob:
    silver, gold, scratch = (folder / name for name in ("silver", "gold", "scratch"))
    for place in (silver, gold, scratch):
        place.mkdir(parents=True)
    return EtlJob(data, silver, gold, scratch)


def test_weeks_that_lay_there_before_are_not_taken_for_the_jobs(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    stray = "silver/shop_week=199901/part-0.parquet"
    platform.storage.write(stray, b"of an earlier run")
    raw = delivered(tmp_path / "raw", delivery())
    job = etl_job(str(raw), tmp_path / "out")

    platform.etl(job, CONFIG, lambda *_: None)

    assert not (tmp_path / "out" / stray).exists()
    assert stray in cloud.keys("silver")
    # Publishing takes it away, and sends nothing of what the job has left there already.
    platform.storage.adopt(job.silver, "silver")
    assert stray not in cloud.keys("silver")


def test_what_somebody_else_wrote_over_a_jobs_output_is_refused(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    platform.etl(etl_job(str(raw), tmp_path / "out"), CONFIG, lambda *_: None)
    platform.storage.write("gold/test_features.parquet", b"other bytes")

    with pytest.raises(DependencyError, match=r"gold/test_features\.parquet is not what the job"):
        platform.etl(etl_job(str(raw), tmp_path / "again"), CONFIG, lambda *_: None)


def test_data_of_another_bucket_are_refused(platform: SageMakerPlatform) -> None:
    with pytest.raises(InputError, match="lies in another bucket"):
        platform.inputs("s3://somebody-elses/raw", CONFIG)


def test_files_in_the_bucket_are_named_by_what_they_were_uploaded_with(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    here = platform.inputs(str(raw), CONFIG)
    platform.etl(etl_job(str(raw), tmp_path / "out"), CONFIG, lambda *_: None)
    cloud.s3.put_object(
        Bucket=cloud.names.bucket, Key=cloud.names.key("raw", "theirs.csv"), Body=b"x"
    )

    there = platform.inputs(f"{cloud.workspace}/raw/", CONFIG)

    assert there.keys() == {"till.csv", "theirs.csv"}
    assert there["till.csv"] == here["till.csv"]
    assert there["theirs.csv"] == "9dd4e461268c8034f5c8564e155c67a6"

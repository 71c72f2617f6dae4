"""``aws run``, whole: from raw files to scores, on real S3 and with jobs that really run."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from basketwise.sampling import generate
from tests.aws.cli.running import GROUP, QUICK, TREE, command
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.job import Job
from tests.cli.calling import Outcome, call, called
from tests.seaweed import READER_KEY, S3Server


@pytest.fixture(scope="module")
def finished(
    s3_server: S3Server, raw: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, Outcome]]:
    """An account in which a run has gone through; not to be changed."""
    with running_cloud(s3_server, tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.jobs.warm = False
        yield cloud, called(*command(cloud, raw, "first"), "--json")


# --- what a run does ---------------------------------------------------------------------------


def test_a_run_starts_each_job_once_and_ends_approved(finished: tuple[Cloud, Outcome]) -> None:
    cloud, outcome = finished
    assert [job["name"] for job in outcome.json["aws"]["jobs"]] == [
        "retail-etl-processing-run-first",
        "retail-prediction-training-run-first",
    ]
    assert list(cloud.jobs.jobs) == [job["name"] for job in outcome.json["aws"]["jobs"]]
    assert outcome.json["state"] == "Approved"
    assert outcome.json["accuracy"]["estimate"] > 0.9
    assert outcome.json["report"] == f"{cloud.workspace}/artifacts/run-first/report.html"


def test_the_cost_is_that_of_the_jobs(finished: tuple[Cloud, Outcome]) -> None:
    cloud, outcome = finished
    etl, training = cloud.jobs.jobs.values()
    paid = (etl.ended or 0) - (etl.started or 0) + max(int(training.worked * 0.3), 1)
    assert outcome.json["aws"]["billable_seconds"] == pytest.approx(paid, abs=0.01)
    # No price of this type is known in the region of the double.
    assert outcome.json["aws"]["estimated_usd"] is None
    assert outcome.json["aws"]["unpriced"] == ["ml.m5.large (processing)", "ml.m5.large (training)"]
    assert 0 <= outcome.json["aws"]["spot_saving"] < 1
    disks = (
        30 / 730 / 3600 * (0.11 * ((etl.ended or 0) - (etl.started or 0)) + 0.154 * training.worked)
    )
    assert outcome.json["aws"]["volumes_usd"] == pytest.approx(disks, abs=1e-4)


def test_what_was_transferred_and_is_stored_is_counted(finished: tuple[Cloud, Outcome]) -> None:
    cloud, outcome = finished
    aws = outcome.json["aws"]
    pages = cloud.s3.get_paginator("list_object_versions").paginate(
        Bucket=cloud.names.bucket, Prefix=f"{cloud.names.prefix}/"
    )
    stored = sum(item["Size"] for page in pages for item in page.get("Versions", []))
    # The lock has been released since.
    assert aws["stored_bytes"] == pytest.approx(stored, rel=0.01)
    assert aws["stored_completely_counted"] is True
    silver = sum(len(cloud.read(key)) for key in cloud.keys("silver/shop_week"))
    gold = sum(len(cloud.read(key)) for key in cloud.keys("gold"))
    assert gold < aws["downloaded_bytes"] < gold + 10_000_000
    assert f"gold {gold / 1e6:,.1f} MB are downloaded" in outcome.err
    assert "raw files: at most" in outcome.err
    # There was no champion to score the lines.
    assert silver > 0
    assert "silver" not in outcome.err.partition("evaluation on this machine")[2].partition("\n")[0]


def test_the_workspace_has_the_same_files_as_a_local_one(finished: tuple[Cloud, Outcome]) -> None:
    cloud, _ = finished
    assert {key.split("/")[0] for key in cloud.keys("")} == {
        ".basketwise",
        "artifacts",
        "checkpoints",
        "code",
        "deployment-configs",
        "gold",
        "model-registry",
        "raw",
        "silver",
    }
    assert "gold/step-gold.json" in cloud.keys("gold")
    assert len(cloud.keys("raw")) == 5
    assert not cloud.keys(".basketwise/incoming")


def test_the_jobs_ran_the_code_that_was_uploaded(finished: tuple[Cloud, Outcome]) -> None:
    cloud, _ = finished
    (wheel,) = [key for key in cloud.keys("code") if key.endswith(".whl")]
    for job in cloud.jobs.jobs.values():
        assert f"installed {Path(wheel).name}" in job.log.read_text()
        assert (job.root.with_suffix(".site") / "basketwise").is_dir()


def test_the_version_can_be_deployed_as_it_is(finished: tuple[Cloud, Outcome]) -> None:
    cloud, _ = finished
    (package,) = cloud.registry.packages[GROUP]
    (container,) = package["InferenceSpecification"]["Containers"]
    workspace = f"{cloud.workspace}/artifacts/registered-run-first/"
    assert container["ModelDataUrl"].startswith(workspace)
    assert container["Image"].endswith("sagemaker-scikit-learn:1.9-0-cpu-py3")
    assert package["MetadataProperties"]["GeneratedBy"] == "retail-prediction-training-run-first"
    assert package["CustomerMetadataProperties"].keys() >= {
        "model_algorithm",
        "target_variable",
        "dataset_size",
        "feature_count",
        "training_timestamp",
        "business_kpi",
        "use_case",
        "model_version",
        "data_source",
    }
    latest = json.loads(cloud.read("deployment-configs", "latest_model_config.json"))
    assert latest["model_info"]["model_package_arn"] == package["ModelPackageArn"]
    assert latest["model_info"]["image_uri"] == container["Image"]


def test_the_other_commands_work_on_the_bucket(
    finished: tuple[Cloud, Outcome], raw: Path, tmp_path: Path
) -> None:
    cloud, _ = finished
    workspace = ("--workspace", cloud.workspace)
    assert "Approved" in called("models", "list", *workspace).out
    scores = tmp_path / "scores.csv"
    called("predict", "--data", f"{cloud.workspace}/raw/", "--out", str(scores), *workspace)
    assert pl.read_csv(scores).height == 1500


def test_the_same_run_again_starts_nothing(finished: tuple[Cloud, Outcome], raw: Path) -> None:
    cloud, outcome = finished
    again = called(*command(cloud, raw, "first"))
    assert len(cloud.jobs.jobs) == 2
    assert "  retail-etl-processing-run-first: " in again.out
    assert len(cloud.registry.packages[GROUP]) == 1
    resumed = called("aws", "run", "--resume", "--workspace", cloud.workspace, "--json", *QUICK)
    assert resumed.json["run_id"] == outcome.json["run_id"] == "run-first"
    assert len(cloud.jobs.jobs) == 2


def test_a_name_in_use_is_not_reused_for_other_work(
    finished: tuple[Cloud, Outcome], raw: Path
) -> None:
    cloud, _ = finished
    refused = call(*command(cloud, raw, "first", "--models", "logistic"))
    assert refused.code == 2
    assert "The run run-first was started on" in refused.err
    assert "with different inputs: training." in refused.err


def test_files_that_would_be_read_too_are_named(
    finished: tuple[Cloud, Outcome], raw: Path, tmp_path: Path
) -> None:
    cloud, _ = finished
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(raw.iterdir())[:2]:
        (some / path.name).write_bytes(path.read_bytes())
    refused = call(*command(cloud, some, "second"))
    assert refused.code == 2
    assert "raw/ contains 3 files that are not in" in refused.err
    assert f"--data {cloud.workspace}/raw/" in refused.err


# --- what may happen on the way ----------------------------------------------------------------


def test_a_wrong_path_leaves_nothing_to_pick_up(cloud: Cloud, raw: Path) -> None:
    refused = call(*command(cloud, raw / "typo", "first"))
    assert refused.code == 2
    assert not cloud.keys(".basketwise/runs")


def test_bad_data_fail_the_job_and_leave_nothing(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    generate(folder, baskets=200, seed=7, weeks=2, compress=False)
    for path in folder.iterdir():
        path.write_text(path.read_text().replace("SPEND", "SPENT", 1))
    failed = call(*command(cloud, folder, "bad"))
    assert failed.code == 3
    assert "The job retail-etl-processing-run-bad has failed: " in failed.err
    assert "lacks the required column SPEND" in failed.err
    assert "The log of the job ends with:" in failed.err
    assert not cloud.keys("silver") + cloud.keys("gold") + cloud.keys("artifacts")


def test_an_archive_that_reaches_outside_is_not_used(
    cloud: Cloud, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "../../evil"
    archive, take = tmp_path / "model.tar.gz", Job._upload_outputs
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())

    def replaced(job: Job) -> None:
        take(job)
        if job.kind == "Training":
            key = cloud.names.key("artifacts", job.name, "output", archive.name)
            cloud.s3.upload_file(str(archive), cloud.names.bucket, key)

    monkeypatch.setattr(Job, "_upload_outputs", replaced)
    refused = call(*command(cloud, raw, "evil"))
    assert refused.code == 3
    assert f"contains {name!r}, which is not a plain file" in refused.err
    assert "Another process writes there" in refused.err
    assert not cloud.keys("artifacts/run-evil")
    assert not list(tmp_path.rglob("evil"))


def test_every_state_of_a_slow_job_is_reported(cloud: Cloud, raw: Path) -> None:
    cloud.jobs.pause = 0.25
    settings = (*TREE, "--set", "aws.poll_seconds=0.1")
    stderr = called(*command(cloud, raw, "slow", *settings)).err.splitlines()
    name = "retail-prediction-training-run-slow"
    states = [line.removeprefix(f"{name}: ") for line in stderr if line.startswith(f"{name}: ")]
    assert states == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_an_image_that_cannot_be_pulled(cloud: Cloud, raw: Path) -> None:
    cloud.jobs.images = set()
    failed = call(*command(cloud, raw, "image"))
    assert failed.code == 3
    assert "Cannot pull the image" in failed.err
    assert "Check aws.image" in failed.err
    assert "aws run --resume --name run-image" in failed.err


def test_throttled_calls_are_retried_and_an_unreadable_log_does_not_end_the_wait(
    cloud: Cloud, raw: Path
) -> None:
    cloud.service.throttle = 3
    cloud.service.denied = {"FilterLogEvents"}
    stderr = called(*command(cloud, raw, "slow")).err
    assert len(cloud.jobs.jobs) == 2
    assert stderr.count("AWS refused to read the log of retail-etl-processing-run-slow") == 1


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        ("expired", "Log in again"),
        ("denied", "'basketwise aws policy run"),
        ("none", "credentials are needed"),
        ("bucket", "There is no bucket nobody-has-this."),
        ("region", "is not in the bucket another"),
        ("reader", "Access Denied"),
    ],
)
def test_a_refusal_of_aws_says_what_to_do(
    cloud: Cloud, raw: Path, monkeypatch: pytest.MonkeyPatch, spoil: str, expected: str
) -> None:
    arguments = command(cloud, raw, "refused")
    if spoil == "expired":
        cloud.service.expired = True
    elif spoil == "denied":
        cloud.service.denied = {"CreateProcessingJob"}
    elif spoil == "none":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    elif spoil == "region":
        # The double knows one bucket in the region of the jobs.
        cloud.service.bucket = "another"
    elif spoil == "reader":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER_KEY)
    else:
        arguments[-1] = "s3://nobody-has-this/x"
    refused = call(*arguments)
    assert refused.code == 3
    assert expected in refused.err
    assert not cloud.jobs.jobs
    assert not cloud.keys("silver")

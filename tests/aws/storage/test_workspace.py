"""Every command on a workspace in a bucket, with the stages in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.aws.double.cloud import Cloud, running_cloud
from tests.cli.calling import SMALL, Outcome, call, called
from tests.seaweed import S3Server


@pytest.fixture(scope="module")
def cloud(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def finished(cloud: Cloud, sample: Path) -> Outcome:
    return called("run", "--data", sample, "--workspace", cloud.workspace, *SMALL, "--json")


def test_a_run_leaves_everything_in_the_bucket(cloud: Cloud, finished: Outcome) -> None:
    run = finished.json["run_id"]
    assert finished.json["model"] == f"{cloud.workspace}/artifacts/{run}/model.tar.gz"
    assert f"artifacts/{run}/report.html" in cloud.keys("artifacts")
    assert "gold/step-gold.json" in cloud.keys("gold")
    latest = json.loads(cloud.read("deployment-configs", "latest_model_config.json"))
    # A version keeps an archive of its own: the run may be judged again.
    url = latest["model_info"]["model_data_url"]
    assert url.startswith(f"{cloud.workspace}/artifacts/registered-{run}/")
    archive = cloud.read(*url.removeprefix(f"{cloud.workspace}/").split("/"))
    assert archive == cloud.read("artifacts", run, "model.tar.gz")
    assert not cloud.jobs.jobs


def test_valid_outputs_are_not_made_again(cloud: Cloud, finished: Outcome, sample: Path) -> None:
    again = called("run", "--data", sample, "--workspace", cloud.workspace, *SMALL, "--json")
    assert {item["status"] for item in again.json["stages"].values()} == {"cached"}
    assert again.json["run_id"] == finished.json["run_id"]


def test_single_stages_and_the_registry(cloud: Cloud, finished: Outcome, sample: Path) -> None:
    place = ("--workspace", cloud.workspace)
    assert (
        called("etl", "--data", sample, *place, *SMALL).out == f"gold      {cloud.workspace}/gold\n"
    )
    assert f"{cloud.workspace}/artifacts/run-" in called("train", *place, *SMALL).out
    assert "report    s3://" in called("evaluate", *place, *SMALL).out
    assert "version   1: Approved" in called("register", *place, *SMALL).out
    assert called("export", *place).out.startswith(f"{cloud.workspace}/deployment-configs/model_")
    called("models", "reject", "1", "--why", "to try", *place)
    assert "deployment-configs/latest_model_config.json" not in cloud.keys("deployment-configs")
    called("models", "approve", "1", *place)
    assert "approved manually" in called("models", "history", *place).out
    assert "deployment-configs/latest_model_config.json" in cloud.keys("deployment-configs")


def test_data_in_a_bucket_are_read_from_there(
    cloud: Cloud, finished: Outcome, sample: Path, tmp_path: Path
) -> None:
    for path in sample.iterdir():
        cloud.s3.upload_file(str(path), cloud.names.bucket, cloud.names.key("delivered", path.name))
    place = ("--workspace", cloud.workspace)
    data = f"{cloud.workspace}/delivered"
    again = called("run", "--data", data, *place, *SMALL, "--json")
    assert again.json["stages"]["silver"]["status"] == "cached"
    scores, few = tmp_path / "scores.parquet", tmp_path / "few.parquet"
    called("predict", "--data", data, "--out", scores, *place)
    called("predict", "--data", f"{data}/*_2006*7.csv.gz", "--out", few, *place)
    assert 0 < pl.read_parquet(few).height < pl.read_parquet(scores).height
    absent = call("run", "--data", f"{cloud.workspace}/nothing", *place, *SMALL)
    assert absent.code == 3
    assert "contains none" in absent.err


def test_a_run_is_reproduced(cloud: Cloud, finished: Outcome, sample: Path) -> None:
    run = finished.json["run_id"]
    result = called("reproduce", run, "--data", sample, "--workspace", cloud.workspace, "--json")
    assert result.json["same"]

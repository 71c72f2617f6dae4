"""What the commands call on AWS, recorded while they run: the policy `run` allows that, no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from basketwise.aws import clients
from basketwise.aws.account.policies import policy
from basketwise.aws.running.jobs import stop
from basketwise.aws.s3 import Bucket
from basketwise.aws.storage.record import INCOMING
from basketwise.aws.uploads import multipart, upload
from basketwise.config import AwsConfig
from basketwise.errors import DependencyError
from basketwise.sampling import generate
from tests.aws.calls import CALLS
from tests.aws.double.cloud import Cloud
from tests.aws.double.job import Job
from tests.aws.double.pipelines import Pipelines
from tests.aws.iam_rules import allows
from tests.aws.leftover_scene import Scene, running_scene
from tests.aws.recording import Call, Recorder
from tests.cli.calling import call, called
from tests.fakes.model_registry import REGION
from tests.seaweed import S3Server

CONFIG = AwsConfig(region=REGION)
QUICK = (
    *("--set", "aws.poll_seconds=0.3"),
    *("--set", "training.models=decision_tree"),
    *("--set", "training.folds=2"),
    *("--set", "features.tried=[]"),
    *("--set", "index.refine_rounds=1"),
    *("--set", "evaluation.resamples=100"),
    *("--set", "evaluation.importance_baskets=100"),
    *("--set", "evaluation.importance_repeats=1"),
)


@pytest.fixture(scope="module")
def recorded(
    s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, list[Call]]]:
    """Every command that the policy is for, once."""
    folder = tmp_path_factory.mktemp("recorded")
    with running_scene(s3_server, folder) as scene:
        cloud = scene.cloud
        cloud.service.parts.append(Pipelines(cloud.jobs, cloud.registry, cloud.names.bucket))
        cloud.registry.CreateModelPackageGroup({"ModelPackageGroupName": cloud.names.group})
        generate(folder / "raw", baskets=500, seed=7, weeks=4)
        _leave_things(scene)
        recorder = Recorder("run", cloud.names)
        with recorder.everywhere():
            _run_and_approve(cloud, folder)
            _pipeline(cloud)
            _clean(cloud)
            _large_file(cloud, folder)
        yield cloud, recorder.calls


def _leave_things(scene: Scene) -> None:
    """Leave what the commands find: models, configurations, an endpoint, half an upload."""
    for name in ("retail-old", "theirs"):
        scene.model(name)
        scene.config(name, name)
    scene.endpoint("theirs", "theirs")
    key = scene.cloud.names.key(INCOMING, "cut-off")
    scene.cloud.s3.create_multipart_upload(Bucket=scene.cloud.names.bucket, Key=key)


def _run_and_approve(cloud: Cloud, folder: Path) -> None:
    workspace = ("--workspace", cloud.workspace)
    # The server tells no region; the doctor would name that and end with 2.
    assert "✗ bucket" in call("doctor", *workspace).out
    called("aws", "run", "--data", folder / "raw", *workspace, *QUICK)
    called("models", "reject", "1", *workspace)
    for kind, name in (
        ("Processing", "retail-etl-processing-run-x"),
        ("Training", "retail-prediction-training-run-x"),
    ):
        request = {f"{kind}JobName": name, "OutputDataConfig": {"S3OutputPath": cloud.workspace}}
        cloud.jobs.jobs[name] = Job(kind, request, folder / name, cloud.s3)
    sagemaker = clients.client("sagemaker", CONFIG)
    stop(sagemaker, "Processing", "retail-etl-processing-run-x")
    stop(sagemaker, "Training", "retail-prediction-training-run-x")


def _pipeline(cloud: Cloud) -> None:
    workspace = ("--workspace", cloud.workspace)
    called("aws", "pipeline", "upsert", *workspace, *QUICK)
    called("aws", "pipeline", "upsert", *workspace, *QUICK, "--set", "gate.min_accuracy=0.5")
    called("aws", "pipeline", "start", "--name", "run-p", "--wait", *workspace, *QUICK)
    called("aws", "pipeline", "status", *workspace)


def _clean(cloud: Cloud) -> None:
    later = datetime.now(UTC) + timedelta(days=40)
    with mock.patch("basketwise.cli.cleaning.current_time", return_value=later):
        cleaned = called("aws", "clean", "--yes", "--workspace", cloud.workspace).out
    assert "removed   model retail-old" in cleaned
    assert "removed   endpoint config retail-old" in cleaned


def _large_file(cloud: Cloud, folder: Path) -> None:
    """Cut an upload off after its first part, and go on."""
    large, key = folder / "large", cloud.names.key("large")
    large.write_bytes(bytes(9 << 20))
    s3 = clients.client("s3", CONFIG)
    with (
        mock.patch.object(multipart, "PART", 5 << 20),
        mock.patch.object(upload, "PART", 5 << 20),
    ):
        with (
            mock.patch.object(s3, "complete_multipart_upload", side_effect=ConnectionError("cut")),
            pytest.raises(DependencyError),
        ):
            upload.upload(Bucket(s3, cloud.names.bucket), {key: large}, lambda *_: None)
        upload.upload(Bucket(s3, cloud.names.bucket), {key: large}, lambda *_: None)


def test_what_is_recorded_is_allowed(recorded: tuple[Cloud, list[Call]]) -> None:
    cloud, calls = recorded
    shipped = policy("run", cloud.names)
    refused = {
        str(call) for call in calls if not allows(shipped, call.action, call.resource, call.context)
    }
    assert not refused


def test_the_list_is_exactly_what_is_recorded(recorded: tuple[Cloud, list[Call]]) -> None:
    _, calls = recorded
    listed = {call.action for call in CALLS if call.who == "run"}
    assert {call.action for call in calls} == listed

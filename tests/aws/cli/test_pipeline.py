"""``aws pipeline upsert``, ``start``, ``status``: a whole run, and what may go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from basketwise.aws.requests.pipeline import definition_text
from basketwise.aws.s3 import Bucket
from basketwise.aws.uploads.upload import upload
from basketwise.config import Config
from basketwise.sampling import generate
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.pipelines import Pipelines
from tests.cli.calling import Outcome, call, called
from tests.seaweed import S3Server

NAME = "mlops-retail-prediction-dev-pipeline"
SMALL = (
    *("--set", "training.models=decision_tree"),
    *("--set", "training.folds=2"),
    *("--set", "features.tried=[]"),
    *("--set", "index.refine_rounds=1"),
    *("--set", "evaluation.resamples=100"),
    *("--set", "evaluation.importance_baskets=100"),
    *("--set", "evaluation.importance_repeats=1"),
)
"""Settings with which an execution takes a few seconds."""


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        running.service.parts.append(
            Pipelines(running.jobs, running.registry, running.names.bucket)
        )
        running.registry.CreateModelPackageGroup({"ModelPackageGroupName": running.names.group})
        yield running


def pipeline(cloud: Cloud, command: str, *arguments: str) -> Outcome:
    at = ("--workspace", cloud.workspace, "--set", "aws.poll_seconds=0.3")
    return call("aws", "pipeline", command, *at, *arguments)


def put(cloud: Cloud, *keys: str) -> None:
    for key in keys:
        cloud.s3.put_object(Bucket=cloud.names.bucket, Key=cloud.names.key(key), Body=b"text")


@pytest.fixture
def no_code(cloud: Cloud) -> Iterator[mock.Mock]:
    """Upload a placeholder instead of the code."""
    with mock.patch(
        "basketwise.aws.uploads.code.upload_code",
        side_effect=lambda *_: put(cloud, "code/none.whl"),
    ) as send:
        yield send


def test_raw_lines_become_a_version_that_waits_for_approval(cloud: Cloud, tmp_path: Path) -> None:
    generate(tmp_path / "raw", baskets=800, seed=3, weeks=4)
    files = {cloud.names.key("raw", path.name): path for path in (tmp_path / "raw").iterdir()}
    upload(Bucket(cloud.s3, cloud.names.bucket), files, lambda *_: None)

    created = pipeline(cloud, "upsert", *SMALL, "--json")
    assert created.json["action"] == "created", created
    first = pipeline(cloud, "start", *SMALL, "--name", "run-1", "--wait", "--json")
    assert first.code == 0, first
    assert first.err.splitlines() == [
        line
        for name in ("Etl", "Train", "Evaluate", "Decide", "Register")
        for line in (f"{name}: Executing", f"{name}: Succeeded")
        if line in first.err
    ]
    execution = first.json["execution"]
    assert execution["status"] == "Succeeded"
    assert [step["name"] for step in execution["steps"] if step["cached"]] == []
    (version,) = cloud.registry.packages[cloud.names.group]
    assert version["ModelApprovalStatus"] == "PendingManualApproval"
    assert execution["steps"][-1]["made"] == version["ModelPackageArn"]
    assert version["CustomerMetadataProperties"]["model_version"] == "run-1"
    (served,) = version["InferenceSpecification"]["Containers"]
    metrics = version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert served["ModelDataUrl"] == f"{cloud.workspace}/artifacts/run-1/model.tar.gz"
    assert metrics == f"{cloud.workspace}/artifacts/run-1/evaluation.json"
    names = {"model.tar.gz", "evaluation.json", "report.html"}
    assert {f"artifacts/run-1/{name}" for name in names} <= set(cloud.keys("artifacts", "run-1"))
    assert json.loads(cloud.read("artifacts", "run-1", "evaluation.json"))["accuracy"] > 0.8

    # The version is one like any other: it can be approved, and scores baskets.
    place = ("--workspace", cloud.workspace)
    called("models", "approve", "1", *place)
    scores = tmp_path / "scores.csv"
    called("predict", "--data", str(tmp_path / "raw"), "--out", str(scores), *place)
    assert len(scores.read_text().splitlines()) == 801
    latest = json.loads(cloud.read("deployment-configs", "latest_model_config.json"))
    assert latest["model_info"]["model_package_arn"] == version["ModelPackageArn"]

    # The same data and settings: only what belongs to the run is made again.
    again = pipeline(cloud, "start", *SMALL, "--name", "run-2", "--wait", "--json")
    assert again.code == 0, again
    assert again.json["data_version"] == first.json["data_version"]
    steps = {step["name"]: step for step in again.json["execution"]["steps"]}
    assert {name for name, step in steps.items() if step["cached"]} == {"Etl", "Train"}
    assert "Train: Succeeded, reused from an earlier execution" in again.err
    assert len(cloud.jobs.jobs) == 4
    assert len(cloud.registry.packages[cloud.names.group]) == 2
    shown = pipeline(cloud, "status").out
    assert shown.startswith("run-2  Succeeded  started ")
    assert "cached" in shown

    # Above reach: the same training ends with the reason, and nothing is registered.
    strict = (*SMALL, "--set", "gate.min_accuracy=1", "--set", "gate.min_macro_f1=1")
    assert pipeline(cloud, "upsert", *strict, "--json").json["action"] == "updated"
    refused = pipeline(cloud, "start", *strict, "--name", "run-3", "--wait")
    assert refused.code == 3, refused
    assert "Train: Succeeded, reused from an earlier execution" in refused.err
    assert "Refuse: Failed: The model is not registered" in refused.err
    assert "The execution run-3 has failed. Refuse: The model is not registered" in refused.err
    assert len(cloud.registry.packages[cloud.names.group]) == 2
    assert pipeline(cloud, "status", "run-3").code == 0


def test_a_failed_training_says_why_as_a_single_job_does(cloud: Cloud, tmp_path: Path) -> None:
    generate(tmp_path / "raw", baskets=400, seed=3, weeks=4)
    files = {cloud.names.key("raw", path.name): path for path in (tmp_path / "raw").iterdir()}
    upload(Bucket(cloud.s3, cloud.names.bucket), files, lambda *_: None)
    impossible = (*SMALL, "--set", "training.xgboost_on_spark=true")
    assert pipeline(cloud, "upsert", *impossible).code == 0
    outcome = pipeline(cloud, "start", *impossible, "--name", "run-1", "--wait")
    assert outcome.code == 3, outcome
    (training,) = [job for job in cloud.jobs.jobs.values() if job.kind == "Training"]
    reason = "AlgorithmError: training.xgboost_on_spark needs a Spark session"
    assert training.reason.startswith(reason)
    assert training.reason.endswith("exit code: 2")
    assert f"Train: Failed: ClientError: {reason}" in outcome.err
    assert not list((training.root / "output").glob("success"))


def test_a_dry_run_prints_the_definition_and_makes_nothing(cloud: Cloud) -> None:
    outcome = pipeline(cloud, "upsert", "--dry-run", "--set", "gate.min_accuracy=0.9")
    assert outcome.code == 0
    config = Config.model_validate({"gate": {"min_accuracy": 0.9}})
    assert outcome.json == json.loads(definition_text(cloud.names, config))
    assert {name for _, name, _ in cloud.service.calls} == {"GetCallerIdentity"}
    assert cloud.keys() == []


def test_upsert_uploads_the_code_and_reports_the_pipeline(cloud: Cloud, no_code: mock.Mock) -> None:
    reasons = [
        pipeline(cloud, "upsert", *flags).out.splitlines()[0]
        for flags in ((), (), ("--set", "gate.min_accuracy=0.9"))
    ]
    assert reasons == [
        f"The pipeline {NAME} is created.",
        f"The pipeline {NAME} is up to date.",
        f"The pipeline {NAME} is updated.",
    ]
    assert no_code.call_count == 3
    assert no_code.call_args.args[1] == cloud.names
    document = pipeline(cloud, "upsert", "--json").json
    assert document.keys() == {"pipeline", "arn", "action"}


def test_an_image_of_ones_own_needs_no_code(cloud: Cloud) -> None:
    own = ("--set", "aws.image=own", "--set", "aws.image_uri=shop:1", "--json")
    with mock.patch.dict("sys.modules", {"basketwise.aws.uploads.code": None}):
        assert pipeline(cloud, "upsert", *own).json["action"] == "created"


def test_a_start_says_what_was_started(cloud: Cloud, no_code: mock.Mock) -> None:
    cloud.jobs.images = set()
    put(cloud, "raw/a.csv")
    pipeline(cloud, "upsert")
    first = pipeline(cloud, "start", "--name", "run-1")
    assert first.code == 0
    assert first.out.startswith("The execution run-1 is started.\n  arn     arn:aws:sagemaker:")
    assert f"{cloud.workspace}/artifacts/run-1/" in first.out
    assert "aws pipeline status run-1" in first.out
    again = pipeline(cloud, "start", "--name", "run-1", "--set", "gate.min_accuracy=0.9")
    assert "exists already; nothing was started" in again.out
    assert "created with other settings" in again.err
    named = [pipeline(cloud, "start", "--json").json["run_id"] for _ in range(2)]
    assert named[0] != named[1]
    assert all(name.startswith("run-20") for name in named)


def test_a_failed_execution_exits_with_3_and_its_reason(cloud: Cloud, no_code: mock.Mock) -> None:
    cloud.jobs.images = set()
    put(cloud, "raw/a.csv")
    pipeline(cloud, "upsert")
    outcome = pipeline(cloud, "start", "--name", "run-1", "--wait")
    assert outcome.code == 3
    assert "Etl: Failed: ClientError: " in outcome.err
    assert "The execution run-1 has failed. Etl: " in outcome.err
    assert "Cannot pull the image" in outcome.err
    shown = pipeline(cloud, "status")
    assert shown.code == 0
    assert shown.out.splitlines()[0].startswith("run-1  Failed  started 20")
    assert "Cannot pull the image" in shown.out.splitlines()[2]
    document = pipeline(cloud, "status", "run-1", "--json").json
    assert document["status"] == "Failed"
    (step,) = document["steps"]
    assert step.keys() == {"name", "status", "seconds", "cached", "reason", "made"}


def test_ctrl_c_says_that_the_execution_continues(cloud: Cloud, no_code: mock.Mock) -> None:
    cloud.jobs.images = set()
    put(cloud, "raw/a.csv")
    pipeline(cloud, "upsert")
    with mock.patch("basketwise.aws.running.executions.follow", side_effect=KeyboardInterrupt):
        outcome = pipeline(cloud, "start", "--name", "run-1", "--wait")
    assert outcome.code == 130
    assert "It continues." in outcome.err


def test_what_is_missing_is_named(cloud: Cloud, no_code: mock.Mock) -> None:
    for command in ("start", "status"):
        outcome = pipeline(cloud, command)
        assert outcome.code == 2
        assert "basketwise aws pipeline upsert" in outcome.err
    pipeline(cloud, "upsert")
    assert f"no files below {cloud.workspace}/raw/" in pipeline(cloud, "start").err
    assert "has never been started" in pipeline(cloud, "status").err


def test_what_aws_refuses_exits_with_3(cloud: Cloud, no_code: mock.Mock) -> None:
    cloud.service.denied = {"CreatePipeline"}
    outcome = pipeline(cloud, "upsert")
    assert outcome.code == 3
    assert "AWS refused to create the pipeline" in outcome.err
    assert "aws policy run" in outcome.err

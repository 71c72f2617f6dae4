"""``aws run``, whole: from raw files to scores, on real S3 and with jobs that really run."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from basketwise.sampling import generate
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.job import Job
from tests.aws.double.service import wait_for
from tests.cli.calling import Outcome, call, called
from tests.seaweed import READER_KEY, S3Server

GROUP = "retail-price-sensitivity-models"
QUICK = (
    *("--set", "aws.poll_seconds=0.1"),
    *("--set", "training.folds=3"),
    *("--set", "evaluation.resamples=100"),
)
TREE = ("--models", "decision_tree")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    generate(folder, baskets=1500, seed=7, weeks=5)
    return folder


@pytest.fixture(scope="module")
def finished(
    s3_server: S3Server, raw: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, Outcome]]:
    """An account in which a run has gone through; not to be changed."""
    with running_cloud(s3_server, tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud, called(*command(cloud, raw, "first"), "--json")


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        yield running


def command(cloud: Cloud, raw: Path | str, name: str, *more: str) -> list[str]:
    settings = more or TREE
    workspace = ("--workspace", cloud.workspace)
    return ["aws", "run", "--data", str(raw), "--name", name, *QUICK, *settings, *workspace]


def predictions(cloud: Cloud, run: str) -> pl.DataFrame:
    return pl.read_parquet(cloud.read("artifacts", run, "test_predictions.parquet"))


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
    assert outcome.json["aws"]["estimated_usd"] == pytest.approx(paid / 3600 * 0.115, abs=1e-4)
    assert 0 <= outcome.json["aws"]["spot_saving"] < 1


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


def test_an_interrupted_spot_training_ends_with_the_same_model(
    finished: tuple[Cloud, Outcome], cloud: Cloud, raw: Path
) -> None:
    models = ("--models", "random_forest", "--set", "training.random_forest.n_estimators=150")
    whole = called(*command(cloud, raw, "whole", *models), "--json")
    process = started(command(cloud, raw, "spot", *models, "--force"))
    job = working(cloud, "retail-prediction-training-run-spot")
    wait_for(lambda: len(cloud.keys("checkpoints", "run-spot")) >= 1)
    job.interrupt()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Interrupted" in job.phases
    assert job.phases.count("Training") == 2
    assert predictions(cloud, "run-spot").equals(predictions(cloud, "run-whole"))
    assert whole.json["state"] == "Approved"


def test_a_lost_terminal_is_picked_up(cloud: Cloud, raw: Path) -> None:
    models = ("--models", "random_forest", "--set", "training.random_forest.n_estimators=150")
    process = started(command(cloud, raw, "lost", *models))
    working(cloud, "retail-prediction-training-run-lost")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    busy = call("aws", "run", "--resume", "--workspace", cloud.workspace, *QUICK)
    assert busy.code == 2
    assert "If it was killed, its lock expires" in busy.err
    cloud.s3.delete_object(Bucket=cloud.names.bucket, Key=cloud.names.key(".basketwise/lock"))
    resumed = called("aws", "run", "--resume", "--workspace", cloud.workspace, "--json", *QUICK)
    assert resumed.json["run_id"] == "run-lost"
    assert resumed.json["stages"]["silver"] == {"status": "cached", "why": ""}
    assert list(cloud.jobs.jobs) == [
        "retail-etl-processing-run-lost",
        "retail-prediction-training-run-lost",
    ]
    assert resumed.json["state"] == "Approved"


def test_a_failed_run_continues_where_it_failed(cloud: Cloud, raw: Path) -> None:
    cloud.jobs.capacity = False
    failed = call(*command(cloud, raw, "tight"))
    assert failed.code == 3
    assert "has failed: CapacityError: Unable to provision" in failed.err
    assert "try again later, choose another instance type" in failed.err
    assert not cloud.keys("artifacts/run-tight")
    assert not cloud.registry.packages.get(GROUP)
    cloud.jobs.capacity = True
    called("aws", "run", "--resume", "--workspace", cloud.workspace, *QUICK)
    assert list(cloud.jobs.jobs) == [
        "retail-etl-processing-run-tight",
        "retail-prediction-training-run-tight",
        "retail-prediction-training-run-tight-2",
    ]


def test_files_that_changed_since_are_another_run(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    generate(folder, baskets=600, seed=7, weeks=4)
    cloud.jobs.capacity = False
    assert call(*command(cloud, folder, "first")).code == 3
    cloud.jobs.capacity = True
    generate(folder, baskets=500, seed=7, weeks=4, overwrite=True)
    refused = call("aws", "run", "--resume", "--workspace", cloud.workspace, *QUICK)
    assert refused.code == 2
    assert "with different inputs: the raw files." in refused.err
    # A run of another name takes them, though jobs of other data have left their outputs there.
    second = called(*command(cloud, folder, "second"), "--json")
    assert second.json["stages"]["silver"]["status"] == "ran"
    assert json.loads(cloud.read("gold", "metadata.json"))["lines"] == second.json["lines"]
    assert [job["name"] for job in second.json["aws"]["jobs"]] == [
        "retail-etl-processing-run-second",
        "retail-prediction-training-run-second",
    ]


def test_a_run_that_was_overtaken_does_not_take_the_others_data(
    cloud: Cloud, raw: Path, tmp_path: Path
) -> None:
    cloud.jobs.capacity = False
    assert call(*command(cloud, raw, "a")).code == 3
    cloud.jobs.capacity = True
    lines = json.loads(cloud.read("gold", "metadata.json"))["lines"]
    other = tmp_path / "other"
    generate(other, baskets=700, seed=8, weeks=5)
    assert called(*command(cloud, other, "b"), "--json").json["lines"] != lines
    resume = ("aws", "run", "--resume", "--name", "a", "--workspace", cloud.workspace)
    resumed = called(*resume, "--json", *QUICK)
    assert resumed.json["lines"] == lines
    assert json.loads(cloud.read("gold", "metadata.json"))["lines"] == lines


def test_judging_a_run_again_leaves_its_registered_model_alone(cloud: Cloud, raw: Path) -> None:
    workspace = ("--workspace", cloud.workspace)
    called(*command(cloud, raw, "first"))
    called("evaluate", "--all-splits", "--force", *workspace, *QUICK)
    called("export", *workspace)
    scored = called("predict", "--data", raw, "--out", raw.parent / "scores.csv", *workspace)
    assert scored.out.strip().endswith("scores.csv")


def test_force_is_for_a_new_name_and_is_kept(cloud: Cloud, raw: Path) -> None:
    called(*command(cloud, raw, "first"))
    refused = call(*command(cloud, raw, "first"), "--force")
    assert refused.code == 2
    assert "with different inputs: --force." in refused.err
    cloud.jobs.capacity = False
    assert call(*command(cloud, raw, "again"), "--force").code == 3
    cloud.jobs.capacity = True
    resumed = called("aws", "run", "--resume", *QUICK, "--workspace", cloud.workspace, "--json")
    assert resumed.json["run_id"] == "run-again"
    assert "retail-prediction-training-run-again-2" in cloud.jobs.jobs
    jobs = {job["name"]: job["status"] for job in resumed.json["aws"]["jobs"]}
    assert jobs["retail-prediction-training-run-again"] == "Failed"


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
    stderr = called(*command(cloud, raw, "slow")).err.splitlines()
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
        ("denied", "'basketwise aws policy run'"),
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


# --- Ctrl-C ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "ends"), [("y\n", "Stopped"), ("n\n", "Completed")])
def test_ctrl_c_offers_to_stop_the_job(cloud: Cloud, raw: Path, answer: str, ends: str) -> None:
    keyboard, terminal = os.openpty()
    forest = ("--models", "random_forest", "--set", "training.random_forest.n_estimators=150")
    process = started(command(cloud, raw, "keys", *forest), stdin=terminal)
    job = working(cloud, "retail-prediction-training-run-keys")
    process.send_signal(signal.SIGINT)
    os.write(keyboard, answer.encode())
    _, err = process.communicate(timeout=60)
    os.close(keyboard)
    os.close(terminal)
    assert process.returncode == 130
    assert "The job retail-prediction-training-run-keys continues by itself. Stop it?" in err
    assert "aws run --resume --name run-keys" in err
    assert "Interrupted." in err
    wait_for(lambda: job.ended)
    assert job.status == ends
    if ends == "Completed":
        return
    # The lock was released: the run can be resumed at once.
    resumed = called("aws", "run", "--resume", "--workspace", cloud.workspace, "--json", *QUICK)
    assert resumed.json["state"] == "Approved"
    assert list(cloud.jobs.jobs) == [
        "retail-etl-processing-run-keys",
        "retail-prediction-training-run-keys",
        "retail-prediction-training-run-keys-2",
    ]


def test_without_a_terminal_ctrl_c_leaves_the_job_alone(cloud: Cloud, raw: Path) -> None:
    process = started(command(cloud, raw, "pipe"))
    job = working(cloud, "retail-etl-processing-run-pipe")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "retail-etl-processing-run-pipe continues. Resume the run with:" in err
    assert "aws run --resume --name run-pipe" in err
    wait_for(lambda: job.ended)
    assert job.status == "Completed"


# --- processes and jobs ------------------------------------------------------------------------


def started(arguments: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Run a command as a process of its own, with a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "basketwise", *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def working(cloud: Cloud, name: str) -> Job:
    """Wait until a job works, and return it."""
    wait_for(lambda: name in cloud.jobs.jobs and cloud.jobs.jobs[name].working)
    return cloud.jobs.jobs[name]

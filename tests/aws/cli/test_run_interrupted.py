"""``aws run`` whose terminal is lost or asked to stop, and whose spot instance is taken away."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import polars as pl
import pytest

from tests.aws.cli.running import QUICK, command, frozen, started, working
from tests.aws.double.cloud import Cloud
from tests.aws.double.service import wait_for
from tests.cli.calling import call, called


def predictions(cloud: Cloud, run: str) -> pl.DataFrame:
    return pl.read_parquet(cloud.read("artifacts", run, "test_predictions.parquet"))


def test_an_interrupted_spot_training_ends_with_the_same_model(cloud: Cloud, raw: Path) -> None:
    models = ("--models", "random_forest", "--set", "training.random_forest.n_estimators=40")
    whole = called(*command(cloud, raw, "whole", *models), "--json")
    process = started(cloud, command(cloud, raw, "spot", *models, "--force"))
    job = working(cloud, "retail-prediction-training-run-spot")
    wait_for(lambda: any((job.root / "checkpoints").glob("*.checkpoint")))
    job.freeze()
    wait_for(lambda: len(cloud.keys("checkpoints", "run-spot")) >= 1)
    job.interrupt()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Interrupted" in job.phases
    assert job.phases.count("Training") == 2
    assert predictions(cloud, "run-spot").equals(predictions(cloud, "run-whole"))
    assert whole.json["state"] == "Approved"


def test_a_lost_terminal_is_picked_up(cloud: Cloud, raw: Path) -> None:
    process = started(cloud, command(cloud, raw, "lost"))
    job = frozen(cloud, "retail-prediction-training-run-lost")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    busy = call("aws", "run", "--resume", "--workspace", cloud.workspace, *QUICK)
    assert busy.code == 2
    assert "If it was killed, its lock expires" in busy.err
    cloud.s3.delete_object(Bucket=cloud.names.bucket, Key=cloud.names.key(".basketwise/lock"))
    job.thaw()
    resumed = called("aws", "run", "--resume", "--workspace", cloud.workspace, "--json", *QUICK)
    assert resumed.json["run_id"] == "run-lost"
    assert resumed.json["stages"]["silver"] == {"status": "cached", "why": ""}
    assert list(cloud.jobs.jobs) == [
        "retail-etl-processing-run-lost",
        "retail-prediction-training-run-lost",
    ]
    assert resumed.json["state"] == "Approved"


@pytest.mark.parametrize(("answer", "ends"), [("y\n", "Stopped"), ("n\n", "Completed")])
def test_ctrl_c_offers_to_stop_the_job(cloud: Cloud, raw: Path, answer: str, ends: str) -> None:
    keyboard, terminal = os.openpty()
    process = started(cloud, command(cloud, raw, "keys"), stdin=os.ttyname(terminal))
    job = frozen(cloud, "retail-prediction-training-run-keys")
    process.send_signal(signal.SIGINT)
    os.write(keyboard, answer.encode())
    _, err = process.communicate(timeout=60)
    os.close(keyboard)
    os.close(terminal)
    assert process.returncode == 130
    assert "The job retail-prediction-training-run-keys continues by itself. Stop it?" in err
    assert "aws run --resume --name run-keys" in err
    assert "Interrupted." in err
    if ends == "Completed":
        job.thaw()
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
    process = started(cloud, command(cloud, raw, "pipe"))
    job = frozen(cloud, "retail-etl-processing-run-pipe")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "retail-etl-processing-run-pipe continues. Resume the run with:" in err
    assert "aws run --resume --name run-pipe" in err
    job.thaw()
    wait_for(lambda: job.ended)
    assert job.status == "Completed"

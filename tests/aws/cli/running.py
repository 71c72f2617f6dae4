"""Commands of ``aws run`` on a small sample, in this process or as one of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.aws.double.cloud import Cloud
from tests.aws.double.job import Job
from tests.aws.double.service import wait_for

GROUP = "retail-price-sensitivity-models"
QUICK = (
    *("--set", "aws.poll_seconds=0.1"),
    *("--set", "index.refine_rounds=1"),
    *("--set", "training.folds=3"),
    *("--set", "evaluation.resamples=100"),
    *("--set", "evaluation.importance_baskets=100"),
    *("--set", "evaluation.importance_repeats=1"),
)
TREE = ("--models", "decision_tree")


def command(cloud: Cloud, raw: Path | str, name: str, *more: str) -> list[str]:
    settings = more or TREE
    workspace = ("--workspace", cloud.workspace)
    return ["aws", "run", "--data", str(raw), "--name", name, *QUICK, *settings, *workspace]


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


def frozen(cloud: Cloud, name: str) -> Job:
    """Wait until a job works, and hold it there until it is thawed or stopped."""
    job = working(cloud, name)
    job.freeze()
    return job

"""Commands of ``aws run`` on a small sample, in this process or as one of their own."""

from __future__ import annotations

import os
from pathlib import Path

from tests.aws.double.cloud import Cloud
from tests.aws.double.job import Job
from tests.aws.double.service import wait_for
from tests.warm import WarmProcess

GROUP = "retail-price-sensitivity-models"
QUICK = (
    *("--set", "aws.poll_seconds=0.3"),
    *("--set", "features.tried=[]"),
    *("--set", "index.refine_rounds=1"),
    *("--set", "training.folds=2"),
    *("--set", "evaluation.resamples=100"),
    *("--set", "evaluation.importance_baskets=100"),
    *("--set", "evaluation.importance_repeats=1"),
)
TREE = ("--models", "decision_tree")


def command(cloud: Cloud, raw: Path | str, name: str, *more: str) -> list[str]:
    settings = more or TREE
    workspace = ("--workspace", cloud.workspace)
    return ["aws", "run", "--data", str(raw), "--name", name, *QUICK, *settings, *workspace]


def started(cloud: Cloud, arguments: list[str], stdin: str = os.devnull) -> WarmProcess:
    """Run a command as a process of its own, with a process group of its own."""
    folder = cloud.jobs.folder
    folder.mkdir(parents=True, exist_ok=True)
    return WarmProcess(
        "basketwise",
        arguments,
        environment=os.environ,
        cwd=folder,
        stdin=stdin,
        stdout=folder / "command.out",
        stderr=folder / "command.err",
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

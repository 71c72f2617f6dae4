"""On a cluster, neither a killed executor nor tasks that are tried twice change anything."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from basketwise.digests import content
from basketwise.sampling import generate
from benchmarks.cluster import Cluster, running_cluster
from tests.cli.calling import SMALL, clean_environment

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("BASKETWISE_TEST_SPARK"), reason="make test-spark runs it"
    ),
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java"),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are not listed"),
]

EPOCH = {"SOURCE_DATE_EPOCH": "1767225600"}
SECONDS = 180.0
LIMIT = 2**30
"""Bytes of a driver's Python, and of its JVM; most of them are for libraries."""
TRAINING_LIMIT = 2**31
"""The same of a driver that trains too, and registers the model."""
FEW_THREADS = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Stacks of a large machine's threads would be too many."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # Every task that is not among the first to end is tried again at once.
    impatient = {
        "speculation": "true",
        "speculation_interval": "20ms",
        "speculation_multiplier": "1.0",
        "speculation_quantile": "0.1",
        "speculation_minTaskRuntime": "1ms",
        "sql_adaptive_enabled": "false",
        "sql_shuffle_partitions": "12",
        "task_maxFailures": "8",
        "shuffle_io_maxRetries": "1",
        "shuffle_io_retryWait": "100ms",
        # The least that Spark starts with; and all lines together are larger than all results.
        "driver_memory": "480m",
        "driver_maxResultSize": "1m",
    }
    with running_cluster(tmp_path_factory.mktemp("cluster"), 2, **impatient) as running:
        yield running


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    generate(folder, baskets=6_000, seed=5, weeks=24)
    return folder


@pytest.fixture(scope="module")
def expected(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    workspace = tmp_path_factory.mktemp("here") / "ws"
    _etl(raw, workspace, {}).communicate(timeout=SECONDS)
    return made(workspace)


def _etl(
    raw: Path, workspace: Path, environment: dict[str, str], *options: str
) -> subprocess.Popen[str]:
    return _started(("etl", str(raw)), workspace, environment, *SMALL[4:], *options)


def _started(
    command: tuple[str, ...], workspace: Path, environment: dict[str, str], *options: str
) -> subprocess.Popen[str]:
    limited = partial(limit_memory, LIMIT if command[0] == "etl" else TRAINING_LIMIT)
    return subprocess.Popen(
        [sys.executable, "-m", "basketwise", *command, "--workspace", str(workspace), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment() | EPOCH | FEW_THREADS | environment,
        preexec_fn=limited if environment else None,
    )


def limit_memory(most: int) -> None:
    """Limit the memory that each process may write to."""
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def made(workspace: Path) -> dict[str, str]:
    """Return the digests of silver and gold, records apart, which have the command's inputs."""
    folders = (workspace / name for name in ("silver", "gold"))
    return {
        f"{folder.name}/{name}": digest
        for folder in folders
        for name, digest in content(folder).items()
    }


def test_a_small_driver_a_killed_executor_and_tasks_that_are_tried_twice_change_nothing(
    cluster: Cluster, raw: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    workspace = tmp_path / "ws"
    options = ("--engine", "spark", "--spark", cluster.url)
    process = _etl(raw, workspace, cluster.environment(), *options)
    written = wait_for_files(workspace, process)
    killed = cluster.executors()[0]
    os.kill(killed, signal.SIGKILL)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output[-3000:]
    # It was killed in the middle: parts of many weeks were not there yet.
    assert written < 24
    assert "Lost executor" in output
    assert len(expected) > 30
    assert made(workspace) == expected


def test_a_small_driver_trains_xgboost_on_all_baskets_in_the_clusters_tasks(
    cluster: Cluster, raw: Path, tmp_path: Path
) -> None:
    settings = (
        *SMALL[4:],
        *("--models", "xgboost", "--engine", "spark"),
        *("--set", "training.xgboost_on_spark=true"),
        *("--set", "training.xgboost_workers=2"),
        *("--set", "training.xgboost.n_estimators=10"),
        *("--set", "training.max_baskets=1000"),
    )
    workspace, environment = tmp_path / "ws", cluster.environment()
    data = ("run", str(raw)), ("train", "--force")
    models = []
    for command, url in zip(data, (cluster.url, "local[2]"), strict=True):
        process = _started(command, workspace, environment, *settings, "--spark", url)
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, output[-3000:]
        folder = max((workspace / "artifacts").iterdir())
        (candidate,) = json.loads((folder / "training.json").read_bytes())["candidates"]
        assert candidate["distributed"]["workers"] == 2
        assert 3_000 < candidate["distributed"]["baskets"] < 6_000
        models.append((folder / "model.skops").read_bytes())
    assert json.loads((workspace / "gold/metadata.json").read_bytes())["train_samples"] < 1_001
    assert (workspace / "registry").is_dir()
    assert len(list((workspace / "artifacts").iterdir())) == 2
    # Two workers add up the same sums, wherever they are.
    assert models[0] == models[1]


def wait_for_files(workspace: Path, process: subprocess.Popen[str]) -> int:
    """Wait until tasks have written the lines of some weeks, and count these."""
    end = time.monotonic() + SECONDS
    pattern = ".staging/scratch/exchange-*/????????????????????????????????.parquet"
    while time.monotonic() < end and process.poll() is None:
        if files := len(list(workspace.glob(pattern))):
            return files
        time.sleep(0.005)
    raise AssertionError(process.communicate()[0][-3000:])

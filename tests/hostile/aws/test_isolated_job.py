"""A job of AWS's image without any network: it installs from ``code/`` alone, and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from basketwise.artifact.wheel import write_wheel
from basketwise.aws.libraries import download
from basketwise.aws.requests.controls import WHEELS, offline
from basketwise.aws.requests.entry import RUN
from basketwise.aws.uploads.code import WHEEL_VERSION, lock_for_jobs
from basketwise.config import AwsConfig
from basketwise.sampling import generate
from tests.hostile.scale import tried

PYTHON = os.environ.get("BASKETWISE_TEST_PYTHON_3_12") or (
    sys.executable if sys.version_info[:2] == (3, 12) else ""
)
"""That of AWS's image."""

pytestmark = [
    pytest.mark.skipif(not tried(0, 1), reason="downloads a job's libraries: 165 MB"),
    pytest.mark.skipif(not PYTHON, reason="BASKETWISE_TEST_PYTHON_3_12 names no Python 3.12"),
    pytest.mark.skipif(
        shutil.which("unshare") is None or os.getuid() != 0, reason="needs root, to cut a network"
    ),
    pytest.mark.timeout(900),
]


def test_etl_runs_where_nothing_can_be_reached(tmp_path: Path) -> None:
    code, base = tmp_path / "code", tmp_path / "ml"
    wheels = code / WHEELS
    wheels.mkdir(parents=True)
    download(lock_for_jobs(), wheels)
    size = sum(path.stat().st_size for path in wheels.iterdir())
    click.echo(f"{len(list(wheels.iterdir()))} wheels, {size / 1e6:.0f} MB")
    (code / "requirements.txt").write_text(lock_for_jobs(), encoding="utf-8")
    (code / "run.sh").write_text(RUN, encoding="utf-8")
    write_wheel(code, WHEEL_VERSION)
    generate(base / "processing" / "input", baskets=500, seed=7, weeks=4)
    subprocess.run([PYTHON, "-m", "venv", tmp_path / "image"], check=True)
    environment = {
        "PATH": f"{tmp_path}/image/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "SAGEMAKER_BASE_DIR": str(base),
        **offline(AwsConfig(network_isolation=True), str(code)),
    }
    start = time.monotonic()
    # A network namespace of its own, without even a loopback device that is up.
    done = subprocess.run(
        ["unshare", "--net", "/bin/sh", str(code / "run.sh"), "processing"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    click.echo(f"{time.monotonic() - start:.0f} s from the start to the end of the job")
    assert done.returncode == 0, done.stderr
    assert "lines read, 0 rejected" in done.stdout
    assert (base / "processing" / "output" / "gold" / "train_features.parquet").is_file()


def test_without_the_variables_the_same_job_would_not_start(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "requirements.txt").write_text(lock_for_jobs(), encoding="utf-8")
    (code / "run.sh").write_text(RUN, encoding="utf-8")
    subprocess.run([PYTHON, "-m", "venv", tmp_path / "image"], check=True)
    environment = {
        "PATH": f"{tmp_path}/image/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PIP_RETRIES": "0",
    }
    done = subprocess.run(
        ["unshare", "--net", "/bin/sh", str(code / "run.sh"), "processing"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "No matching distribution" in done.stderr

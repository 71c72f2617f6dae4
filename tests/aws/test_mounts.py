"""What a job's folders are in the double: as strict as on SageMaker, and only for the job."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.requests.processing import etl_job, evaluation_job
from basketwise.aws.requests.training import training_job
from tests.aws.double.job import Job
from tests.aws.double.mounts import NOT_ALLOWED, enter, inside, may_mount
from tests.aws.requests.examples import CONFIG, NAMES, RUN
from tests.warm import WarmProcess

MODULE = "probe_of_mounts"
PROBE = """
import errno, os, sys

def attempt(action, *paths):
    try:
        action(*paths)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def written(path):
    open(path, "w").close()

print(attempt(os.rename, "a/file", "b/file"), attempt(os.link, "a/file", "b/file"))
print(attempt(os.rmdir, "b/inner"), attempt(written, "b/inner/file"))
print(attempt(written, "input/file"), attempt(os.mkdir, "input/folder"))
print(os.listdir("input"))
"""
STRICT = ["EXDEV EXDEV", "EBUSY done", "EROFS EROFS", "['line']"]


@pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)
@pytest.mark.parametrize("warm", [False, True])
def test_folders_are_apart_for_the_job_alone(tmp_path: Path, warm: bool) -> None:
    for name in ("a", "b/inner", "input"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("a/file", "input/line"):
        (tmp_path / name).touch()
    (tmp_path / f"{MODULE}.py").write_text(PROBE, encoding="utf-8")
    mounts = [(str(tmp_path / name), name == "input") for name in ("b", "a", "input", "b/inner")]
    log = tmp_path / "log"
    if warm:
        process: Any = WarmProcess(
            MODULE,
            [],
            environment={},
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            enter=partial(enter, mounts),
        )
    else:
        command = inside(mounts, [sys.executable, f"{MODULE}.py"])
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
    assert process.wait(30) == 0, log.read_text()
    assert log.read_text().splitlines() == STRICT
    # Here they are what they were.
    (tmp_path / "a" / "file").rename(tmp_path / "b" / "file")
    (tmp_path / "input" / "line").unlink()
    assert (tmp_path / "b" / "inner" / "file").is_file()


@pytest.mark.parametrize(
    ("kind", "request_of", "read", "written"),
    [
        (
            "Processing",
            etl_job,
            {"processing/input", "processing/code"},
            {"processing/output/silver", "processing/output/gold", "output"},
        ),
        (
            "Processing",
            evaluation_job,
            {"processing/gold", "processing/model", "processing/code"},
            {"processing/output", "output"},
        ),
        (
            "Training",
            training_job,
            {"input/data/train", "input/data/test", "input/data/code", "input/config"},
            {"model", "checkpoints", "output", "output/data"},
        ),
    ],
)
def test_each_folder_that_a_request_names_is_one(
    tmp_path: Path, kind: str, request_of: Any, read: set[str], written: set[str]
) -> None:
    job = Job(kind, request_of(NAMES, CONFIG, RUN), tmp_path, None)
    mounts = {(Path(path).relative_to(tmp_path).as_posix(), ro) for path, ro in job._mounts()}
    assert mounts == {*((path, True) for path in read), *((path, False) for path in written)}

"""The libraries of jobs that reach no package index: uploaded once, and installed from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.aws.requests.controls import offline
from basketwise.aws.requests.entry import RUN
from basketwise.aws.s3 import Bucket
from basketwise.aws.uploads import wheels
from basketwise.aws.uploads.wheels import LIST, remove_other_wheels, upload_wheels
from basketwise.config import AwsConfig
from basketwise.errors import DependencyError
from tests.aws.wheel_index import Index, offered, write_library
from tests.etl.running import quiet
from tests.seaweed import S3Server


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with offered(tmp_path_factory.mktemp("index")) as own:
        yield own


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return Bucket(s3_server.client(), s3_server.bucket, s3_server.new_prefix())


def names(bucket: Bucket) -> list[str]:
    return [key.removeprefix("code/wheels/") for key in sorted(bucket.listed("code/wheels/"))]


def test_the_wheels_of_a_lock_are_uploaded_once(
    index: Index, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_wheels(bucket, index.lock, quiet)
    assert names(bucket) == [
        f"{name}-1-py3-none-any.whl" for name in ("firstlib", "secondlib", "uvicorn")
    ]
    monkeypatch.setattr(wheels, "download", lambda *_: pytest.fail("downloaded again"))
    upload_wheels(bucket, index.lock, quiet)


def test_what_was_deleted_is_uploaded_again(index: Index, bucket: Bucket) -> None:
    upload_wheels(bucket, index.lock, quiet)
    bucket.remove(["code/wheels/firstlib-1-py3-none-any.whl"])
    upload_wheels(bucket, index.lock, quiet)
    assert len(names(bucket)) == 3


def test_wheels_of_another_lock_go_last(index: Index, bucket: Bucket) -> None:
    upload_wheels(bucket, index.lock, quiet)
    newer = write_library(index.folder, "thirdlib")
    upload_wheels(bucket, newer, quiet)
    # A job that starts now may still have the former lock.
    assert len(names(bucket)) == 4
    remove_other_wheels(bucket)
    assert names(bucket) == ["thirdlib-1-py3-none-any.whl"]


def test_a_list_that_is_none_is_written_anew(index: Index, bucket: Bucket) -> None:
    bucket.put(LIST, b'{"lock": 1}')
    remove_other_wheels(bucket)
    upload_wheels(bucket, index.lock, quiet)
    assert len(names(bucket)) == 3


def test_a_library_without_a_wheel_is_reported(index: Index, bucket: Bucket) -> None:
    lock = write_library(index.folder, "maconly", "cp312-cp312-macosx_11_0_arm64")
    with pytest.raises(DependencyError, match="Libraries cannot be downloaded") as refused:
        upload_wheels(bucket, lock, quiet)
    assert 'set aws.image = "own"' in refused.value.hint
    assert names(bucket) == []


def test_an_isolated_job_installs_them_with_pip_itself(index: Index, tmp_path: Path) -> None:
    code = tmp_path / "code"
    shutil.copytree(index.folder, code / "wheels", ignore=lambda *_: ["maconly"])
    (code / "requirements.txt").write_text(index.lock, encoding="utf-8")
    (code / "run.sh").write_text(RUN, encoding="utf-8")
    shutil.copy(code / "wheels" / "firstlib-1-py3-none-any.whl", code / "own-1-py3-none-any.whl")
    (code / "own-1-py3-none-any.whl").rename(code / "firstlib-1-py3-none-any.whl")
    command = tmp_path / "bin"
    command.mkdir()
    for name, line in (
        ("pip", f'exec {sys.executable} -m pip --disable-pip-version-check "$@"'),
        ("python", f'exec {sys.executable} -c "import secondlib; print(secondlib.NAME)"'),
    ):
        (command / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (command / name).chmod(0o755)
    # Nothing but what the request says: no index, no configuration of this machine.
    environment = {
        "PATH": f"{command}:/usr/bin:/bin",
        "PIP_CONFIG_FILE": os.devnull,
        "TMPDIR": str(tmp_path),
        **offline(AwsConfig(network_isolation=True), str(code)),
    }
    done = subprocess.run(
        ["/bin/sh", str(code / "run.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "secondlib\n"), done.stderr

"""What counts as a raw file in the bucket: what a job would read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from basketwise.aws.names import AwsNames
from basketwise.aws.s3 import Bucket
from basketwise.aws.skipped import FILE, read_skipped
from basketwise.aws.uploads.raw import inputs_in_bucket, upload_raw
from basketwise.errors import DependencyError, InputError
from tests.aws.requests.examples import NAMES
from tests.etl.running import quiet
from tests.seaweed import S3Server

UNREAD = ("_SUCCESS", "README", "README.md", ".hidden.csv", "deep/a.csv", "")


class Target:
    """A fresh workspace in the bucket, and a folder of one raw file."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.s3 = server.client()
        self.names: AwsNames = replace(NAMES, bucket=server.bucket, prefix=server.new_prefix())
        self.data = folder / "data"
        self.data.mkdir()
        (self.data / "a.csv").write_text("1")

    def put(self, name: str) -> None:
        """Write an object below ``raw/``."""
        key = f"{self.names.key('raw')}/{name}"
        self.s3.put_object(Bucket=self.names.bucket, Key=key, Body=b"x")

    def listed(self) -> bytes | None:
        """Return the list of files that were not sent."""
        return Bucket(self.s3, self.names.bucket, self.names.prefix).get(f"raw/{FILE}")

    def send(self) -> str:
        """Send the folder."""
        return upload_raw(self.s3, self.names, str(self.data), quiet)


@pytest.fixture
def target(s3_server: S3Server, tmp_path: Path) -> Target:
    return Target(s3_server, tmp_path)


def test_files_that_no_job_reads_are_allowed(target: Target) -> None:
    for name in UNREAD:
        target.put(name)

    assert target.send() == ""

    result = inputs_in_bucket(target.s3, target.names, target.names.uri("raw"))
    assert list(result) == ["a.csv"]


def test_folders_that_give_columns_are_sent_by_their_names(target: Target) -> None:
    (target.data / "SHOP_WEEK=200607").mkdir()
    (target.data / "SHOP_WEEK=200607" / "a.csv").write_text("2")

    target.send()

    result = inputs_in_bucket(target.s3, target.names, target.names.uri("raw"))
    assert list(result) == ["SHOP_WEEK=200607/a.csv", "a.csv"]


def test_files_that_cannot_be_read_are_listed(target: Target, tmp_path: Path) -> None:
    target.send()
    assert target.listed() is None
    (target.data / "week 2.xlsx").touch()
    (target.data / "manual.pdf").touch()

    target.send()

    (tmp_path / FILE).write_bytes(target.listed() or b"")
    assert [(file.name, file.is_data) for file in read_skipped(tmp_path)] == [
        ("manual.pdf", False),
        ("week 2.xlsx", True),
    ]
    # What is no raw file is none of the job's inputs.
    assert list(inputs_in_bucket(target.s3, target.names, target.names.uri("raw"))) == ["a.csv"]
    for name in ("week 2.xlsx", "manual.pdf"):
        (target.data / name).unlink()
    target.send()
    assert target.listed() == b"[]"


@pytest.mark.parametrize("name", ["b.csv", "b.CSV.gz", "b.zip", "b.parquet"])
def test_files_that_would_be_read_too_are_refused(target: Target, name: str) -> None:
    target.put("_SUCCESS")
    target.put(name)

    with pytest.raises(InputError, match="contains 1 files that are not in ") as raised:
        target.send()
    assert raised.value.headline.endswith(f": {name}")


def test_a_folder_without_raw_files_is_refused(target: Target) -> None:
    for name in UNREAD:
        target.put(name)

    with pytest.raises(DependencyError, match="No raw files found"):
        inputs_in_bucket(target.s3, target.names, target.names.uri("raw"))

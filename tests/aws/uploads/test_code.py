from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from basketwise.artifact.wheel import write_wheel
from basketwise.aws.names import AwsNames
from basketwise.aws.uploads.code import lock_for_jobs, upload_code
from basketwise.config import AwsConfig
from basketwise.errors import DependencyError
from tests.aws.requests.examples import NAMES
from tests.aws.wheel_index import offered
from tests.etl.running import quiet
from tests.seaweed import S3Server

ROOT = Path(__file__).parents[3]
WHEEL = "basketwise-0-py3-none-any.whl"
OLD = "basketwise-0.0.1-py3-none-any.whl"
PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==(\S+)(?: ; .*)? \\$", re.M)
LINUX = {"sys_platform": "linux"}


class Target:
    """A fresh workspace in the bucket, and what is done there."""

    def __init__(self, server: S3Server) -> None:
        self.s3 = server.client()
        self.config = AwsConfig()
        self.names: AwsNames = replace(NAMES, bucket=server.bucket, prefix=server.new_prefix())
        self.sent: list[str] = []
        self.wheels: list[list[str]] = []
        self.ticks: list[tuple[str, int, int]] = []

    def send(self) -> None:
        upload_code(self.s3, self.names, self.config, lambda *tick: self.ticks.append(tick))

    def put(self, name: str, body: bytes = b"old") -> None:
        key = self.names.key("code", name)
        self.s3.put_object(Bucket=self.names.bucket, Key=key, Body=body)

    def get(self, name: str) -> bytes:
        key = self.names.key("code", name)
        result = self.s3.get_object(Bucket=self.names.bucket, Key=key)["Body"].read()
        assert isinstance(result, bytes)
        return result

    def files(self) -> list[str]:
        prefix = self.names.key("code", "")
        result = self.s3.list_objects_v2(Bucket=self.names.bucket, Prefix=prefix)
        return sorted(item["Key"].removeprefix(f"{prefix}/") for item in result.get("Contents", []))

    def watch(self) -> None:
        """Write down what is sent, and which wheels a job would find after each change."""

        def put(params: dict[str, Any], **_: Any) -> None:
            self.sent.append(params["url_path"].rpartition("/")[2])

        def changed(**_: Any) -> None:
            self.wheels.append([name for name in self.files() if name.endswith(".whl")])

        for operation in ("PutObject", "DeleteObject"):
            self.s3.meta.events.register(f"after-call.s3.{operation}", changed)
        self.s3.meta.events.register("before-call.s3.PutObject", put)


@pytest.fixture
def target(s3_server: S3Server) -> Target:
    return Target(s3_server)


def test_a_job_finds_the_lock_one_wheel_and_the_script(target: Target, tmp_path: Path) -> None:
    target.send()
    assert target.files() == [WHEEL, "requirements.txt", "run.sh"]
    assert target.get("requirements.txt").decode() == lock_for_jobs()
    assert target.get(WHEEL) == write_wheel(tmp_path, "0").read_bytes()
    script = target.get("run.sh").decode()
    assert script.startswith("#!/bin/sh\n")
    subprocess.run(["/bin/sh", "-n", "-c", script], check=True)
    _, done, total = target.ticks[-1]
    assert done == total


def test_what_is_sent_is_checksummed(target: Target) -> None:
    target.send()
    result = target.s3.head_object(
        Bucket=target.names.bucket, Key=target.names.key("code", WHEEL), ChecksumMode="ENABLED"
    )
    digest = hashlib.sha256(target.get(WHEEL))
    assert result["Metadata"] == {"basketwise-sha256": digest.hexdigest()}
    # Not every server keeps S3's own checksum.
    assert result.get("ChecksumSHA256") in (None, base64.b64encode(digest.digest()).decode())


def test_only_what_has_changed_is_sent_again(target: Target) -> None:
    target.send()
    target.put("run.sh")
    target.watch()
    target.send()
    assert target.sent == ["run.sh"]
    assert target.get("run.sh").startswith(b"#!/bin/sh\n")


def test_only_other_wheels_of_basketwise_are_removed(target: Target) -> None:
    stored = ["basketwise-notes.txt", "more-1.0-py3-none-any.whl"]
    for name in (OLD, "basketwise-9.9-py3-none-any.whl", *stored):
        target.put(name)
    target.send()
    assert target.files() == sorted([WHEEL, "requirements.txt", "run.sh", *stored])


def test_newer_code_replaces_older_without_two_wheels_or_none(target: Target) -> None:
    target.put(WHEEL)
    target.watch()
    target.send()
    assert target.wheels == [[WHEEL]] * 3
    # What new code needs is there before it.
    assert sorted(target.sent[:2]) == ["requirements.txt", "run.sh"]
    assert target.sent[2:] == [WHEEL]


def test_there_is_never_a_second_wheel(target: Target) -> None:
    target.put(OLD)
    target.watch()
    target.send()
    assert all(len(result) < 2 for result in target.wheels)


def test_isolated_jobs_find_their_libraries_too(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.config = AwsConfig(network_isolation=True)
    target.put("wheels/old-1-py3-none-any.whl")
    with offered(tmp_path) as index:
        monkeypatch.setattr("basketwise.aws.uploads.code.lock_for_jobs", lambda: index.lock)
        target.watch()
        target.send()
        names = [f"{name}-1-py3-none-any.whl" for name in ("firstlib", "secondlib", "uvicorn")]
        assert target.files() == sorted(
            [WHEEL, "requirements.txt", "run.sh", "wheels.json"]
            + [f"wheels/{name}" for name in names]
        )
        # A job with the new lock finds what it names.
        assert set(target.sent[:4]) == {*names, "wheels.json"}
        target.sent.clear()
        target.send()
        assert target.sent == []


def test_a_missing_bucket_is_reported(target: Target) -> None:
    with pytest.raises(DependencyError, match="NoSuchBucket"):
        upload_code(target.s3, replace(target.names, bucket="no-such-bucket"), AwsConfig(), quiet)


def test_every_requirement_of_a_job_is_held_to_hashes() -> None:
    pieces = re.split(r"^(?=[a-z0-9])", lock_for_jobs(), flags=re.M)
    assert pieces[0] == "", "the lock begins with something else than a requirement"
    for piece in pieces[1:]:
        assert PIN.match(piece), piece
        rest = piece.partition("\n")[2].split()
        assert all(part == "\\" or re.fullmatch(r"--hash=sha256:\w{64}", part) for part in rest)
        assert len(rest) > 0, piece
    # Where packages come from is up to the account.
    assert "://" not in lock_for_jobs()


def test_a_jobs_libraries_are_the_core_ones_in_the_versions_that_are_tested() -> None:
    locked = dict(PIN.findall(lock_for_jobs()))
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needs = map(Requirement, document["project"]["dependencies"])
    wanted = {need.name for need in needs if not need.marker or need.marker.evaluate(LINUX)}
    assert wanted <= locked.keys()
    assert not {"boto3", "pytest", "hatchling"} & locked.keys()
    tested = dict(PIN.findall((ROOT / "requirements/dev.lock").read_text(encoding="utf-8")))
    differing = {name for name in locked.keys() & tested.keys() if locked[name] != tested[name]}
    assert not differing, "make lock"

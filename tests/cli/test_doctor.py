"""``doctor`` on AWS: what it prints, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.double.cloud import ROLE, Cloud, running_cloud
from tests.cli.calling import Outcome, call
from tests.seaweed import S3Server

HERE = ("--set", "aws.region=us-east-1")
"""The region that SeaweedFS speaks of, by naming none."""


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as made:
        uses = ("processing job", "training job", "spot training job")
        made.account.quotas |= {f"ml.m5.large for {use} usage": 2.0 for use in uses}
        yield made


def doctor(*arguments: str) -> Outcome:
    return call("doctor", *HERE, *arguments)


def test_each_line_has_a_mark_and_how_to_mend_it(cloud: Cloud) -> None:
    outcome = doctor("--workspace", cloud.workspace)

    assert outcome.code == 0, outcome
    lines = outcome.out.splitlines()
    assert "✓ bucket     " in outcome.out
    at = lines.index(next(line for line in lines if line.startswith("! raw        ")))
    assert lines[at + 1].startswith(
        f"             Upload them: 'basketwise aws run --data PATH --workspace {cloud.workspace}'"
    )


def test_something_on_aws_that_fails_ends_with_three(cloud: Cloud) -> None:
    cloud.account.roles.clear()

    outcome = doctor("--workspace", cloud.workspace, "--json")

    assert outcome.code == 3
    assert outcome.json["ready"] is False
    role = next(check for check in outcome.json["checks"] if check["name"] == "role")
    assert set(role) == {"name", "state", "text", "fix"}
    assert ROLE in role["text"]


def test_a_setting_that_does_not_fit_ends_with_two(cloud: Cloud) -> None:
    image = ("--set", "aws.image=own", "--set", "aws.image_uri=docker.io/shop:1")

    outcome = doctor("--workspace", cloud.workspace, *image)

    assert outcome.code == 2
    assert "✗ image      'docker.io/shop:1' is not in an ECR repository." in outcome.out


def test_aws_is_looked_at_when_asked_for(cloud: Cloud, tmp_path: Path) -> None:
    bucket = ("--set", f"aws.bucket={cloud.names.bucket}")

    local = doctor("--workspace", str(tmp_path / "w"))
    on_aws = doctor("--workspace", str(tmp_path / "w"), "--aws", *bucket)

    assert local.code == on_aws.code == 0, on_aws
    assert "bucket" not in local.out
    assert f"✓ bucket     {cloud.names.bucket}, in us-east-1" in on_aws.out


def test_without_credentials_it_says_what_it_could_not_look_at(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    outcome = doctor("--workspace", cloud.workspace)

    assert outcome.code == 3
    assert "✗ account    AWS credentials are needed" in outcome.out
    assert "! skipped    bucket, workspace, " in outcome.out

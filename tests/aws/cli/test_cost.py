"""How the cost of a run is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.cli.cost import Bill, cost_document, print_cost
from basketwise.aws.running.jobs import JobState
from basketwise.aws.s3 import Bucket
from basketwise.aws.stored import Stored, stored
from basketwise.config import AwsConfig, Config
from tests.seaweed import S3Server

PAGE = Path(__file__).parents[3] / "docs/aws/run.md"
ETL = JobState(
    "retail-etl-processing-run-first",
    "Completed",
    seconds=360.0,
    billable_seconds=360.0,
    instance="ml.m5.large",
    volume_gb=30,
)
TRAINING = JobState(
    "retail-prediction-training-run-first",
    "Completed",
    seconds=720.0,
    billable_seconds=360.0,
    instance="ml.m5.large",
)


def bill(region: str, kept: Stored | None = None, *, jobs: bool = True) -> Bill:
    both = [("Processing", ETL), ("Training", TRAINING)] if jobs else []
    return Bill(both, region, 2_000_000_000, kept)  # type: ignore[arg-type]


def printed(given: Bill, capsys: pytest.CaptureFixture[str], **aws: object) -> list[str]:
    print_cost(given, Config.model_validate({"aws": aws}))
    return capsys.readouterr().out.splitlines()


def test_known_prices(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(bill("us-east-1", Stored(10**10, complete=True)), capsys)

    assert lines[4:9] == [
        "  billable  720 s, 50% of the training saved by spot",
        "  cost      about 0.02 USD, by AWS's prices of 2026-07-30 and 2026-08-11",
        "  disks     price of disks in us-east-1 not known",
        "  transfer  2,000.0 MB downloaded: about 0.18 USD, by AWS's prices of 2026-06-30",
        "  storage   10.000 GB, old versions included: about 0.23 USD a month, by AWS's prices of "
        "2025-10-28",
    ]
    example = "\n".join(["```text", *lines[1:], "```"])
    assert example in PAGE.read_text(encoding="utf-8"), example


def test_a_job_that_ended_otherwise_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    stopped = replace(TRAINING, status="Stopped")
    lines = printed(Bill([("Training", stopped)], "us-east-1", 0, None), capsys)

    assert "  retail-prediction-training-run-first: 720 s on ml.m5.large, stopped" in lines
    assert (
        "  transfer  0.0 MB downloaded: less than 0.01 USD, by AWS's prices of 2026-06-30" in lines
    )


def test_unknown_prices(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(bill("eu-central-1", Stored(10**10, complete=False)), capsys)

    assert (
        "  cost      not known: no price of ml.m5.large (processing), ml.m5.large (training) in "
        "eu-central-1 is known; set aws.usd_per_hour"
    ) in lines
    assert "  transfer  2,000.0 MB downloaded: price of transfer in eu-central-1 not known" in lines
    assert any(line.startswith("  storage   at least 10.000 GB") for line in lines)


def test_own_prices(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(bill("eu-central-1"), capsys, usd_per_hour=5)

    assert "  cost      about 1.00 USD, by aws.usd_per_hour" in lines
    assert "  storage   not known: the objects of the workspace could not be listed" in lines


def test_no_job(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(bill("us-east-1", jobs=False), capsys)

    assert "  no job was needed: the outputs of earlier ones are up to date" in lines
    assert not [line for line in lines if line.startswith("  cost")]


def test_the_document_says_what_its_figures_rest_on() -> None:
    document = cost_document(bill("us-east-1", Stored(10**9, complete=True)), Config())

    assert document["estimated_usd"] == 0.023
    assert document["volumes_usd"] is None
    assert document["transfer_usd"] == 0.18
    assert document["storage_usd_per_month"] == 0.023
    assert [price["day"] for price in document["prices"]] == ["2026-07-30", "2026-08-11"]
    assert cost_document(bill("mars-1"), Config(aws=AwsConfig()))["storage_usd_per_month"] is None


def test_old_versions_are_counted(s3_server: S3Server) -> None:
    name = s3_server.new_bucket()
    client = s3_server.client()
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key, size in (("w/a", 10), ("w/a", 20), ("w/b", 5), ("elsewhere", 1000)):
        client.put_object(Bucket=name, Key=key, Body=bytes(size))

    assert stored(Bucket(client, name, "w")) == Stored(35, complete=True)
    assert stored(Bucket(client, f"{name}-none")) is None


def test_only_so_many_requests_are_made(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basketwise.aws.stored.REQUESTS", 1)
    bucket = Bucket(s3_server.client(), s3_server.bucket, s3_server.new_prefix())
    for number in range(3):
        bucket.put(str(number), b"12")
    listing = bucket.client.get_paginator("list_object_versions").paginate
    monkeypatch.setattr(
        bucket.client,
        "get_paginator",
        lambda _: type("P", (), {"paginate": staticmethod(_small(listing))}),
    )

    assert stored(bucket) == Stored(4, complete=False)


def _small(paginate: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **request: paginate(**request, PaginationConfig={"PageSize": 2})

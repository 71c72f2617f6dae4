"""What a run costs, by its jobs."""

from __future__ import annotations

import pytest

from basketwise.aws.cost import cost_of, storage_cost, transfer_cost
from basketwise.aws.running.jobs import JobState, Kind
from basketwise.config import AwsConfig


def job(seconds: float | None, instance: str = "ml.m5.large", **more: float) -> JobState:
    billed = more.get("billed", seconds)
    return JobState(
        "job",
        "Completed",
        seconds=seconds,
        billable_seconds=billed,
        instance=instance,
        instances=int(more.get("instances", 1)),
        volume_gb=more.get("volume_gb", 30),
    )


def test_each_job_counts_at_its_own_price() -> None:
    jobs: list[tuple[Kind, JobState]] = [
        ("Processing", job(3600, "ml.m5.xlarge")),
        ("Training", job(7200, billed=1800)),
    ]
    cost = cost_of(jobs, AwsConfig(), "us-east-1")

    assert cost.billable_seconds == 5400
    assert cost.spot_saving == 0.75
    assert cost.instances.usd == pytest.approx(0.23 + 0.115 / 2)
    assert cost.instances.basis == "AWS's prices of 2026-08-11 and 2026-09-13"
    assert cost.unpriced == ()


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    jobs: list[tuple[Kind, JobState]] = [
        ("Processing", job(3600)),
        ("Training", job(3600, "ml.c5.9xlarge")),
        ("Training", job(60, "ml.c5.9xlarge")),
    ]
    cost = cost_of(jobs, AwsConfig(), "us-east-1")

    assert cost.instances.usd is None
    assert cost.unpriced == ("ml.c5.9xlarge (training)",)
    own = cost_of(jobs, AwsConfig(usd_per_hour={"ml.c5.9xlarge": 2.0}), "us-east-1")
    assert own.instances.usd == pytest.approx(0.115 + 2.0 * 3660 / 3600)
    assert own.instances.basis == "aws.usd_per_hour, AWS's prices of 2026-07-30"


def test_disks_count_for_as_long_as_the_jobs() -> None:
    jobs: list[tuple[Kind, JobState]] = [
        ("Processing", job(730 * 3600, volume_gb=10, instances=2)),
        ("Training", job(730 * 3600, billed=1, volume_gb=100)),
    ]
    cost = cost_of(jobs, AwsConfig(), "eu-west-1")

    assert cost.volumes.usd == pytest.approx(2 * 10 * 0.11 + 100 * 0.154)


def test_nothing_costs_nothing_and_a_job_without_times_too() -> None:
    assert cost_of([], AwsConfig(), "eu-west-1").instances.usd == 0
    cost = cost_of([("Training", job(None))], AwsConfig(), "us-east-1")
    assert (cost.billable_seconds, cost.instances.usd) == (0, 0)


def test_transfer_and_storage() -> None:
    assert transfer_cost(10**10, "us-east-1").usd == pytest.approx(0.9)
    assert storage_cost(10**10, "us-east-1").usd == pytest.approx(0.23)
    assert transfer_cost(1, "mars-north-1").usd is None

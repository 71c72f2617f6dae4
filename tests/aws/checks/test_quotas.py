"""Quotas of the instance types: found by name, and judged by what the next run needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.checks.quotas import quotas
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from tests.aws.double.cloud import Cloud, running_cloud
from tests.fakes.model_registry import REGION
from tests.seaweed import S3Server

USES = ("processing job", "training job", "spot training job")


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        running.account.quotas |= {f"ml.m5.large for {use} usage": 2.0 for use in USES}
        yield running


def states(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.state for name, check in checks.items() if check.state != "ok"}


def judged(**aws: Any) -> dict[str, Check]:
    return {
        check.name: check
        for check in quotas(Config(aws=AwsConfig(**{"region": REGION, **aws})), REGION)
    }


def test_a_quota_of_zero_fails_if_needed(cloud: Cloud) -> None:
    cloud.account.quotas = dict.fromkeys(cloud.account.quotas, 0.0)

    spot, on_demand = judged(spot=True), judged(spot=False)

    assert states(spot) == {"processing": "failed", "training": "warning", "spot": "failed"}
    assert states(on_demand) == {"processing": "failed", "training": "failed", "spot": "warning"}
    assert spot["spot"].exit_code == 3
    assert spot["spot"].text == "ml.m5.large for spot training job usage: 0 at once"
    assert "request-service-quota-increase" in spot["spot"].fix
    assert "--quota-code L-" in spot["spot"].fix
    assert "set aws.spot to false" in spot["spot"].fix


def test_a_quota_that_is_not_listed(cloud: Cloud) -> None:
    checks = judged(training_instance="ml.m9.huge")

    assert states(checks) == {"training": "warning", "spot": "warning"}
    assert "no quota 'ml.m9.huge for training job usage'" in checks["training"].text


def test_quotas_are_read_page_by_page_until_complete(cloud: Cloud) -> None:
    others = {f"ml.x{number}.large for endpoint usage": 1.0 for number in range(6)}
    cloud.account.quotas = {**others, **cloud.account.quotas, **{f"more {n}": 1.0 for n in "abcd"}}

    assert states(judged()) == {}
    assert len(cloud.service.called("ListServiceQuotas")) == 5

"""Prices: dated, with a source, and unknown rather than wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from botocore.session import get_session

from basketwise.aws import prices
from basketwise.aws.prices import Price, instance_hour
from basketwise.config import AwsConfig


def stated() -> Iterator[tuple[str, Price]]:
    for (region, _, _), price in prices.INSTANCE_HOUR.items():
        yield region, price
    for (region, _), price in prices.VOLUME_MONTH.items():
        yield region, price
    for table in (prices.STORAGE_MONTH, prices.TRANSFER):
        yield from table.items()


def test_every_price_has_a_day_and_a_source() -> None:
    regions = set(get_session().get_available_regions("sagemaker"))
    for region, price in stated():
        assert region in regions
        assert price.usd > 0
        assert date(2020, 1, 1) < date.fromisoformat(price.day) < date(2027, 1, 1)
        assert price.source.startswith("AWS")


def test_every_instance_type_is_one_of_sagemakers() -> None:
    model = get_session().get_service_model("sagemaker")
    shapes: dict[str, Any] = {
        kind: model.shape_for(f"{kind}InstanceType") for kind in ("Processing", "Training")
    }
    for _, kind, instance in prices.INSTANCE_HOUR:
        assert instance in shapes[kind].enum


@pytest.mark.parametrize(
    ("own", "instance", "expected"),
    [
        (None, "ml.m5.large", 0.115),
        (None, "ml.m5.24xlarge", None),
        (0.2, "ml.m5.24xlarge", 0.2),
        ({"ml.m5.large": 0.1}, "ml.m5.large", 0.1),
        ({"ml.m5.large": 0.1}, "ml.m5.xlarge", None),
    ],
)
def test_the_setting_wins(
    own: float | dict[str, float] | None, instance: str, expected: float | None
) -> None:
    config = AwsConfig(usd_per_hour=own)
    price = instance_hour(config, "us-east-1", "Training", instance)

    assert (price.usd if price else None) == expected


def test_a_price_of_another_region_is_none() -> None:
    assert instance_hour(AwsConfig(), "eu-central-1", "Training", "ml.m5.large") is None

"""AWS's prices as far as a source is known, by region: dated, on demand, without taxes.

The tables are short on purpose: a price that nobody could name a source of is not in them, and what
is not in them is unknown, not guessed. ``aws.usd_per_hour`` overrides the prices of instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from basketwise.config import AwsConfig

if TYPE_CHECKING:
    from basketwise.aws.running.jobs import Kind

OVERRIDE = "aws.usd_per_hour"


class Price(NamedTuple):
    """A price in USD, the day on which it was one (ISO 8601), and where that was stated."""

    usd: float
    day: str
    source: str


_LIST = "AWS Price List API"
_BILL = "AWS bill, aws-samples/sagemaker-ssh-helper, Sample_Costs.md"

INSTANCE_HOUR: Mapping[tuple[str, Kind, str], Price] = {
    ("us-east-1", "Processing", "ml.m5.large"): Price(0.115, "2026-07-30", _LIST),
    ("us-east-1", "Processing", "ml.m5.xlarge"): Price(0.23, "2026-09-13", _LIST),
    ("us-east-1", "Processing", "ml.t3.medium"): Price(0.05, "2026-07-30", _LIST),
    ("us-east-1", "Training", "ml.m5.large"): Price(
        0.115, "2026-08-11", f"{_LIST}, SKU JMCWJEAPVJNFJ5P4"
    ),
    ("eu-west-1", "Processing", "ml.m5.xlarge"): Price(0.257, "2023-12-31", _BILL),
    ("eu-west-1", "Training", "ml.m5.xlarge"): Price(0.257, "2023-12-31", _BILL),
}
"""Of an instance, by region, kind of job and type."""

VOLUME_MONTH: Mapping[tuple[str, Kind], Price] = {
    ("eu-west-1", "Processing"): Price(0.11, "2023-12-31", _BILL),
    ("eu-west-1", "Training"): Price(0.154, "2023-12-31", _BILL),
}
"""Of a GB of a job's disk for a month."""

STORAGE_MONTH: Mapping[str, Price] = {
    "us-east-1": Price(0.023, "2025-10-28", _LIST),
    "eu-central-1": Price(0.0245, "2026-06-30", f"{_LIST}, SKU NRYRNCXF5TWHB476"),
}
"""Of a GB in S3 Standard for a month, the first 50 TB."""

TRANSFER: Mapping[str, Price] = {
    "us-east-1": Price(0.09, "2026-06-30", "AWS bill, usage type DataTransfer-Out-Bytes"),
}
"""Of a GB that leaves AWS for the internet, the first 10 TB of a month beyond the free ones."""


def instance_hour(config: AwsConfig, region: str, kind: Kind, instance: str) -> Price | None:
    """Return the price of an instance hour; None if it is not known.

    Examples
    --------
    >>> instance_hour(AwsConfig(), "us-east-1", "Training", "ml.m5.large").usd
    0.115
    >>> own = AwsConfig(usd_per_hour={"ml.c5.xlarge": 0.2})
    >>> instance_hour(own, "us-east-1", "Training", "ml.c5.xlarge")
    Price(usd=0.2, day='', source='aws.usd_per_hour')
    """
    own = config.usd_per_hour
    if isinstance(own, Mapping):
        own = own.get(instance)
    if own is not None:
        return Price(own, "", OVERRIDE)
    return INSTANCE_HOUR.get((region, kind, instance))

"""What a run on AWS costs, estimated: instances, their disks, transfer, and storage.

Each figure is None where its price, or what it is a price of, is not known. AWS's bill is what
counts: there are taxes, discounts, free amounts, and requests and logs, which are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from basketwise.aws import prices
from basketwise.aws.prices import Price
from basketwise.config import AwsConfig

if TYPE_CHECKING:
    from basketwise.aws.running.jobs import JobState, Kind

HOUR = 3600
MONTH = 730 * HOUR
"""Seconds of a month, as AWS counts disks."""

GB = 10**9
"""Bytes; AWS counts 2**30 of them in S3, and the difference is less than a price's rounding."""

Jobs = Sequence[tuple["Kind", "JobState"]]


class Amount(NamedTuple):
    """An estimate in USD, None if any price is missing, and the prices that it rests on."""

    usd: float | None
    prices: tuple[Price, ...] = ()

    @property
    def basis(self) -> str:
        """Where the prices come from and of which days, for people."""
        own = [price.source for price in self.prices if not price.day]
        days = sorted({price.day for price in self.prices if price.day})
        dated = [f"AWS's prices of {' and '.join(days)}"] if days else []
        return ", ".join([*dict.fromkeys(own), *dated])


@dataclass(frozen=True)
class Cost:
    """What a run costs.

    Attributes
    ----------
    billable_seconds
        Of all instances, failed and stopped jobs included.
    spot_saving
        Share of the training's time that spot capacity saved.
    instances, volumes
        For the billable seconds; for the disks meanwhile.
    unpriced
        Instance types without a known price, each with its kind of job.
    """

    billable_seconds: float
    spot_saving: float
    instances: Amount
    volumes: Amount
    unpriced: tuple[str, ...] = ()


def cost_of(jobs: Jobs, config: AwsConfig, region: str) -> Cost:
    """Add up the jobs of a run; times that are not known count as 0.

    Examples
    --------
    >>> from basketwise.aws.running.jobs import JobState
    >>> etl = JobState("etl", "Completed", seconds=100.0, billable_seconds=100.0)
    >>> spot = JobState("training", "Completed", seconds=300.0, billable_seconds=90.0)
    >>> jobs = [("Processing", etl), ("Training", spot)]
    >>> cost = cost_of(jobs, AwsConfig(usd_per_hour=0.12), "eu-west-1")
    >>> cost.billable_seconds, round(cost.spot_saving, 2), round(cost.instances.usd, 4)
    (190.0, 0.7, 0.0063)
    """
    training = [job for kind, job in jobs if kind == "Training"]
    seconds = sum(job.seconds or 0 for job in training)
    billed = sum(job.billable_seconds or 0 for job in training)
    hours = [prices.instance_hour(config, region, kind, job.instance) for kind, job in jobs]
    unpriced = [
        f"{job.instance or 'an unknown instance type'} ({kind.lower()})"
        for (kind, job), price in zip(jobs, hours, strict=True)
        if price is None
    ]
    disks = [prices.VOLUME_MONTH.get((region, kind)) for kind, _ in jobs]
    return Cost(
        billable_seconds=sum(job.billable_seconds or 0 for _, job in jobs),
        spot_saving=1 - billed / seconds if seconds else 0.0,
        instances=_total(
            [
                (price, (job.billable_seconds or 0) / HOUR)
                for price, (_, job) in zip(hours, jobs, strict=True)
            ]
        ),
        volumes=_total(
            [
                (price, job.volume_gb * job.instances * (job.seconds or 0) / MONTH)
                for price, (_, job) in zip(disks, jobs, strict=True)
            ]
        ),
        unpriced=tuple(dict.fromkeys(unpriced)),
    )


def transfer_cost(size: int, region: str) -> Amount:
    """Estimate what it costs to download so many bytes from a region's bucket."""
    return _total([(prices.TRANSFER.get(region), size / GB)])


def storage_cost(size: int, region: str) -> Amount:
    """Estimate what it costs to store so many bytes for a month."""
    return _total([(prices.STORAGE_MONTH.get(region), size / GB)])


def _total(parts: Sequence[tuple[Price | None, float]]) -> Amount:
    """Add up amounts of something, each with its price; None if a price is missing."""
    known = [(price, amount) for price, amount in parts if price is not None]
    if len(known) < len(parts):
        return Amount(None)
    usd = sum(price.usd * amount for price, amount in known)
    return Amount(usd, tuple(dict.fromkeys(price for price, _ in known)))

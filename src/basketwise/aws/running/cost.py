"""What a run cost, estimated from its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from basketwise.aws.running.jobs import JobState, Kind

HOUR = 3600.0


@dataclass(frozen=True)
class Cost:
    """Seconds and money of a run's jobs.

    Attributes
    ----------
    seconds, billable_seconds
        Of work, and of those that are paid for.
    spot_saving
        Share of the training's seconds that spot capacity saved.
    usd
        Billable hours times the assumed price of an instance hour.
    """

    seconds: float
    billable_seconds: float
    spot_saving: float
    usd: float


def cost_of(jobs: Sequence[tuple[Kind, JobState]], usd_per_hour: float) -> Cost:
    """Add up the jobs of a run; what a job does not tell counts as 0.

    Examples
    --------
    >>> etl = JobState("etl", "Completed", seconds=100.0, billable_seconds=100.0)
    >>> spot = JobState("training", "Completed", seconds=300.0, billable_seconds=90.0)
    >>> found = cost_of([("Processing", etl), ("Training", spot)], 0.12)
    >>> found.billable_seconds, round(found.spot_saving, 2), round(found.usd, 4)
    (190.0, 0.7, 0.0063)
    """
    billable = sum(job.billable_seconds or 0 for _, job in jobs)
    trained = [job for kind, job in jobs if kind == "Training"]
    worked = sum(job.seconds or 0 for job in trained)
    paid = sum(job.billable_seconds or 0 for job in trained)
    return Cost(
        seconds=sum(job.seconds or 0 for _, job in jobs),
        billable_seconds=billable,
        spot_saving=1 - paid / worked if worked else 0.0,
        usd=billable / HOUR * usd_per_hour,
    )

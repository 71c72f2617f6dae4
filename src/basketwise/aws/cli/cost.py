"""Run time and cost of a run's jobs, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from basketwise.aws.running.jobs import JobState, Kind
    from basketwise.config import Config


class Cost(NamedTuple):
    """Billed seconds, share of the training's that spot saved, and estimated cost in USD."""

    billable_seconds: float
    spot_saving: float
    usd: float


def cost_of(jobs: Sequence[tuple[Kind, JobState]], usd_per_hour: float) -> Cost:
    """Add up the jobs of a run; missing values count as 0.

    Examples
    --------
    >>> from basketwise.aws.running.jobs import JobState
    >>> etl = JobState("etl", "Completed", seconds=100.0, billable_seconds=100.0)
    >>> spot = JobState("training", "Completed", seconds=300.0, billable_seconds=90.0)
    >>> cost = cost_of([("Processing", etl), ("Training", spot)], 0.12)
    >>> cost.billable_seconds, round(cost.spot_saving, 2), round(cost.usd, 4)
    (190.0, 0.7, 0.0063)
    """
    billable = sum(job.billable_seconds or 0 for _, job in jobs)
    training = [job for kind, job in jobs if kind == "Training"]
    seconds = sum(job.seconds or 0 for job in training)
    billed = sum(job.billable_seconds or 0 for job in training)
    return Cost(billable, 1 - billed / seconds if seconds else 0.0, billable / 3600 * usd_per_hour)


def cost_document(jobs: Sequence[tuple[Kind, JobState]], config: Config) -> dict[str, Any]:
    """Return all jobs of a run, and what they cost together."""
    cost = cost_of(jobs, config.aws.usd_per_hour)
    return {
        "jobs": [{"kind": kind, **vars(state), "place": state.output_uri} for kind, state in jobs],
        "billable_seconds": cost.billable_seconds,
        "spot_saving": round(cost.spot_saving, 4),
        "estimated_usd": round(cost.usd, 4),
    }


def print_cost(jobs: Sequence[tuple[Kind, JobState]], config: Config) -> None:
    """Print all jobs of a run, failed ones too, and what they cost together."""
    click.secho("\nAmazon SageMaker", bold=True)
    if not jobs:
        click.echo("  no job was needed: the outputs of earlier ones are up to date")
        return
    for _, state in jobs:
        ended = "" if state.status == "Completed" else f", {state.status.lower()}"
        click.echo(f"  {state.name}: {state.seconds or 0:,.0f} s{ended}")
    cost = cost_of(jobs, config.aws.usd_per_hour)
    saved = f", {cost.spot_saving:.0%} of the training saved by spot" if config.aws.spot else ""
    click.echo(f"  billable  {cost.billable_seconds:,.0f} s{saved}")
    usd = f"{cost.usd:.2f}" if cost.usd >= 0.01 else "less than 0.01"
    click.echo(
        f"  cost      about {usd} USD, at {config.aws.usd_per_hour:g} USD an hour "
        "(aws.usd_per_hour); storage not counted"
    )

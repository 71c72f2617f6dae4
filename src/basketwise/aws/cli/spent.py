"""What a run's jobs took and cost, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from basketwise.aws.running.jobs import JobState, Kind
    from basketwise.config import Config

CENT = 0.01


def cost_document(jobs: Sequence[tuple[Kind, JobState]], config: Config) -> dict[str, Any]:
    """Return all jobs of a run, and what they cost together."""
    from basketwise.aws.running.cost import cost_of

    cost = cost_of(jobs, config.aws.usd_per_hour)
    return {
        "jobs": [{"kind": kind, **vars(state)} for kind, state in jobs],
        "billable_seconds": cost.billable_seconds,
        "spot_saving": round(cost.spot_saving, 4),
        "estimated_usd": round(cost.usd, 4),
    }


def print_cost(jobs: Sequence[tuple[Kind, JobState]], config: Config) -> None:
    """Print all jobs of a run, failed ones too, and what they cost together."""
    from basketwise.aws.running.cost import cost_of

    click.secho("\nAmazon SageMaker", bold=True)
    if not jobs:
        click.echo("  no job was needed: what earlier ones left still holds")
        return
    for _, state in jobs:
        ended = "" if state.status == "Completed" else f", {state.status.lower()}"
        click.echo(f"  {state.name}: {state.seconds or 0:,.0f} s{ended}")
    cost = cost_of(jobs, config.aws.usd_per_hour)
    saved = f", {cost.spot_saving:.0%} of the training saved by spot" if config.aws.spot else ""
    click.echo(f"  billable  {cost.billable_seconds:,.0f} s{saved}")
    usd = f"{cost.usd:.2f}" if cost.usd >= CENT else f"less than {CENT}"
    click.echo(
        f"  cost      about {usd} USD, at {config.aws.usd_per_hour:g} USD an hour "
        "(aws.usd_per_hour); storage not counted"
    )

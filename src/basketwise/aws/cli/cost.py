"""Run time and cost of a run's jobs, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from basketwise.aws.cost import (
    GB,
    Amount,
    Jobs,
    cost_of,
    storage_cost,
    transfer_cost,
)
from basketwise.aws.prices import OVERRIDE
from basketwise.aws.sizes import megabytes

if TYPE_CHECKING:
    from basketwise.aws.stored import Stored
    from basketwise.config import Config


@dataclass(frozen=True)
class Bill:
    """What the cost of a run is estimated from.

    ``downloaded`` are bytes; ``stored`` is None if the objects could not be counted.
    """

    jobs: Jobs
    region: str
    downloaded: int
    stored: Stored | None


def cost_document(bill: Bill, config: Config) -> dict[str, Any]:
    """Return all jobs of a run, and what they cost together; what is not known is null."""
    cost = cost_of(bill.jobs, config.aws, bill.region)
    stored = bill.stored
    return {
        "jobs": [
            {"kind": kind, **vars(state), "place": state.output_uri} for kind, state in bill.jobs
        ],
        "region": bill.region,
        "billable_seconds": cost.billable_seconds,
        "spot_saving": round(cost.spot_saving, 4),
        "estimated_usd": _rounded(cost.instances),
        "unpriced": list(cost.unpriced),
        "volumes_usd": _rounded(cost.volumes),
        "downloaded_bytes": bill.downloaded,
        "transfer_usd": _rounded(transfer_cost(bill.downloaded, bill.region)),
        "stored_bytes": stored.size if stored else None,
        "stored_completely_counted": stored.complete if stored else None,
        "storage_usd_per_month": _rounded(storage_cost(stored.size, bill.region))
        if stored
        else None,
        "prices": [
            price._asdict()
            for price in dict.fromkeys((*cost.instances.prices, *cost.volumes.prices))
        ],
    }


def print_cost(bill: Bill, config: Config) -> None:
    """Print all jobs of a run, failed ones too, and what they cost together."""
    click.secho("\nAmazon SageMaker", bold=True)
    if bill.jobs:
        _print_jobs(bill, config)
    else:
        click.echo("  no job was needed: the outputs of earlier ones are up to date")
    downloaded = transfer_cost(bill.downloaded, bill.region)
    click.echo(
        f"  transfer  {megabytes(bill.downloaded)} downloaded: "
        f"{_said(downloaded, 'transfer', bill.region)}"
    )
    if bill.stored is None:
        click.echo("  storage   not known: the objects of the workspace could not be listed")
    else:
        least = "" if bill.stored.complete else "at least "
        kept = storage_cost(bill.stored.size, bill.region)
        click.echo(
            f"  storage   {least}{bill.stored.size / GB:,.3f} GB, old versions included: "
            f"{_said(kept, 'storage', bill.region, ' a month')}"
        )
    click.echo("  estimates, without requests, logs and taxes: AWS's bill is what counts")


def _print_jobs(bill: Bill, config: Config) -> None:
    for _, state in bill.jobs:
        ended = "" if state.status == "Completed" else f", {state.status.lower()}"
        click.echo(f"  {state.name}: {state.seconds or 0:,.0f} s on {state.instance}{ended}")
    cost = cost_of(bill.jobs, config.aws, bill.region)
    saved = f", {cost.spot_saving:.0%} of the training saved by spot" if config.aws.spot else ""
    click.echo(f"  billable  {cost.billable_seconds:,.0f} s{saved}")
    if cost.unpriced:
        click.echo(
            f"  cost      not known: no price of {', '.join(cost.unpriced)} in {bill.region} is "
            f"known; set {OVERRIDE}"
        )
    else:
        click.echo(f"  cost      {_said(cost.instances, 'instances', bill.region)}")
    click.echo(f"  disks     {_said(cost.volumes, 'disks', bill.region)}")


def _said(amount: Amount, what: str, region: str, per: str = "") -> str:
    if amount.usd is None:
        return f"price of {what} in {region} not known"
    usd = f"about {amount.usd:.2f}" if amount.usd >= 0.01 else "less than 0.01"
    return f"{usd} USD{per}" + (f", by {amount.basis}" if amount.basis else "")


def _rounded(amount: Amount) -> float | None:
    return None if amount.usd is None else round(amount.usd, 4)

"""``basketwise aws clean``: listing and removing leftovers of runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from basketwise import clock
from basketwise.aws.cli.session import YES, confirmed, require_terminal, settings, to_stderr
from basketwise.cli.options import Common, common
from basketwise.cli.output import print_json
from basketwise.report.numbers import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basketwise.aws.cleanup.leftovers import Leftover


@click.command()
@click.option(
    "--older-than",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Keep what has changed within this many days.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@YES
@common
def clean(older_than: int, dry_run: bool, yes: bool, common: Common) -> None:
    """Remove leftovers of runs; never what an approved or pending version needs."""
    from basketwise.aws.cleanup import removal

    if not (yes or dry_run):
        require_terminal("--yes, or --dry-run to see only what would be removed")
    now, age = current_time(), timedelta(days=older_than)
    config, names = settings(common)
    target = removal.open_target(names, config)
    leftovers = removal.removable(target, now, age)
    if not common.as_json:
        _show(leftovers, now, older_than, err=False)
    elif not (yes or dry_run):
        _show(leftovers, now, older_than, err=True)
    result = removal.Cleaned()
    if leftovers and not dry_run and (yes or confirmed("Remove them?")):

        def report(leftover: Leftover) -> None:
            (to_stderr if common.as_json else click.echo)(f"removed   {_label(leftover)}")

        result = removal.clean(target, leftovers, now, age, report)
    if common.as_json:
        print_json(
            {
                "older_than_days": older_than,
                "left_over": [
                    {
                        "kind": leftover.kind,
                        "name": leftover.name,
                        "age_days": (now - leftover.since).days,
                        "bytes": leftover.size,
                        "why": leftover.why,
                    }
                    for leftover in leftovers
                ],
                "removed": [leftover.name for leftover in result.removed],
                "spared": [leftover.name for leftover in result.skipped],
                "bytes_removed": sum(leftover.size for leftover in result.removed),
                "restorable_days": removal.RESTORABLE_DAYS,
            }
        )
        return
    for leftover in result.skipped:
        click.echo(f"kept      {_label(leftover)}: it is needed again")
    if result.removed:
        click.echo(f"Removed {_total(result.removed)}.")
    elif leftovers:
        click.echo("Nothing was removed.")


def current_time() -> datetime:
    """Return the time from which ages are counted."""
    return clock.now()


def _show(leftovers: list[Leftover], now: datetime, older_than: int, *, err: bool) -> None:
    from basketwise.aws.cleanup.removal import RESTORABLE_DAYS

    if not leftovers:
        click.echo(f"There are no leftovers older than {older_than} days.", err=err)
        return
    width = max(len(_display_name(leftover)) for leftover in leftovers)
    click.echo(f"{'kind':<17}{'name':<{width}}{'days':>6}{'size':>9}  reason", err=err)
    for leftover in leftovers:
        name, days = _display_name(leftover), (now - leftover.since).days
        taken = size(leftover.size) if leftover.keys else "–"
        row = f"{leftover.kind:<17}{name:<{width}}{days:>6}{taken:>9}  {leftover.why}"
        click.echo(row, err=err)
    click.echo(f"{_total(leftovers)}, older than {older_than} days.", err=err)
    click.echo(
        f"A bucket of 'basketwise aws provision' keeps deleted objects for {RESTORABLE_DAYS} days; "
        "until then\nthey can be restored, and are billed. Models and endpoint configs cannot be "
        "restored.",
        err=err,
    )


def _display_name(leftover: Leftover) -> str:
    return f"{leftover.name}/" if leftover.keys else leftover.name


def _label(leftover: Leftover) -> str:
    name = _display_name(leftover)
    return f"{name}  {size(leftover.size)}" if leftover.keys else f"{leftover.kind} {name}"


def _total(leftovers: Sequence[Leftover]) -> str:
    # The size of a resource is 0.
    total, count = sum(leftover.size for leftover in leftovers), len(leftovers)
    return f"{count} {'item' if count == 1 else 'items'}, {size(total)} ({total:,} bytes)"

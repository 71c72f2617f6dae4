"""Showing leftovers, asking, removing, and saying what was done: for every command that cleans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from basketwise import clock
from basketwise.cli.asking import confirmed, require_terminal, to_stderr
from basketwise.cli.options import Command, Common
from basketwise.cli.output import print_json
from basketwise.report.numbers import size
from basketwise.terminal import printable

if TYPE_CHECKING:
    from basketwise.cleanup.leftovers import Cleaned, Leftover

Report = Callable[["Leftover"], None]

DRY_RUN = click.option(
    "--dry-run", is_flag=True, help="Show what would be removed, and remove nothing."
)


def older_than(least: int) -> Callable[[Command], Command]:
    """Add the option for the age from which leftovers are removed."""
    return click.option(
        "--older-than",
        type=click.IntRange(min=least),
        default=30,
        show_default=True,
        metavar="DAYS",
        help="Keep what has changed within this many days.",
    )


@dataclass(frozen=True)
class Offer:
    """What may be removed as of ``now``, and what to say of it."""

    leftovers: Sequence[Leftover]
    now: datetime
    none: str
    """The sentence that there is nothing to remove."""
    total: str = ""
    """Follows the total."""
    note: str = ""
    """Below the list."""


def current_time() -> datetime:
    """Return the time from which ages are counted."""
    return clock.now()


def check_prompt(*, yes: bool, dry_run: bool) -> None:
    """Refuse to start what could not ask."""
    if not (yes or dry_run):
        require_terminal("--yes, or --dry-run to see only what would be removed")


def offer(
    offered: Offer,
    remove: Callable[[Report], Cleaned],
    details: dict[str, Any],
    common: Common,
    *,
    yes: bool,
    dry_run: bool,
) -> None:
    """Show what may be removed, and remove it if that is wanted.

    ``details`` are printed with ``--json`` beside what was removed.
    """
    from basketwise.cleanup.leftovers import Cleaned

    leftovers = offered.leftovers
    if not common.as_json:
        _show(offered, err=False)
    elif not (yes or dry_run):
        # Whoever is asked has to see what about.
        _show(offered, err=True)
    result = Cleaned()
    if leftovers and not dry_run and (yes or confirmed("Remove them?")):

        def report(leftover: Leftover) -> None:
            (to_stderr if common.as_json else click.echo)(f"removed   {_label(leftover)}")

        result = remove(report)
    if common.as_json:
        print_json(
            {
                "left_over": [
                    {
                        "kind": leftover.kind,
                        "name": leftover.name,
                        "age_days": (offered.now - leftover.since).days,
                        "bytes": leftover.size,
                        "why": leftover.why,
                    }
                    for leftover in leftovers
                ],
                "removed": [leftover.name for leftover in result.removed],
                "spared": [leftover.name for leftover in result.skipped],
                "bytes_removed": sum(leftover.size for leftover in result.removed),
                **details,
            }
        )
        return
    for leftover in result.skipped:
        click.echo(f"kept      {_label(leftover)}: it is needed again")
    if result.removed:
        click.echo(f"Removed {_total(result.removed)}.")
    elif leftovers:
        click.echo("Nothing was removed.")


def _show(offered: Offer, *, err: bool) -> None:
    leftovers = offered.leftovers
    if not leftovers:
        click.echo(offered.none, err=err)
        return
    width = max(len(_display_name(leftover)) for leftover in leftovers)
    click.echo(f"{'kind':<17}{'name':<{width}}{'days':>6}{'size':>9}  reason", err=err)
    for leftover in leftovers:
        name, days = _display_name(leftover), (offered.now - leftover.since).days
        taken = size(leftover.size) if leftover.keys else "–"
        row = f"{leftover.kind:<17}{name:<{width}}{days:>6}{taken:>9}  {leftover.why}"
        click.echo(row, err=err)
    click.echo(f"{_total(leftovers)}{offered.total}.", err=err)
    if offered.note:
        click.echo(offered.note, err=err)


def _display_name(leftover: Leftover) -> str:
    return printable(f"{leftover.name}/" if leftover.keys else leftover.name)


def _label(leftover: Leftover) -> str:
    name = _display_name(leftover)
    return f"{name}  {size(leftover.size)}" if leftover.keys else f"{leftover.kind} {name}"


def _total(leftovers: Sequence[Leftover]) -> str:
    # The size of a resource is 0.
    total, count = sum(leftover.size for leftover in leftovers), len(leftovers)
    return f"{count} {'item' if count == 1 else 'items'}, {size(total)} ({total:,} bytes)"

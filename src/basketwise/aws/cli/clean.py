"""``basketwise aws clean``: what runs left behind, listed, then removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from basketwise.aws.cli.asking import YES, asked, require_terminal, settings, tell
from basketwise.cli.options import Common, common
from basketwise.cli.output import print_json
from basketwise.report.numbers import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basketwise.aws.cleaning.leftovers import Leftover


@click.command()
@click.option(
    "--older-than",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Leave what has changed within so many days.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go, and remove nothing.")
@YES
@common
def clean(older_than: int, dry_run: bool, yes: bool, common: Common) -> None:
    """Remove what runs left behind; never what an approved or pending version needs."""
    from basketwise.aws.cleaning import removing as cleaning

    if not (yes or dry_run):
        require_terminal("--yes, or --dry-run to see only what would go")
    now, age = moment(), timedelta(days=older_than)
    config, names = settings(common)
    target = cleaning.open_target(names, config)
    leftovers = cleaning.removable(target, now, age)
    if not common.as_json:
        _show(leftovers, now, older_than, err=False)
    elif not (yes or dry_run):
        _show(leftovers, now, older_than, err=True)
    done = cleaning.Cleaned()
    if leftovers and not dry_run and (yes or asked("Remove them?")):

        def report(left: Leftover) -> None:
            (tell if common.as_json else click.echo)(f"removed   {_named(left)}")

        done = cleaning.clean(target, leftovers, now, age, report)
    if common.as_json:
        print_json(
            {
                "older_than_days": older_than,
                "left_over": [
                    {
                        "kind": left.kind,
                        "name": left.name,
                        "age_days": (now - left.since).days,
                        "bytes": left.size,
                        "why": left.why,
                    }
                    for left in leftovers
                ],
                "removed": [left.name for left in done.removed],
                "spared": [left.name for left in done.spared],
                "bytes_removed": sum(left.size for left in done.removed),
                "restorable_days": cleaning.RESTORABLE_DAYS,
            }
        )
        return
    for left in done.spared:
        click.echo(f"kept      {_named(left)}: it is needed again")
    if done.removed:
        click.echo(f"Removed {_sum(done.removed)}.")
    elif leftovers:
        click.echo("Nothing was removed.")


def moment() -> datetime:
    """Return the time that ages are counted from."""
    return datetime.now(UTC)


def _show(leftovers: list[Leftover], now: datetime, older_than: int, *, err: bool) -> None:
    from basketwise.aws.cleaning.removing import RESTORABLE_DAYS

    if not leftovers:
        click.echo(f"Nothing that is older than {older_than} days may go.", err=err)
        return
    width = max(len(_shown(left)) for left in leftovers)
    click.echo(f"{'kind':<17}{'name':<{width}}{'days':>6}{'size':>9}  why it may go", err=err)
    for left in leftovers:
        taken = size(left.size) if left.keys else "–"
        row = f"{left.kind:<17}{_shown(left):<{width}}{(now - left.since).days:>6}{taken:>9}"
        click.echo(f"{row}  {left.why}", err=err)
    click.echo(f"{_sum(leftovers)}, older than {older_than} days.", err=err)
    click.echo(
        f"The bucket of 'basketwise aws provision' keeps deleted objects for {RESTORABLE_DAYS} "
        "days; until then\nthey can be brought back, and are paid for. Models and endpoint "
        "configs cannot.",
        err=err,
    )


def _shown(left: Leftover) -> str:
    return f"{left.name}/" if left.keys else left.name


def _named(left: Leftover) -> str:
    return f"{_shown(left)}  {size(left.size)}" if left.keys else f"{left.kind} {left.name}"


def _sum(leftovers: Sequence[Leftover]) -> str:
    # The size of a resource is 0.
    total, count = sum(left.size for left in leftovers), len(leftovers)
    return f"{count} {'thing' if count == 1 else 'things'}, {size(total)} ({total:,} bytes)"

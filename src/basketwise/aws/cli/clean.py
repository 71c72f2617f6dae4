"""``basketwise aws clean``: what runs left behind, listed, then removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from basketwise.aws.cli.asking import YES, asked, names, require_terminal, tell
from basketwise.cli.options import Common, common
from basketwise.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    config, now, age = common.config(), moment(), timedelta(days=older_than)
    place = cleaning.open_place(names(config, common.workspace), config)
    found = cleaning.look(place, now, age)
    if not common.as_json:
        _show(found, now, older_than, err=False)
    elif not (yes or dry_run):
        _show(found, now, older_than, err=True)
    done = cleaning.Cleaned((), ())
    if found and not dry_run and (yes or asked("Remove them?")):

        def report(one: Leftover) -> None:
            (tell if common.as_json else click.echo)(f"removed   {_named(one)}")

        done = cleaning.clean(place, found, now, age, report)
    if common.as_json:
        print_json(
            {
                "older_than_days": older_than,
                "left_over": [_document(one, now) for one in found],
                "removed": [one.name for one in done.removed],
                "spared": [one.name for one in done.spared],
                "bytes_removed": sum(one.size for one in done.removed),
                "restorable_days": cleaning.RESTORABLE_DAYS,
            }
        )
        return
    for one in done.spared:
        click.echo(f"kept      {_named(one)}: it is needed again")
    if done.removed:
        click.echo(f"Removed {_sum(done.removed)}.")
    elif found:
        click.echo("Nothing was removed.")


def moment() -> datetime:
    """Return the time that ages are counted from."""
    return datetime.now(UTC)


def _show(found: list[Leftover], now: datetime, older_than: int, *, err: bool) -> None:
    from basketwise.aws.cleaning.removing import RESTORABLE_DAYS

    if not found:
        click.echo(f"Nothing that is older than {older_than} days may go.", err=err)
        return
    width = max(len(_shown(one)) for one in found)
    click.echo(f"{'kind':<17}{'name':<{width}}{'days':>6}{'size':>9}  why it may go", err=err)
    for one in found:
        size = _size(one.size) if one.keys else "–"
        days = (now - one.since).days
        click.echo(f"{one.kind:<17}{_shown(one):<{width}}{days:>6}{size:>9}  {one.why}", err=err)
    click.echo(f"{_sum(found)}, older than {older_than} days.", err=err)
    click.echo(
        f"The bucket of 'basketwise aws provision' keeps deleted objects for {RESTORABLE_DAYS} "
        "days; until then\nthey can be brought back, and are paid for. Models and endpoint "
        "configs cannot.",
        err=err,
    )


def _shown(one: Leftover) -> str:
    return f"{one.name}/" if one.keys else one.name


def _named(one: Leftover) -> str:
    return f"{_shown(one)}  {_size(one.size)}" if one.keys else f"{one.kind} {one.name}"


def _sum(found: Iterable[Leftover]) -> str:
    folders = [one for one in found if one.keys]
    size = sum(one.size for one in folders)
    count = sum(1 for _ in found)
    things = f"{count} {'thing' if count == 1 else 'things'}"
    return f"{things}, {_size(size)} ({size:,} bytes)"


def _size(number: int) -> str:
    from basketwise.report.numbers import size

    return size(number)


def _document(one: Leftover, now: datetime) -> dict[str, str | int]:
    return {
        "kind": one.kind,
        "name": one.name,
        "age_days": (now - one.since).days,
        "bytes": one.size,
        "why": one.why,
    }

"""``basketwise aws clean``: listing and removing leftovers of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from basketwise.aws.cli.session import settings
from basketwise.cli import cleaning
from basketwise.cli.asking import YES
from basketwise.cli.options import Common, common

if TYPE_CHECKING:
    from basketwise.cleanup.leftovers import Cleaned


@click.command(short_help="Remove leftovers of runs.")
@cleaning.older_than(1)
@cleaning.DRY_RUN
@YES
@common
def clean(older_than: int, dry_run: bool, yes: bool, common: Common) -> None:
    """Remove leftovers of runs; never what an approved or pending version needs."""
    from basketwise.aws.cleanup import removal

    cleaning.check_prompt(yes=yes, dry_run=dry_run)
    now, age = cleaning.current_time(), timedelta(days=older_than)
    config, names = settings(common)
    target = removal.open_target(names, config)
    leftovers = removal.removable(target, now, age)

    def remove(report: cleaning.Report) -> Cleaned:
        return removal.clean(target, leftovers, now, age, report)

    offered = cleaning.Offer(
        leftovers,
        now,
        none=f"There are no leftovers older than {older_than} days.",
        total=f", older than {older_than} days",
        note=f"A bucket of 'basketwise aws provision' keeps deleted objects for "
        f"{removal.RESTORABLE_DAYS} days; until then\nthey can be restored, and are billed. Models "
        "and endpoint configs cannot be restored.",
    )
    details = {"older_than_days": older_than, "restorable_days": removal.RESTORABLE_DAYS}
    cleaning.offer(offered, remove, details, common, yes=yes, dry_run=dry_run)

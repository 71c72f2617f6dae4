"""``basketwise clean``: the leftovers of a workspace on this machine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from basketwise.cli import cleaning
from basketwise.cli.asking import YES, to_stderr
from basketwise.cli.options import Common, common
from basketwise.errors import ConfigError
from basketwise.storage.scheme import scheme_of
from basketwise.terminal import printable

if TYPE_CHECKING:
    from basketwise.cleanup.leftovers import Cleaned


@click.command()
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="RUNS",
    help="Keep this many of the newest runs, whatever their age.",
)
@cleaning.older_than(0)
@cleaning.DRY_RUN
@YES
@common
def clean(keep: int, older_than: int, dry_run: bool, yes: bool, common: Common) -> None:
    """Remove leftovers of runs; never what an approved or pending version needs."""
    from basketwise.cleanup.local import Limits, list_leftovers, remove_leftovers
    from basketwise.run.workspace import open_workspace

    cleaning.check_prompt(yes=yes, dry_run=dry_run)
    config = common.config()
    if scheme_of(common.workspace):
        raise ConfigError(
            f"The workspace {common.workspace!r} is not a folder on this machine.",
            "Clean up a workspace in a bucket: basketwise aws clean",
        )
    workspace = open_workspace(common.workspace, config.aws)
    limits = Limits(cleaning.current_time(), timedelta(days=older_than), keep)
    listing = list_leftovers(workspace, config, limits)
    for note in listing.notes:
        to_stderr(f"note      {printable(note)}")

    def remove(report: cleaning.Report) -> Cleaned:
        return remove_leftovers(workspace, config, limits, listing.leftovers, report)

    offered = cleaning.Offer(listing.leftovers, limits.now, none="There are no leftovers.")
    details = {"older_than_days": older_than, "keep_runs": keep, "notes": listing.notes}
    cleaning.offer(offered, remove, details, common, yes=yes, dry_run=dry_run)

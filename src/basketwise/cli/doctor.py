"""``basketwise doctor``."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from basketwise.cli.options import Common, common
from basketwise.cli.output import print_json

MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


@click.command()
@click.option("--data", metavar="PATH", help="Raw files to look at too.")
@common
def doctor(data: str | None, common: Common) -> None:
    """Check config, data, workspace, registry, disk and memory; say how to mend what is wrong."""
    from basketwise.doctor import examine
    from basketwise.workspace import open_workspace

    found = []
    for check in examine(open_workspace(common.workspace), common.config, data):
        found.append(check)
        if not common.as_json:
            click.echo(f"{MARKS[check.state]} {check.name:<10} {check.text}")
            for line in check.mend.splitlines():
                click.echo(f"  {'':<10} {line}")
    failed = any(check.state == "failed" for check in found)
    if common.as_json:
        print_json({"ready": not failed, "checks": [asdict(check) for check in found]})
    sys.exit(2 if failed else 0)

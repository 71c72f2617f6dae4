"""``basketwise doctor``."""

from __future__ import annotations

import sys

import click

from basketwise.cli.commands import completed
from basketwise.cli.options import Common, common, data_of
from basketwise.cli.output import print_json

MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


@click.command()
@data_of(required=False)
@click.option(
    "--aws",
    "on_aws",
    is_flag=True,
    help="Look at AWS too, as with a workspace in a bucket; by default the project's.",
)
@common
def doctor(data: str | None, on_aws: bool, common: Common) -> None:
    """Check config, data, workspace, registry, disk and memory; say how to fix problems."""
    from basketwise.doctor.local import examine

    checks = []
    for check in examine(common.workspace, common.settings, data, aws=on_aws):
        checks.append(check)
        if not common.as_json:
            click.echo(f"{MARKS[check.state]} {check.name:<10} {check.text}")
            for line in completed(check.fix, common.named).splitlines():
                click.echo(f"  {'':<10} {line}")
    code = max((check.exit_code for check in checks if check.state == "failed"), default=0)
    if common.as_json:
        keys = ("name", "state", "text", "fix")
        documents = [{key: getattr(check, key) for key in keys} for check in checks]
        print_json({"ready": code == 0, "checks": documents})
    sys.exit(code)

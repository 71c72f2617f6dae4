"""``basketwise doctor``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.commands import completed
from basketwise.cli.options import PRODUCTS_OPTION, Common, common, data_of, products_flag, reporter
from basketwise.cli.output import print_json, shown
from basketwise.progress import Tick, silent
from basketwise.terminal import printable

if TYPE_CHECKING:
    from basketwise.config import Config
    from basketwise.doctor.check import Check

MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


@click.command()
@data_of(required=False)
@PRODUCTS_OPTION
@click.option(
    "--aws",
    "on_aws",
    is_flag=True,
    help="Look at AWS too, as with a workspace in a bucket; by default the project's.",
)
@click.option(
    "--model",
    metavar="VERSION|champion|PATH",
    help="Compare the products of --data with this model's; by default the champion's.",
)
@click.option("--html", metavar="FILE", help="Write the profile of the data as a page.")
@common
def doctor(
    data: str | None,
    products: str | None,
    on_aws: bool,
    model: str | None,
    html: str | None,
    common: Common,
) -> None:
    """Check config, data, workspace, registry, disk and memory; profile the data.

    Raw files are read whole. For each problem, the doctor says how to fix it.
    """
    if html is not None and data is None:
        raise click.UsageError("--html needs raw files: basketwise doctor PATH --html FILE.")
    checks = _checked(data, products, on_aws, model, common)
    profile = next((check.profile for check in checks if check.profile), None)
    code = max((check.exit_code for check in checks if check.state == "failed"), default=0)
    if html is not None and profile:
        from basketwise.doctor.page import write_profile

        write_profile(Path(html), profile, str(data))
    if common.as_json:
        keys = ("name", "state", "text", "fix")
        documents = [{key: getattr(check, key) for key in keys} for check in checks]
        document: dict[str, Any] = {"ready": code == 0, "checks": documents}
        if data is not None:
            document["profile"] = profile.document() if profile else None
        print_json(document)
    elif profile:
        from basketwise.cli.profile import print_profile

        print_profile(profile)
        if html is not None:
            click.echo(f"\nPage        {shown(Path(html))}")
    sys.exit(code)


def _checked(
    data: str | None, products: str | None, on_aws: bool, model: str | None, common: Common
) -> list[Check]:
    """Make all checks, and print each with its fix."""
    from basketwise.doctor.local import examine

    def checks(tick: Tick) -> Iterator[Check]:
        def settings() -> Config:
            return common.settings(*products_flag(products))

        return examine(common.workspace, settings, data, aws=on_aws, tick=tick, model=model)

    if data is None:
        return [_printed(check, common) for check in checks(silent)]
    # Lines that are printed while a bar is drawn would run into it.
    with reporter().stage("doctor") as log:
        made = list(checks(log.tick))
        log.finish("all checks made")
    return [_printed(check, common) for check in made]


def _printed(check: Check, common: Common) -> Check:
    if not common.as_json:
        click.echo(f"{MARKS[check.state]} {check.name:<10} {printable(check.text)}")
        for line in completed(check.fix, common.named).splitlines():
            click.echo(f"  {'':<10} {line}")
    return check

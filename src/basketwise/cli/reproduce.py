"""``basketwise reproduce``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.options import Common, common, context
from basketwise.cli.output import print_json
from basketwise.errors import NOT_REPRODUCED

if TYPE_CHECKING:
    from basketwise.run.reproduce import Difference, Reproduction

SHOWN = 10
"""So many origins, and scores, that differ are listed."""

DIGEST = 64
"""Characters of a sha256: nobody reads them all."""


@click.command()
@click.argument("run")
@click.option("--data", metavar="PATH", help="Where the raw files lie now. Default: as then.")
@common
def reproduce(run: str, data: str | None, common: Common) -> None:
    """Make a run again from its manifest, and say what differs."""
    from basketwise.run.reproduce import reproduce as reproduce_run

    ctx = context(common, common.config())
    name, folder = ctx.workspace.run_folder(run)
    found = reproduce_run(name, folder, data, ctx)
    if common.as_json:
        print_json(_document(found))
    else:
        _print(found)
    if not found.same:
        sys.exit(NOT_REPRODUCED)


def _document(found: Reproduction) -> dict[str, Any]:
    def rows(differences: list[Difference]) -> list[dict[str, Any]]:
        return [
            {"name": one.name, "before": one.before, "now": one.now, "same": one.same}
            for one in differences
        ]

    return {
        "run_id": found.run_id,
        "same": found.same,
        "origins": rows(found.origins),
        "outputs": rows(found.outputs),
        "metrics": rows(found.metrics),
    }


def _said(value: Any) -> str:
    if value is None:
        return "not there"
    text = str(value)
    return f"{text[:12]}…" if len(text) == DIGEST else text


def _print(found: Reproduction) -> None:
    others = [one for one in found.origins if not one.same]
    same = "data, code, libraries and machine are those of then"
    click.echo(f"origins   {same}" if not others else "origins   these differ:")
    for one in others[:SHOWN]:
        click.echo(f"          {one.name}: {_said(one.before)} → {_said(one.now)}")
    if len(others) > SHOWN:
        click.echo(f"          and {len(others) - SHOWN} more")
    click.echo("outputs")
    for one in found.outputs:
        click.echo(f"  {'same   ' if one.same else 'DIFFERS'} {one.name}")
    for one in found.metrics[:SHOWN]:
        click.echo(f"          {one.name}: {one.before} → {one.now}")
    if len(found.metrics) > SHOWN:
        click.echo(f"          and {len(found.metrics) - SHOWN} more scores")
    right = sum(one.same for one in found.outputs)
    verdict = "is reproduced" if found.same else "is NOT reproduced"
    click.secho(
        f"{found.run_id} {verdict}: {right} of {len(found.outputs)} outputs are the same to "
        "the byte.",
        bold=True,
    )

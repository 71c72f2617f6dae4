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
@click.option("--data", metavar="PATH", help="Where the raw files are now. Default: as then.")
@common
def reproduce(run: str, data: str | None, common: Common) -> None:
    """Make a run again from its manifest, and say what differs."""
    from basketwise.run.reproduce import reproduce as reproduce_run

    ctx = context(common, common.config())
    name, folder = ctx.workspace.run_folder(run)
    reproduction = reproduce_run(name, folder, data, ctx)
    if common.as_json:
        print_json(_document(reproduction))
    else:
        _print(reproduction)
    if not reproduction.same:
        sys.exit(NOT_REPRODUCED)


def _document(reproduction: Reproduction) -> dict[str, Any]:
    def rows(differences: list[Difference]) -> list[dict[str, Any]]:
        return [
            {"name": item.name, "before": item.before, "now": item.now, "same": item.same}
            for item in differences
        ]

    return {
        "run_id": reproduction.run_id,
        "same": reproduction.same,
        "origins": rows(reproduction.origins),
        "outputs": rows(reproduction.outputs),
        "metrics": rows(reproduction.metrics),
    }


def _text(value: Any) -> str:
    if value is None:
        return "missing"
    text = str(value)
    return f"{text[:12]}…" if len(text) == DIGEST else text


def _print(reproduction: Reproduction) -> None:
    others = [item for item in reproduction.origins if not item.same]
    same = "data, code, libraries and machine match the original run"
    click.echo(f"inputs    {same}" if not others else "inputs    these differ:")
    for item in others[:SHOWN]:
        click.echo(f"          {item.name}: {_text(item.before)} → {_text(item.now)}")
    if len(others) > SHOWN:
        click.echo(f"          and {len(others) - SHOWN} more")
    click.echo("outputs")
    for item in reproduction.outputs:
        click.echo(f"  {'same   ' if item.same else 'DIFFERS'} {item.name}")
    for item in reproduction.metrics[:SHOWN]:
        click.echo(f"          {item.name}: {item.before} → {item.now}")
    if len(reproduction.metrics) > SHOWN:
        click.echo(f"          and {len(reproduction.metrics) - SHOWN} more scores")
    right = sum(item.same for item in reproduction.outputs)
    verdict = "is reproduced" if reproduction.same else "is NOT reproduced"
    click.secho(
        f"{reproduction.run_id} {verdict}: "
        f"{right} of {len(reproduction.outputs)} outputs are the same to the byte.",
        bold=True,
    )

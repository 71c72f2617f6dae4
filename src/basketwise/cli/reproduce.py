"""``basketwise reproduce``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.engines import engine_options, platform_of
from basketwise.cli.options import Common, common, context
from basketwise.cli.output import emit
from basketwise.errors import NOT_REPRODUCED

if TYPE_CHECKING:
    from basketwise.run.reproduce import Reproduction

SHOWN = 10
"""Number of differing inputs, and of differing scores, that are listed."""

DIGEST = 64
"""Characters of a sha256 that are shown."""


@click.command()
@click.argument("run")
@click.option("--data", metavar="PATH", help="Where the raw files are now. Default: as before.")
@engine_options("Where ETL runs; spark is needed for a run on a table.")
@common
def reproduce(run: str, data: str | None, engine: str, url: str, common: Common) -> None:
    """Reproduce a run from its manifest and show what differs."""
    from basketwise.run.reproduce import reproduce as reproduce_run

    with platform_of(engine, url, common.workspace) as platform:
        ctx = context(common, common.config(), existing=True, platform=platform)
        name, folder = ctx.workspace.run_folder(run)
        reproduction = reproduce_run(name, folder, data, ctx)
    emit(common, _document(reproduction), *_lines(reproduction))
    if not reproduction.same:
        sys.exit(NOT_REPRODUCED)


def _document(reproduction: Reproduction) -> dict[str, Any]:
    document: dict[str, Any] = {"run_id": reproduction.run_id, "same": reproduction.same}
    for kind in ("origins", "outputs", "metrics"):
        document[kind] = [{**vars(item), "same": item.same} for item in getattr(reproduction, kind)]
    return document


def _text(value: Any) -> str:
    if value is None:
        return "missing"
    text = str(value)
    return f"{text[:12]}…" if len(text) == DIGEST else text


def _lines(reproduction: Reproduction) -> Iterator[str]:
    others = [item for item in reproduction.origins if not item.same]
    same = "data, code, libraries and machine match the original run"
    yield f"inputs    {same}" if not others else "inputs    these differ:"
    for item in others[:SHOWN]:
        yield f"          {item.name}: {_text(item.before)} → {_text(item.now)}"
    if len(others) > SHOWN:
        yield f"          and {len(others) - SHOWN} more"
    yield "outputs"
    for item in reproduction.outputs:
        yield f"  {'same   ' if item.same else 'DIFFERS'} {item.name}"
    for item in reproduction.metrics[:SHOWN]:
        yield f"          {item.name}: {item.before} → {item.now}"
    if len(reproduction.metrics) > SHOWN:
        yield f"          and {len(reproduction.metrics) - SHOWN} more scores"
    right = sum(item.same for item in reproduction.outputs)
    verdict = "is reproduced" if reproduction.same else "is NOT reproduced"
    count = f"{right} of {len(reproduction.outputs)} outputs are byte-identical."
    yield click.style(f"{reproduction.run_id} {verdict}: {count}", bold=True)

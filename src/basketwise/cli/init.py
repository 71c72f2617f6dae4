"""``basketwise init``."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from basketwise.cli.commands import completed, program
from basketwise.cli.options import Common, common
from basketwise.cli.output import emit, print_json, shown
from basketwise.errors import InputError, writing
from basketwise.progress import counted
from basketwise.settings import DEFAULT_FILE
from basketwise.terminal import printable

if TYPE_CHECKING:
    from rich.text import Text

    from basketwise.proposal import Match, Proposal

WIDTH = 100
"""Columns of the table where no terminal says how wide it is."""

_EXAMPLE = 20
"""Characters of an example that are shown."""


@click.command()
@click.option(
    "--data", metavar="PATH", help="Propose settings for these files: a file, folder or glob."
)
@click.option("--yes", is_flag=True, help="Write the proposed settings without asking.")
@click.option("--out", default=DEFAULT_FILE, show_default=True, metavar="FILE")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
@common
def init(data: str | None, yes: bool, out: str, overwrite: bool, common: Common) -> None:
    """Write a settings file: for your own files, or with every setting and its default."""
    path = Path(out)
    if path.exists() and not overwrite:
        raise InputError(
            f"{out!r} already exists.", "Choose another --out, or replace it with --overwrite."
        )
    if data is not None:
        _init_for(data, path, common, yes=yes)
        return
    from basketwise.template import config_template

    _write(path, config_template())
    own = {} if out == DEFAULT_FILE else {"--config": out}
    what_next = completed(f"{shown(path)}: edit it, then run 'basketwise doctor'", own)
    emit(common, {"config": str(path)}, what_next)


def _init_for(data: str, path: Path, common: Common, *, yes: bool) -> None:
    """Propose settings for some files, and write them after a yes."""
    from basketwise.proposal import propose, settings_text

    proposal = propose(data)
    text = settings_text(proposal)
    if not common.as_json:
        _show(proposal)
    lacking = [name for name in proposal.missing if name != _label()]
    if lacking:
        texts = (f"{name}: {proposal.missing[name]}." for name in lacking)
        raise InputError(
            f"The data contain no {' and no '.join(lacking)}; nothing was written.",
            "\n".join(
                (
                    *texts,
                    "Add what is missing to the files, or map columns of other names in "
                    "[data.columns] of a settings file.",
                )
            ),
        )
    if not yes and not common.as_json and _is_interactive():
        yes = click.confirm(f"\nWrite {shown(path)}?", default=True)
        if not yes:
            click.echo("Nothing was written.")
            return
    if yes:
        _write(path, text)
    if common.as_json:
        print_json(
            asdict(proposal)
            | {"complete": proposal.is_complete, "config": str(path) if yes else None, "text": text}
        )
    elif yes:
        _show_next(proposal, path)
    else:
        click.echo(f"\n{text}\nNothing was written: add --yes to write this to {shown(path)}.")


def _is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _label() -> str:
    from basketwise.schema import LABEL

    return LABEL


def _write(path: Path, text: str) -> None:
    with writing(
        f"{str(path)!r} cannot be written",
        "Give an --out in a folder that exists and that this user may write to.",
    ):
        path.write_text(text, encoding="utf-8")


def _show(proposal: Proposal) -> None:
    """Print what stands for what, the settings, and what the data do not tell."""
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else WIDTH
    console = Console(file=sys.stdout, width=width, highlight=False)
    console.print(_cell(f"Looked at {proposal.scope}."))
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("yours", "", "ours", "examples", "why"):
        table.add_column(name, overflow="fold")
    for match in proposal.matches:
        table.add_row(
            *map(_cell, (" + ".join(match.own), "→", match.ours, _examples(match), match.why))
        )
    for name in proposal.missing:
        table.add_row(*map(_cell, ("–", "→", name, "", "not found")))
    console.print(table)
    if proposal.unused:
        console.print()
        console.print(_cell(f"not read: {', '.join(proposal.unused)}"))
    console.print()
    for section, values in proposal.settings.items():
        for key, value in values.items():
            if key == "columns":
                continue
            shown_value = (
                ", ".join(f"{own} = {ours}" for own, ours in value.items())
                if isinstance(value, dict)
                else str(value)
            )
            why = proposal.reasons[f"{section}.{key}"]
            console.print(_cell(f"{section}.{key}: {shown_value} ({why})"))
    if proposal.lines:
        rejected = sum(proposal.rejected.values())
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in proposal.rejected.items())
        console.print()
        console.print(
            _cell(
                f"Tried on {counted(proposal.lines, 'line')}: {proposal.lines - rejected:,} "
                f"accepted, {rejected:,} rejected{f' ({reasons})' if reasons else ''}."
            )
        )
    for note in proposal.notes:
        console.print(_cell(f"! {note}"))
    for question in proposal.questions:
        console.print(_cell(f"? {question.text}"))
        for choice in question.choices:
            console.print(_cell(f"    {choice}"))


def _cell(text: str) -> Text:
    """Return a text that is neither markup nor more than a line of its own."""
    from rich.text import Text

    return Text(printable(text))


def _examples(match: Match) -> str:
    cut = (e if len(e) <= _EXAMPLE else f"{e[: _EXAMPLE - 1]}…" for e in match.examples)
    return ", ".join(" ".join(example.split()) for example in cut)


def _show_next(proposal: Proposal, path: Path) -> None:
    click.echo(f"\nWrote {shown(path)}.")
    if proposal.questions:
        count = counted(len(proposal.questions), "question")
        click.echo(f"It has {count} for you, marked TO DO: answer before the first run.")
    if proposal.missing:
        click.echo(
            "Without labels, no model can be trained; an existing model can score these files."
        )
        return
    config = "" if str(path) == DEFAULT_FILE else f" --config {shlex.quote(str(path))}"
    click.echo(f"Next: {program()} run {shlex.quote(proposal.data)}{config}")

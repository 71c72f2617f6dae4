"""Options of where ETL runs, and of tables that it writes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from basketwise.cli.options import Command

if TYPE_CHECKING:
    from basketwise.config import AwsConfig
    from basketwise.platforms.protocol import Platform

TABLES_OPTION = click.option(
    "--tables",
    "schema",
    metavar="SCHEMA",
    help="Write silver and gold as tables of this schema, or catalog.schema, too; needs --engine "
    "spark.",
)
OVERWRITE_OPTION = click.option(
    "--overwrite", is_flag=True, help="Replace the tables of --tables if they exist."
)


class Tables(Protocol):
    """Writes silver and gold as tables, whose names it tells."""

    @property
    def names(self) -> list[str]:
        """The tables."""

    def __call__(self, silver: Path, gold: Path) -> None:
        """Write what is in these folders."""


def engine_options(what: str) -> Callable[[Command], Command]:
    """Add ``--engine`` and ``--spark``; a command gets ``engine`` and ``url``."""

    def decorated(command: Command) -> Command:
        chosen = click.option(
            "--engine",
            type=click.Choice(["local", "spark"]),
            default="local",
            show_default=True,
            help=what,
        )
        session = click.option(
            "--spark",
            "url",
            metavar="URL",
            default="",
            help="local[2], spark://HOST:PORT or sc://HOST:PORT. "
            "Default: the environment's session.",
        )
        return chosen(session(command))

    return decorated


def check_engine(engine: str, url: str) -> None:
    """Refuse a session's URL for an engine that has none."""
    if engine == "local" and url:
        raise click.UsageError("--spark goes with --engine spark.")


@contextmanager
def platform_of(engine: str, url: str, workspace: str) -> Iterator[Platform]:
    """Give the platform of an engine; a session that is started for it ends with the block."""
    from basketwise.platforms.local import LocalPlatform
    from basketwise.plugins import PLATFORMS, load

    check_engine(engine, url)
    if engine == "local":
        yield LocalPlatform()
        return
    with load(PLATFORMS[engine])(url, workspace) as platform:
        yield platform


def tables_of(
    platform: Platform,
    engine: str,
    schema: str | None,
    workspace: str,
    config: AwsConfig,
    *,
    overwrite: bool,
) -> Tables | None:
    """Return what writes a run's tables, if that is wanted; says now what would fail later."""
    from basketwise.plugins import TABLES, load

    if schema is None:
        if overwrite:
            raise click.UsageError("--overwrite goes with --tables.")
        return None
    if engine not in TABLES:
        raise click.UsageError("--tables goes with --engine spark.")
    opened: Tables = load(TABLES[engine])(
        platform, schema, overwrite=overwrite, workspace=workspace, config=config
    )
    return opened

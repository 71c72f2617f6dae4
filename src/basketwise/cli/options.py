"""Options that commands share, and what is made of them."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from basketwise.config import Config, without_password
from basketwise.files import DEFAULT_WORKSPACE
from basketwise.settings import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from basketwise.progress import Reporter
    from basketwise.run.context import Context

Command = TypeVar("Command", bound=Callable[..., Any])


DATA_OPTION = click.option(
    "--data", required=True, metavar="PATH", help="A file, a folder or a quoted glob."
)
SPLIT_OPTION = click.option("--split", metavar="NAME", help="time, stratified or customer.")
MODELS_OPTION = click.option(
    "--models", metavar="NAMES", help="Candidates to train, separated by commas."
)
FORCE_OPTION = click.option(
    "--force", is_flag=True, help="Re-run every stage, even if cached outputs are still valid."
)


@dataclass(frozen=True)
class Common:
    """The options that every command has."""

    config_path: str | None
    workspace: str
    as_json: bool
    flags: tuple[str, ...]

    def config(self, *more: str) -> Config:
        """Load the configuration; ``more`` are flags of the command itself, which win."""
        return load_config(self.config_path, os.environ, (*self.flags, *more))


def common(command: Command) -> Command:
    """Add the shared options; the command gets them as its argument ``common``."""
    import functools

    @click.option(
        "--config",
        "config_path",
        envvar="BASKETWISE_CONFIG",
        metavar="FILE",
        help=f"Settings. Default: {DEFAULT_FILE}, if it exists.",
    )
    @click.option(
        "--workspace",
        envvar="BASKETWISE_WORKSPACE",
        default=DEFAULT_WORKSPACE,
        metavar="DIR|s3://…",
        help="Where outputs are stored: a folder or an S3 prefix. "
        f"Default: {DEFAULT_WORKSPACE}; of 'aws …', the project's bucket.",
    )
    @click.option(
        "--set",
        "flags",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Set one setting; repeatable.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        config_path: str | None,
        workspace: str,
        flags: tuple[str, ...],
        as_json: bool,
        **kwargs: Any,
    ) -> Any:
        shared = Common(config_path, workspace, as_json, flags)
        return command(*args, common=shared, **kwargs)

    return wrapped  # type: ignore[return-value]


def reporter() -> Reporter:
    """Return what shows progress, on stderr."""
    from rich.console import Console

    from basketwise.progress import Reporter

    return Reporter(Console(stderr=True))


def context(shared: Common, config: Config, *, force: bool = False) -> Context:
    """Return what the pipeline needs."""
    from basketwise.platforms.local import LocalPlatform
    from basketwise.run.context import Context
    from basketwise.run.workspace import open_workspace

    return Context(
        workspace=open_workspace(shared.workspace, config.aws),
        config=config,
        platform=LocalPlatform(),
        reporter=reporter(),
        command=typed_command(),
        force=force,
    )


def typed_command() -> str:
    """Return the command as it was typed, quoted where needed, without any password."""
    return without_password(shlex.join(["basketwise", *sys.argv[1:]]))


def program() -> str:
    """Return what to type to call Basketwise from here: its path where the name is not found."""
    from shutil import which

    called = sys.argv[0]
    if which("basketwise") or not called.endswith("basketwise"):
        return "basketwise"
    relative = os.path.relpath(called)
    return called if relative.startswith("..") else relative


def user() -> str:
    """Return who is at the keyboard, for the registry's history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"

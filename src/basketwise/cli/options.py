"""Options that commands share, and what is made of them."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, TypeVar

import click

from basketwise.cli.commands import completed
from basketwise.config import Config
from basketwise.disk import TEMPORARY, WORKSPACE, full_disk, is_full
from basketwise.errors import BasketwiseError
from basketwise.files import DEFAULT_WORKSPACE
from basketwise.redaction import redacted
from basketwise.scratch import sweep
from basketwise.settings import DEFAULT_FILE, load_config, unknown_variables
from basketwise.storage.scheme import scheme_of
from basketwise.template import toml_value

if TYPE_CHECKING:
    from basketwise.platforms.protocol import Platform
    from basketwise.progress import Reporter
    from basketwise.run.context import Context

Command = TypeVar("Command", bound=Callable[..., Any])


PRODUCTS_OPTION = click.option(
    "--products",
    metavar="FILE",
    help="A product file: PROD_CODE with names or hierarchy, one row per product.",
)
MODEL_OPTION = click.option(
    "--model",
    default="champion",
    show_default=True,
    metavar="VERSION|champion|PATH",
    help="A version of the registry, or a model.tar.gz.",
)
HISTORY_OPTION = click.option(
    "--history",
    metavar="FILE",
    help="What is known of the customers, for a model that uses it. Default: that of its run.",
)
SPLIT_OPTION = click.option("--split", metavar="NAME", help="time, stratified or customer.")
MODELS_OPTION = click.option(
    "--models", metavar="NAMES", help="Candidates to train, separated by commas."
)
NO_REGISTER_OPTION = click.option(
    "--no-register", is_flag=True, help="An experiment: evaluated and reported, but no version."
)
FORCE_OPTION = click.option(
    "--force", is_flag=True, help="Re-run every stage, even if cached outputs are still valid."
)


def data_of(*, required: bool) -> Callable[[Command], Command]:
    """Add the raw files, as the argument PATH or the option --data; a command gets ``data``."""
    import functools

    def decorated(command: Command) -> Command:
        @click.argument("path", required=False)
        @click.option("--data", metavar="PATH", help="The same: a file, a folder or a quoted glob.")
        @functools.wraps(command)
        def wrapped(*args: Any, path: str | None, data: str | None, **kwargs: Any) -> Any:
            name = click.get_current_context().command_path
            if path is not None and data is not None:
                raise click.UsageError(f"Give the raw files only once: {name} PATH.")
            if required and path is None and data is None:
                raise click.UsageError(f"Give the raw files: {name} PATH.")
            return command(*args, data=path if data is None else data, **kwargs)

        return wrapped  # type: ignore[return-value]

    return decorated


@dataclass(frozen=True)
class Common:
    """The options that every command has."""

    config_path: str | None
    workspace: str
    as_json: bool
    flags: tuple[str, ...]

    def config(self, *more: str) -> Config:
        """Load the configuration; ``more`` are flags of the command itself, which win.

        Variables that look like settings and are none are warned of on stderr.
        """
        for warning in unknown_variables(os.environ):
            click.echo(f"Warning: {warning}", err=True)
        return self.settings(*more)

    def settings(self, *more: str) -> Config:
        """Do the same without a warning."""
        return load_config(self.config_path, os.environ, (*self.flags, *more))

    @property
    def named(self) -> dict[str, str]:
        """Workspace and configuration by their options, where they are not the defaults."""
        given = {"--workspace": self.workspace, "--config": self.config_path or ""}
        return {
            option: value for option, value in given.items() if value not in ("", DEFAULT_WORKSPACE)
        }


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
        sweep(Path(gettempdir()))
        try:
            return command(*args, common=shared, **kwargs)
        except BasketwiseError as error:
            error.hint = completed(error.hint, shared.named)
            raise
        except Exception as error:
            if not is_full(error):
                raise
            folders = [(TEMPORARY, Path(gettempdir()))]
            if not scheme_of(workspace):
                folders.insert(0, (WORKSPACE, Path(workspace)))
            if out := kwargs.get("out"):
                folders.insert(0, ("the output", Path(out).absolute().parent))
            full = full_disk(folders)
            full.hint = completed(full.hint, shared.named)
            raise full from error

    return wrapped  # type: ignore[return-value]


def products_flag(products: str | None) -> list[str]:
    """Turn ``--products`` into a setting."""
    return [f"data.products={toml_value(products)}"] if products else []


def reporter() -> Reporter:
    """Return what shows progress, on stderr."""
    from rich.console import Console

    from basketwise.progress import Reporter
    from basketwise.terminal import drawable

    return Reporter(Console(file=drawable(sys.stderr)))


def context(
    shared: Common,
    config: Config,
    *,
    force: bool = False,
    existing: bool = False,
    platform: Platform | None = None,
    tables: Callable[[Path, Path], None] | None = None,
) -> Context:
    """Return what the pipeline needs; an InputError if a workspace must exist and does not."""
    from basketwise.platforms.local import LocalPlatform
    from basketwise.run.context import Context
    from basketwise.run.workspace import open_workspace
    from basketwise.storage.opening import require_workspace

    workspace = open_workspace(shared.workspace, config.aws)
    if existing:
        require_workspace(workspace.storage)
    return Context(
        workspace=workspace,
        config=config,
        platform=platform or LocalPlatform(),
        reporter=reporter(),
        command=typed_command(shared.named),
        force=force,
        tables=tables,
    )


def typed_command(named: Mapping[str, str]) -> str:
    """Return the command as it was typed, quoted where needed, without any secret.

    Workspace and configuration are added where they come from the environment.
    """
    words = ["basketwise", *sys.argv[1:]]
    for option, value in named.items():
        if not any(word.partition("=")[0] == option for word in words):
            words += [option, value]
    # Word by word: an address with blanks in it is one.
    return redacted(shlex.join(map(redacted, words)))


def user() -> str:
    """Return who is at the keyboard, for the registry's history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"

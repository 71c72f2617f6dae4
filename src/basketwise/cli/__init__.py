"""The command line."""

from __future__ import annotations

import gc
import io
import os
import re
import sys
import threading
import warnings
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from basketwise import __version__
from basketwise.cli.commands import program
from basketwise.disk import is_full, unreachable
from basketwise.errors import INTERRUPTED, OUR_FAULT, BasketwiseError
from basketwise.importing import wait_passively
from basketwise.locking import LockWarning
from basketwise.memory import collect_rarely, pool_memory
from basketwise.plugins import COMMANDS, load
from basketwise.redaction import redacted
from basketwise.terminal import clean_output, printable

ELSEWHERE = {
    **{name: f"models {name}" for name in ("list", "show", "approve", "reject", "rollback")},
    "history": "models history",
    **{name: f"aws {name}" for name in ("provision", "destroy", "policy", "pipeline")},
    "config": "init",
    "score": "predict",
    "render": "deploy render",
    "report": "evaluate",
}
"""Commands under names that are tried at the top level."""


@click.command("help", hidden=True)
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command, as --help does."""
    inner = ctx.find_root()
    for name in names:
        group = inner.command
        if not isinstance(group, click.Group):
            break
        _, command, _ = group.resolve_command(inner, [name])
        if command is not None:
            inner = click.Context(command, inner, name)
    click.echo(inner.get_help())


@click.command("version", hidden=True)
def version_command() -> None:
    """Show the version, as --version does."""
    click.echo(f"basketwise, version {__version__}")


SPOKEN: dict[str, click.Command] = {"help": help_command, "version": version_command}
"""Options that are typed as commands."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a project's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name in SPOKEN:
            return SPOKEN[cmd_name]
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = load(COMMANDS[cmd_name][0])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; of an unknown one, name the most similar."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        known = ELSEWHERE.get(name) or next(iter(get_close_matches(name, [*COMMANDS], n=1)), "")
        question = f" Did you mean {known!r}?" if known else ""
        raise click.UsageError(f"No such command {name!r}.{question}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="basketwise")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Learn how price-sensitive each supermarket basket is, from raw till lines."""
    ctx.obj = debug
    ctx.color = False if dumb() else None


def dumb() -> bool:
    """Whether the terminal shows escape sequences as they are, or no colour is wanted."""
    return os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))


def main() -> None:
    """Run the command line and leave with one of the exit codes 0, 1, 2, 3, 4 and 130."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Closed by who started it. Left so, the next file to be opened would get its number,
            # and whatever a library prints.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or pipe that knows no "≥" must not turn a finished run into an error.
            stream.reconfigure(errors="replace")
    warnings.showwarning = _show_warning
    with clean_output():
        code = _called(sys.argv[1:])
    sys.exit(code or 0)


def _called(arguments: list[str]) -> int | None:
    stdout = sys.stdout
    debug = "--debug" in arguments
    # Wherever it stands, it means the same.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code: int | None = cli.main(args=arguments, prog_name="basketwise", standalone_mode=False)
    except BasketwiseError as error:
        code = _complain(error.headline, error.hint, error.exit_code, debug=debug)
    except click.ClickException as error:
        error.show()
        click.echo(_advice(error, arguments), err=True, nl=False)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        # Click hides what was said behind an error of its own.
        hint = str(error.__cause__ or error) or "Earlier outputs are as they were."
        code = _complain("Interrupted.", hint, INTERRUPTED, debug=False)
    except SystemExit:
        # When nobody reads the output, Click puts stdout aside and ends with 1, which would say
        # that the gate did not approve; nothing is wrong, and nothing more can be said.
        if sys.stdout is stdout:
            raise
        code = 0
    except Exception as error:
        code = _unexpected(error, debug=debug)
    except BaseException as error:
        # A panic of Polars is no Exception; Python would end with 1, which stands for the gate.
        if type(error).__name__ != "PanicException":
            raise
        code = _unexpected(error, debug=debug)
    return code


def _show_warning(
    message: Warning | str, category: type[Warning], *where: Any, **options: Any
) -> None:
    """Show a warning that is for users as one line, any other as Python does."""
    if issubclass(category, LockWarning):
        click.echo(f"warning   {message}", err=True)
    else:
        PYTHONS_WARNING(message, category, *where, **options)


PYTHONS_WARNING = warnings.showwarning


def _advice(error: click.ClickException, arguments: list[str]) -> str:
    """Say what to type instead of an argument that no command takes."""
    extra = re.fullmatch(r"Got unexpected extra arguments? \((\S+).*\)", error.message)
    if not extra or not isinstance(error, click.UsageError):
        return ""
    for option, key in pairwise(arguments):
        if option == "--set" and "=" not in key:
            return f"Write --set {key}={extra[1]}\n"
    if error.ctx and error.ctx.command.name == "rollback":
        return (
            "It rejects the champion. To reject another version: "
            f"{program()} models reject {extra[1]}\n"
        )
    return ""


def console() -> None:
    """Run the command line as a process of its own, which does not outlive Ctrl-C.

    Returns if the command has succeeded: services that call this function by its name may take any
    SystemExit for a failure.
    """
    pool_memory()
    collect_rarely()
    wait_passively()
    try:
        main()
    except SystemExit as ending:
        if not ending.code:
            return
        if ending.code == INTERRUPTED and _threads_are_waited_for():
            # What they work on is wanted no more.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise
    finally:
        # All memory goes with the process: looking for garbage among what MLflow and scikit-learn
        # have defined takes a second.
        gc.freeze()


def _threads_are_waited_for() -> bool:
    """Whether Python would not end before other threads do.

    It ends before daemons, which may be those of processes that have just been ended: what these
    shared is then removed on the way out.
    """
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    return any(not thread.daemon for thread in others)


def _unexpected(error: BaseException, *, debug: bool) -> int:
    if is_full(error):
        return _complain(
            "No room left on the disk.",
            "Free some space or choose another --workspace; earlier outputs are as they were.",
            2,
            debug=debug,
        )
    if refused := unreachable(error):
        return _complain(refused.headline, refused.hint, refused.exit_code, debug=debug)
    return _complain(
        f"This should not have happened: {type(error).__name__}: {error}",
        "This is a bug in Basketwise. Run the command again with --debug and report the output.",
        OUR_FAULT,
        debug=debug,
    )


def _complain(headline: str, hint: str, code: int, *, debug: bool) -> int:
    if debug:
        import traceback

        # Never with values of variables; in one piece, so that it is redacted as a whole.
        click.echo(traceback.format_exc(), err=True, nl=False)
    headline = printable(redacted(headline))
    click.secho(headline, err=True, bold=True, color=False if dumb() else None)
    if hint:
        click.echo(hint, err=True)
    return code

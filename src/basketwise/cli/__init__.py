"""The command line."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading

import click

from basketwise import __version__
from basketwise.errors import INTERRUPTED, OUR_FAULT, BasketwiseError
from basketwise.plugins import COMMANDS, load


class LazyGroup(click.Group):
    """Imports a command's module when the command is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a project's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = load(COMMANDS[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="basketwise")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Learn how price-sensitive each supermarket basket is, from raw till lines."""
    ctx.obj = debug


def main() -> None:
    """Run the command line and leave with one of the exit codes 0, 1, 2, 3, 4 and 130."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or pipe that knows no "≥" must not turn a finished run into an error.
            stream.reconfigure(errors="replace")
    arguments, stdout = sys.argv[1:], sys.stdout
    debug = "--debug" in arguments
    # Wherever it stands, it means the same.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = cli.main(args=arguments, prog_name="basketwise", standalone_mode=False)
    except BasketwiseError as error:
        code = _complain(error.headline, error.hint, error.exit_code, debug=debug)
    except click.ClickException as error:
        error.show()
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
    sys.exit(code or 0)


def console() -> None:
    """Run the command line as a process of its own, which does not outlive Ctrl-C."""
    try:
        main()
    except SystemExit as ending:
        if ending.code == INTERRUPTED and threading.active_count() > 1:
            # Python would wait for the threads; what they work on is wanted no more.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise


def _unexpected(error: Exception, *, debug: bool) -> int:
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or "No space left" in str(error):
        return _complain(
            "No room left on the disk.",
            "Free some space or choose another --workspace; earlier outputs are as they were.",
            2,
            debug=debug,
        )
    return _complain(
        f"This should not have happened: {type(error).__name__}: {error}",
        "This is a bug in Basketwise. Run the command again with --debug and report the output.",
        OUR_FAULT,
        debug=debug,
    )


def _complain(headline: str, hint: str, code: int, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    click.secho(headline, err=True, bold=True)
    if hint:
        click.echo(hint, err=True)
    return code

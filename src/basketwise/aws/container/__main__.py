"""``python -m basketwise.aws.container processing|train|serve|evaluate``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib import import_module

import click

from basketwise.aws.container.layout import report_failure
from basketwise.errors import OUR_FAULT, BasketwiseError
from basketwise.memory import pool_memory
from basketwise.terminal import clean_output

COMMANDS = {
    "processing": "basketwise.aws.container.processing",
    "train": "basketwise.aws.container.training",
    "evaluate": "basketwise.aws.container.evaluation",
    "serve": "basketwise.aws.container.serving",
}
DRAINING = "serve"
"""The command that ends by itself on SIGTERM, once it has answered what it is asked."""

STOPPED = 128 + signal.SIGTERM
"""Exit code after SIGTERM, as shells expect."""


def main() -> int:
    """Run one command; report a failure where SageMaker looks for it.

    Returns
    -------
    int
        0 or, as on the command line, 2 for the user's input, 3 for a dependency, 4 for our fault.
    """
    with clean_output():
        return _main(*(sys.argv[1:] or [""]))


def _main(name: str, *arguments: str) -> int:
    if name not in COMMANDS:
        report_failure(f"{name!r} is not a command. Choose from {', '.join(COMMANDS)}.")
        return 2
    try:
        import_module(COMMANDS[name]).main(list(arguments))
    except BasketwiseError as error:
        report_failure(str(error))
        return error.exit_code
    except Exception as error:
        import traceback

        click.echo(traceback.format_exc(), err=True)
        report_failure(f"This should not have happened: {type(error).__name__}: {error}")
        return OUR_FAULT
    return 0


def exit_on_sigterm() -> None:
    """End the process at once on SIGTERM, whatever it is doing.

    The first process of a container ignores signals that it does not handle, and Python handles
    them only between two steps of the main thread, which may be minutes apart in a library. So a
    thread waits for it. Checkpoints are complete at any time; there is nothing to clean up.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        os._exit(STOPPED)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1:2] == [DRAINING]:
        # Until it serves: the first process of a container ignores what it does not handle.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(STOPPED))
    else:
        # Before anything is imported that starts threads: they inherit the blocked signals.
        exit_on_sigterm()
        pool_memory()
    sys.exit(main())

"""Runs one command of a container, and reports its failure where SageMaker looks for it."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from basketwise.aws.container.layout import report_failure
from basketwise.errors import OUR_FAULT, BasketwiseError
from basketwise.terminal import clean_output

COMMANDS = {
    "processing": "basketwise.aws.container.processing",
    "train": "basketwise.aws.container.training",
    "evaluate": "basketwise.aws.container.evaluation",
    "serve": "basketwise.aws.container.serving",
}


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

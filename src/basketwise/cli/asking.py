"""Questions at the terminal, and what is printed beside results."""

from __future__ import annotations

import sys
from functools import partial

import click

from basketwise.errors import InputError

YES = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")

to_stderr = partial(click.echo, err=True)
"""Prints progress and notes."""

confirmed = partial(click.confirm, err=True)
"""Asks for confirmation at the terminal."""


def require_terminal(instead: str) -> None:
    """Raise InputError without a terminal to ask at; ``instead`` names the option to give."""
    if not sys.stdin.isatty():
        raise InputError("Cannot ask for confirmation: this is not a terminal.", f"Give {instead}.")

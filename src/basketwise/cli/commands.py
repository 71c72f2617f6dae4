"""Commands that messages and reports name: to be pasted as they are."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping

from basketwise.plugins import COMMANDS
from basketwise.storage.scheme import scheme_of

_NAMED = re.compile(
    r"(?<=')basketwise (?P<quoted>[^'\n]+)(?=')|(?<=: )basketwise (?P<plain>[^\n]+?)(?=\.?$)",
    re.MULTILINE,
)
"""Commands in a message: in quotes, or from a colon to the end of the line."""

WITHOUT_WORKSPACE = ("sample", "init")
"""Commands that need neither a workspace nor a configuration."""


def program() -> str:
    """Return what to type to call Basketwise from here: its path where the name is not found."""
    from shutil import which

    called = sys.argv[0]
    if which("basketwise") or not called.endswith("basketwise"):
        return "basketwise"
    relative = os.path.relpath(called)
    return called if relative.startswith("..") else relative


def completed(text: str, options: Mapping[str, str]) -> str:
    """Add options, such as the workspace, to every command that a message names.

    Examples
    --------
    >>> completed("Run 'basketwise etl' first.", {"--workspace": "ws"})
    "Run 'basketwise etl --workspace ws' first."
    """

    def command(match: re.Match[str]) -> str:
        words = match["quoted"] or match["plain"]
        if words.split()[0] not in COMMANDS:
            return match[0]
        return " ".join((program(), words, *_missing(words, options)))

    return _NAMED.sub(command, text)


def _missing(words: str, options: Mapping[str, str]) -> Iterator[str]:
    name = words.split()[0]
    for option, value in options.items():
        only_local = option == "--workspace" and not scheme_of(value)
        if name in WITHOUT_WORKSPACE or option in words or (name == "aws" and only_local):
            continue
        yield f"{option} {shlex.quote(value)}"

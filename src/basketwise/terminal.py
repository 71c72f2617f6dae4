"""What reaches a terminal: no secrets, and no control characters but our own.

Values come from anywhere: files, registries, buckets. None may move the cursor, hide what stands
before it, reorder the line it is in, or begin a line of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from basketwise.redaction import redacted

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_SURROGATES = "\ud800-\udfff"
"""Halves of a character, which UTF-8 cannot write."""
_STYLE = r"\x1b\[[01]?m"
"""Bold and its end: the only style that is used."""

_UNSAFE = re.compile(f"[{_CONTROLS}]")
_UNSAFE_VALUE = re.compile(f"[\t\n{_CONTROLS}]")
_UNSHOWN = re.compile(f"[{_CONTROLS}{_SURROGATES}]")
_UNSHOWN_VALUE = re.compile(f"[\t\n{_CONTROLS}{_SURROGATES}]")
_UNSAFE_LINE = re.compile(f"{_STYLE}|[\t\n{_CONTROLS}]")
_UNSAFE_OUTPUT = re.compile(f"{_STYLE}|[{_CONTROLS}]")


def printable(value: str) -> str:
    r"""Escape what a value must not contain within a line: control characters and line breaks.

    Examples
    --------
    >>> printable("\x1b[2Jgone\nversion 9 is Approved \u202e")
    '\\x1b[2Jgone\\nversion 9 is Approved \\u202e'
    """
    return _UNSAFE_VALUE.sub(_escaped, value) if _UNSAFE_VALUE.search(value) else value


def replaced(
    value: str, limit: int | None = None, mark: str = REPLACEMENT, *, lines: bool = False
) -> str:
    r"""Shorten a value, and put a mark for each character that :func:`printable` escapes.

    For texts in which an escape would be taken for content. Line breaks and tabs stay in ``lines``.

    Examples
    --------
    >>> replaced("\x1b[2Jgone\n", mark="?"), replaced("PRD0900001", limit=4)
    ('?[2Jgone?', 'PRD…')
    """
    if limit is not None and len(value) > limit:
        value = f"{value[: limit - 1]}…"
    return (_UNSHOWN if lines else _UNSHOWN_VALUE).sub(mark, value)


def printable_line(text: str) -> str:
    """Do the same for a line of our own, which may be bold."""
    return _UNSAFE_LINE.sub(_escaped_unless_style, text)


def escaped_json(text: str) -> str:
    r"""Escape control characters in a JSON document, which stays one with the same content.

    Examples
    --------
    >>> print(escaped_json('{"name": "\u202egone"}'))
    {"name": "\u202egone"}
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def visible(text: str) -> str:
    r"""Escape control characters of a text that may have several lines.

    Examples
    --------
    >>> visible("two\nlines\x07")
    'two\nlines\\x07'
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _escaped_unless_style(match: re.Match[str]) -> str:
    return match[0] if len(match[0]) > 1 else _escaped(match)


class CleanStream:
    """A text stream that redacts and escapes what is written to it.

    Parameters
    ----------
    stream : text stream
        What is written to in the end; it has all other methods and attributes.
    drawn : bool
        Whether somebody draws on it, whose control characters stay.
    """

    def __init__(self, stream: IO[str], *, drawn: bool = False) -> None:
        self.stream, self.drawn = stream, drawn

    def write(self, text: str) -> int:
        """Write a text; returns its length, as a stream does."""
        clean = redacted(text)
        if not self.drawn:
            clean = _UNSAFE_OUTPUT.sub(_escaped_unless_style, clean)
        self.stream.write(clean)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def drawable(stream: IO[str]) -> IO[str]:
    """Return a stream for a library that draws; the texts that it is given are to be printable."""
    if isinstance(stream, CleanStream):
        stream = stream.stream
    return CleanStream(stream, drawn=True)  # type: ignore[return-value]


@contextmanager
def clean_output() -> Iterator[None]:
    """Redact and escape whatever is printed while the block lasts, by libraries too."""
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    ours = {
        name: stream if isinstance(stream, CleanStream) else CleanStream(stream)
        for name, stream in before.items()
    }
    for name, stream in ours.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        for name, stream in ours.items():
            # Click replaces a stream that nobody reads any more; that must stay.
            if getattr(sys, name) is stream:
                setattr(sys, name, before[name])

"""What one request may contain: compared before it costs memory or time to find out more.

Parsed, a body of many small objects is thirty times as large as it was sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from basketwise.errors import InputError
from basketwise.etl.raw.header import SEPARATORS
from basketwise.serving.http.media_types import CSV, JSON_LINES

MAX_COLUMNS = 200
"""Columns of a request's lines, those that no model reads included."""

MAX_BAD_LINES = 1_000
"""Lines of JSON Lines that are no baskets; more are no such lines."""

MAX_ID = 200
"""Characters of a basket's id, and of the name of a column that is read."""

MAX_TEXT = 1_000
"""Characters of a value."""

BYTES_OF_A_VALUE = 6
FEW_VALUES = 1_000
"""A value of a line takes so many bytes, with its column; a small body may have more."""

_PART = 2**18
_LINE_END = re.compile(rb"[\r\n]")
_SEPARATORS = tuple(separator.encode() for separator in SEPARATORS)


class MalformedError(InputError):
    """A body that cannot be parsed."""


class TooLargeError(InputError):
    """A request with too many baskets or lines."""


@dataclass(frozen=True)
class Bounds:
    """What one request may contain, beside its bytes."""

    baskets: int = 100_000
    lines: int = 500_000


def refuse_excess(body: bytes, kind: str, bounds: Bounds) -> None:
    """Refuse what would become too many objects, before it does: parsed, it is ten times as large.

    Brackets and line breaks within texts count too: no sensible text has many of them.
    """
    if kind == CSV:
        lines = max(body.count(b"\n"), body.count(b"\r")) - 1
        _refuse_more(lines, bounds.lines, "lines")
        if _columns(body) > MAX_COLUMNS:
            raise too_many_columns("The header has")
        return
    if kind == JSON_LINES:
        _refuse_more(body.count(b"\n"), bounds.baskets, "baskets")
    refuse_objects(body, bounds)
    _refuse_more(_count(body, ","), FEW_VALUES + len(body) // BYTES_OF_A_VALUE, "values")


def refuse_objects(body: bytes, bounds: Bounds) -> None:
    """Refuse JSON with more objects or lists than lines and baskets may have.

    Raises
    ------
    TooLargeError
        Before it is parsed: empty ones would take thirty times their bytes.
    """
    # An object and a list each basket, and an object each line.
    for bracket in "{[":
        _refuse_more(_count(body, bracket) - 1, bounds.lines + bounds.baskets, "lines and baskets")


def _columns(body: bytes) -> int:
    """Count the columns of a CSV by the separators in its first line."""
    end = _LINE_END.search(body)
    header = body[: end.start()] if end else body
    return 1 + max(header.count(separator) for separator in _SEPARATORS)


def _count(body: bytes, character: str) -> int:
    """Count a character; as an array, which takes a fifth of the time where it is frequent."""
    codes, code = np.frombuffer(body, dtype=np.uint8), ord(character)
    # Part by part, each of which stays in the processor's cache.
    return sum(
        int(np.count_nonzero(codes[start : start + _PART] == code))
        for start in range(0, codes.size, _PART)
    )


def _refuse_more(number: int, limit: int, what: str) -> None:
    if number > limit:
        raise TooLargeError(
            f"The request has more than {limit:,} {what}.", "Split it into several requests."
        )


def too_many_columns(what: str) -> TooLargeError:
    """Return the error for lines with too many columns; ``what`` has them."""
    return TooLargeError(f"{what} more than {MAX_COLUMNS} columns.", "Send those of the raw lines.")


def too_long(what: str, limit: int = MAX_TEXT) -> TooLargeError:
    """Return the error for a text that is too long; ``what`` is or has it."""
    return TooLargeError(f"{what} more than {limit:,} characters.", "Send it shorter.")

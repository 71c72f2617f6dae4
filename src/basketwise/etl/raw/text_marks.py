"""Separators, line ends, quotes and blanks of a text, looked at in all of its bytes at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LF, CR, SPACE, QUOTE = 0x0A, 0x0D, 0x20, 0x22

_WIDE_BLANKS = (
    b"\xc2\xa0",
    b"\xc2\x85",
    b"\xe1\x9a\x80",
    b"\xe2\x80",
    b"\xe2\x81\x9f",
    b"\xe3\x80\x80",
)
"""No-break spaces, those of typographers (with their quotes and dashes), ideographic ones, …"""

Lines = NDArray[np.int64]
Text = NDArray[np.uint8]


def even_lines(text: bytes, separator: bytes, fields: int) -> int:
    """Count the lines; 0 if some has another number of separators, in quotes or not."""
    marks = text.translate(None, _all_but(separator))
    lines = len(marks) // fields
    return lines if marks == (separator * (fields - 1) + b"\n") * lines else 0


def quoted_whole(array: Text, separator: int) -> bool:
    """Whether each quote opens or closes a value, in which there is neither separator nor quote."""
    quotes = np.flatnonzero(array == QUOTE)
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return False
    before, after = _neighbours(array, opening)[0], array[closing + 1]
    outside = (before == separator) | (before == LF)
    outside &= (after == separator) | _ends_line(array, closing, after)
    filled = closing - opening > 1
    if not outside.all() or not filled.any():
        return bool(outside.all())
    marks = np.flatnonzero((array == LF) | (array == separator))
    within = np.searchsorted(marks, closing[filled]) - np.searchsorted(marks, opening[filled])
    return not within.any()


@lru_cache
def _all_but(separator: bytes) -> bytes:
    return bytes(set(range(256)) - {LF, *separator})


def has_blanks(array: Text, separator: int) -> bool:
    """Whether there may be blanks, or other control characters, around a value."""
    where = np.flatnonzero(array <= SPACE)
    where = where[array[where] != LF]
    where = where[(array[where] != CR) | (array[where + 1] != LF)]
    before, after = _neighbours(array, where)
    edges = after == CR
    for mark in (separator, LF, QUOTE):
        edges |= (before == mark) | (after == mark)
    return bool(edges.any())


def plain_blanks(array: Text, separator: int) -> bool:
    """Do as :func:`has_blanks`, for text without quotes and carriage returns."""
    where = np.flatnonzero(array <= SPACE)
    where = where[array[where] != LF]
    # The last byte is a line feed, which is also what comes before the first one.
    before, after = array[where - 1], array[where + 1]
    edges = (before == separator) | (before == LF) | (after == separator) | (after == LF)
    return bool(edges.any())


def wide_blanks(text: bytes) -> bool:
    """Whether there may be blanks that are not ASCII, such as no-break spaces; in UTF-8."""
    return not text.isascii() and any(blank in text for blank in _WIDE_BLANKS)


def _neighbours(array: Text, where: Lines) -> tuple[Text, Text]:
    """Return the bytes before and after some bytes; a line feed before the first of all."""
    return np.where(where > 0, array[where - 1], LF), array[where + 1]


def _ends_line(array: Text, where: Lines, after: Text) -> NDArray[np.bool_]:
    """Whether a line ends right after each of some bytes."""
    second = array[np.minimum(where + 2, len(array) - 1)]
    ends: NDArray[np.bool_] = (after == LF) | ((after == CR) & (second == LF))
    return ends


def per_line(flags: NDArray[np.uint8], starts: Lines) -> NDArray[np.uint16]:
    """Count the flags of each line."""
    counts = np.add.reduceat(flags, starts, dtype=np.uint8)
    if counts.sum(dtype=np.int64) != np.count_nonzero(flags):
        # 256 separators too many must not look like none; adding up in bytes is several times
        # faster, though, and mostly enough.
        return np.add.reduceat(flags, starts, dtype=np.uint16)
    return counts.astype(np.uint16)


def quotes(
    array: NDArray[np.uint8], separators: NDArray[np.uint8], starts: Lines, separator: int
) -> tuple[NDArray[np.bool_], NDArray[np.uint16]]:
    """Look at the quotes of each line, which starts outside of any.

    Returns
    -------
    odd : ndarray of bool
        Lines with a quote that does not open or close a field, or that is not closed.
    quoted : ndarray of uint16
        How many of each line's separators are inside of quotes; 0 for odd lines.
    """
    flags = array == QUOTE
    where = np.flatnonzero(flags)
    number = per_line(flags.view(np.uint8), starts).astype(np.int64)
    line = np.repeat(np.arange(len(starts)), number)
    rank = np.arange(len(where)) - np.repeat(np.cumsum(number) - number, number)
    before, after = _neighbours(array, where)
    line_end = _ends_line(array, where, after)
    fits = np.where(
        rank % 2 == 0,
        (before == separator) | (before == LF) | (before == QUOTE),
        (after == separator) | line_end | (after == QUOTE),
    )
    odd: NDArray[np.bool_] = number % 2 == 1
    odd[line[~fits]] = True
    pairs = where[~odd[line]]
    if not len(pairs):
        return odd, np.zeros(len(starts), np.uint16)
    inside = np.add.reduceat(separators, pairs, dtype=np.uint16)[::2]
    quoted = np.bincount(line[~odd[line]][::2], inside, len(starts))
    return odd, quoted.astype(np.uint16)

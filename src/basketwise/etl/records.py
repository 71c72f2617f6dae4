"""The records of a CSV's text: one well-formed record a line, the others refused with a reason.

A parser that is asked for a few columns does not count fields, and one that meets a stray quote
swallows the lines up to the next. So records are told apart here, before anything is parsed: each
line that is not blank is a record, with as many fields as the header, each of them quoted whole or
not at all. What is handed on to the parser is that and nothing else, so the number of records that
it gives back proves that none was lost.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LF, CR, SPACE, QUOTE = 0x0A, 0x0D, 0x20, 0x22
PIECE = 120_000
"""Bytes that are checked at once: arrays of this size stay in the processor's cache, and are made
of memory that the C library has at hand: larger ones it asks the system for, each time anew."""

LONGEST_FIELD = 100
"""Lines that a field may go on for; a quote that is still open then was never meant to open."""

TOO_MANY, TOO_FEW = "too_many_fields", "too_few_fields"
UNCLOSED, STRAY, BREAK = "unclosed_quote", "text_after_quote", "line_break_in_field"
MALFORMED = (TOO_MANY, TOO_FEW, UNCLOSED, STRAY, BREAK)
"""Why a record cannot be parsed, in the words of rejection reasons."""

Lines = NDArray[np.int64]
Text = NDArray[np.uint8]


class Malformed(NamedTuple):
    """A record that is refused: number of its line, reason, and its fields where they count."""

    line: int
    reason: str
    fields: int = 0


@dataclass
class Records:
    """The records of some text.

    Attributes
    ----------
    text
        The well-formed records, each ended by a line feed; before them, up to ``start``, whole
        lines that are none.
    lines
        Number of the line of each of them, the text's first being 0; None where they are
        0, 1, 2, … without a gap.
    count
        How many well-formed records there are.
    malformed
        The records that are refused.
    height
        How many lines the text has that were looked at.
    pending
        The end of the text, from a record on that more text may complete.
    blanks
        Whether a value may have blanks around it.
    start
        Where in ``text`` the records start.
    """

    text: bytes
    lines: Lines | None
    count: int
    malformed: list[Malformed] = field(default_factory=list)
    height: int = 0
    pending: bytes = b""
    blanks: bool = True
    start: int = 0


def split_records(
    text: bytes, separator: str, fields: int, *, final: bool, start: int = 0
) -> Records:
    r"""Tell the records of a text apart.

    Parameters
    ----------
    text : bytes
        Whole lines in UTF-8 or another superset of ASCII; the last one may lack its line feed.
    separator : str
        One ASCII character.
    fields : int
        Number of fields of the header, at least 2.
    final : bool
        Whether no more text follows; else a quote that is open at the end is left pending.
    start : int
        Where the records start; before it are whole lines to pass over, which are not counted.

    Returns
    -------
    Records

    Examples
    --------
    >>> records = split_records(b'1,"a, b"\n2,c,d\n\n3,5" x\n', ",", 2, final=True)
    >>> records.text
    b'1,"a, b"\n3,"5"" x"\n'
    >>> records.lines.tolist(), records.malformed
    ([0, 3], [Malformed(line=1, reason='too_many_fields', fields=3)])
    """
    if text and not text.endswith(b"\n"):
        text += b"\n"
    done: list[Records] = []
    first, height = start, 0
    while start < len(text):
        end = text.rfind(b"\n", start, start + PIECE) + 1 or text.index(b"\n", start) + 1
        last = final and end == len(text)
        piece = _split(text[start:end], separator, fields, final=last)
        while piece.pending and end < len(text):
            # The record goes on in the next piece: look at both together.
            end = text.find(b"\n", end + PIECE) + 1 or len(text)
            piece = _split(text[start:end], separator, fields, final=final and end == len(text))
        start = end - len(piece.pending)
        piece.lines = None if piece.lines is None else piece.lines + height
        piece.malformed = [m._replace(line=m.line + height) for m in piece.malformed]
        done.append(piece)
        if piece.pending and end == len(text):
            break
        height += piece.height
    return _joined(text, first, done)


def _joined(text: bytes, start: int, pieces: list[Records]) -> Records:
    pending = pieces[-1].pending if pieces else b""
    height = sum(piece.height for piece in pieces)
    if all(piece.lines is None for piece in pieces):
        # Nothing was left out or rewritten, so the text is not copied.
        whole = text[: len(text) - len(pending)] if pending else text
        blanks = any(piece.blanks for piece in pieces)
        return Records(whole, None, height, [], height, pending, blanks, start)
    lines, first = [], 0
    for piece in pieces:
        own = np.arange(first, first + piece.height) if piece.lines is None else piece.lines
        lines.append(own)
        first += piece.height
    return Records(
        b"".join(piece.text for piece in pieces),
        np.concatenate(lines),
        sum(piece.count for piece in pieces),
        [refused for piece in pieces for refused in piece.malformed],
        height,
        pending,
    )


def _split(text: bytes, separator: str, fields: int, *, final: bool) -> Records:
    array = np.frombuffer(text, np.uint8)
    if lines := _plain_lines(text, separator.encode(), fields):
        edges = _has_blanks if b"\r" in text else _plain_blanks
        blanks = edges(array, ord(separator))
        return Records(text, None, lines, height=lines, blanks=blanks)
    if lines := _regular_lines(array, ord(separator), fields):
        blanks = _has_blanks(array, ord(separator))
        return Records(text, None, lines, height=lines, blanks=blanks)
    ends = np.flatnonzero(array == LF)
    starts = np.concatenate(([0], ends[:-1] + 1))
    separators = (array == ord(separator)).view(np.uint8)
    counts = _per_line(separators, starts)
    odd = np.zeros(len(ends), np.bool_)
    if b'"' in text:
        odd, quoted = _quotes(array, separators, starts, ord(separator))
        counts -= quoted
    odd |= counts != fields - 1
    if not odd.any():
        return Records(text, None, len(ends), height=len(ends))
    return _judged(text, starts, ends, odd, separator, fields, final=final)


def _plain_lines(text: bytes, separator: bytes, fields: int) -> int:
    """Count the lines; 0 if there are quotes, or not the right number of fields in each."""
    if b'"' in text:
        return 0
    marks = text.translate(None, _all_but(separator))
    lines = len(marks) // fields
    return lines if marks == (separator * (fields - 1) + b"\n") * lines else 0


@lru_cache
def _all_but(separator: bytes) -> bytes:
    return bytes(set(range(256)) - {LF, *separator})


def _regular_lines(array: Text, separator: int, fields: int) -> int:
    """Count the lines; 0 if some line needs a closer look.

    None does if each has the right number of fields, and separators are not in quotes.
    """
    line_feeds = array == LF
    marks = np.flatnonzero(line_feeds | (array == separator))
    ends = marks[fields - 1 :: fields]
    if len(ends) * fields != len(marks) or np.count_nonzero(line_feeds) != len(ends):
        return 0
    quotes = np.flatnonzero(array == QUOTE)
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return 0
    before, after = _neighbours(array, opening)[0], array[closing + 1]
    outside = (before == separator) | (before == LF)
    outside &= (after == separator) | _ends_line(array, closing, after)
    filled = closing - opening > 1
    plain = np.searchsorted(marks, opening[filled]) == np.searchsorted(marks, closing[filled])
    return len(ends) if line_feeds[ends].all() and outside.all() and plain.all() else 0


def _has_blanks(array: Text, separator: int) -> bool:
    """Whether there may be blanks, or other control characters, around a value."""
    where = np.flatnonzero((array <= SPACE) & (array != LF))
    where = where[(array[where] != CR) | (array[where + 1] != LF)]
    before, after = _neighbours(array, where)
    edges = after == CR
    for mark in (separator, LF, QUOTE):
        edges |= (before == mark) | (after == mark)
    return bool(edges.any())


def _plain_blanks(array: Text, separator: int) -> bool:
    """Do as :func:`_has_blanks`, for text without quotes and carriage returns."""
    where = np.flatnonzero(array <= SPACE)
    where = where[array[where] != LF]
    # The last byte is a line feed, which is also what comes before the first one.
    before, after = array[where - 1], array[where + 1]
    edges = (before == separator) | (before == LF) | (after == separator) | (after == LF)
    return bool(edges.any())


def _neighbours(array: Text, where: Lines) -> tuple[Text, Text]:
    """Return the bytes before and after some bytes; a line feed before the first of all."""
    return np.where(where > 0, array[where - 1], LF), array[where + 1]


def _ends_line(array: Text, where: Lines, after: Text) -> NDArray[np.bool_]:
    """Whether a line ends right after each of some bytes."""
    second = array[np.minimum(where + 2, len(array) - 1)]
    ends: NDArray[np.bool_] = (after == LF) | ((after == CR) & (second == LF))
    return ends


def _per_line(flags: NDArray[np.uint8], starts: Lines) -> NDArray[np.uint16]:
    """Count the flags of each line."""
    counts = np.add.reduceat(flags, starts, dtype=np.uint8)
    if counts.sum(dtype=np.int64) != np.count_nonzero(flags):
        # 256 separators too many must not look like none; adding up in bytes is several times
        # faster, though, and mostly enough.
        return np.add.reduceat(flags, starts, dtype=np.uint16)
    return counts.astype(np.uint16)


def _quotes(
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
    per_line = _per_line(flags.view(np.uint8), starts).astype(np.int64)
    line = np.repeat(np.arange(len(starts)), per_line)
    rank = np.arange(len(where)) - np.repeat(np.cumsum(per_line) - per_line, per_line)
    before, after = _neighbours(array, where)
    line_end = _ends_line(array, where, after)
    fits = np.where(
        rank % 2 == 0,
        (before == separator) | (before == LF) | (before == QUOTE),
        (after == separator) | line_end | (after == QUOTE),
    )
    odd: NDArray[np.bool_] = per_line % 2 == 1
    odd[line[~fits]] = True
    pairs = where[~odd[line]]
    if not len(pairs):
        return odd, np.zeros(len(starts), np.uint16)
    inside = np.add.reduceat(separators, pairs, dtype=np.uint16)[::2]
    quoted = np.bincount(line[~odd[line]][::2], inside, len(starts))
    return odd, quoted.astype(np.uint16)


def _judged(
    text: bytes,
    starts: Lines,
    ends: Lines,
    odd: NDArray[np.bool_],
    separator: str,
    fields: int,
    *,
    final: bool,
) -> Records:
    """Look at odd lines one by one: leave out blank ones, refuse or rewrite the rest."""
    kept = ~odd
    rewritten: dict[int, bytes] = {}
    malformed: list[Malformed] = []
    height, after = len(ends), 0
    for number in np.flatnonzero(odd).tolist():
        if number < after:
            continue
        line = text[starts[number] : ends[number]]
        if not line.strip():
            continue
        row, reason = _parsed(line, separator)
        if reason == UNCLOSED:
            length = _field_lines(text, starts, ends, number, separator, fields)
            if not length and not final:
                height = number
                break
            if length > 1:
                reason, after = BREAK, number + length
                kept[number:after] = False
        elif not reason and len(row) != fields:
            reason = TOO_MANY if len(row) > fields else TOO_FEW
        if reason:
            malformed.append(Malformed(number, reason, len(row)))
        else:
            rewritten[number] = _written(row, separator)
    kept[height:] = False
    pending = text[starts[height] :] if height < len(ends) else b""
    chosen = [*np.flatnonzero(kept).tolist(), *rewritten]
    chosen.sort()
    lines = np.asarray(chosen, np.int64)
    if rewritten:
        parts = [rewritten.get(n) or text[starts[n] : ends[n] + 1] for n in chosen]
        remaining = b"".join(parts)
    else:
        remaining = np.frombuffer(text, np.uint8)[np.repeat(kept, ends - starts + 1)].tobytes()
    return Records(remaining, lines, len(lines), malformed, height, pending)


def _parsed(line: bytes, separator: str) -> tuple[list[str], str]:
    """Parse one line strictly: its fields; or none, and why not."""
    # Latin-1 maps every byte to a character and back, whatever the encoding is.
    reader = csv.reader([line.decode("latin-1")], delimiter=separator, strict=True)
    try:
        return next(reader), ""
    except csv.Error as error:
        return [], UNCLOSED if "unexpected end" in str(error) else STRAY


def _written(row: list[str], separator: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerow(row)
    return out.getvalue().encode("latin-1")


def _field_lines(
    text: bytes, starts: Lines, ends: Lines, number: int, separator: str, fields: int
) -> int:
    """Count the lines of a record whose quoted field contains line ends.

    1 if it is no such record: if the quote is closed where no field ends or after too many lines,
    or if it would swallow a line that is a record by itself. 0 if the text ends before the quote is
    closed.
    """
    swallowed = 0

    def lines() -> Iterator[str]:
        nonlocal swallowed
        for n in range(number, min(len(ends), number + LONGEST_FIELD)):
            line = text[starts[n] : ends[n] + 1]
            if n > number and line.count(separator.encode()) >= fields - 1:
                return
            swallowed += 1
            yield line.decode("latin-1")

    try:
        row = next(csv.reader(lines(), delimiter=separator, strict=True))
    except csv.Error:
        return 0 if number + swallowed == len(ends) and swallowed < LONGEST_FIELD else 1
    return swallowed if len(row) == fields else 1

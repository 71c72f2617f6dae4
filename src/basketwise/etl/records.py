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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LF, CR, QUOTE = 0x0A, 0x0D, 0x22
PIECE = 2**20
"""Bytes that are checked at once: arrays of this size stay in the processor's cache."""

LONGEST_FIELD = 100
"""Lines that a field may go on for; a quote that is still open then was never meant to open."""

TOO_MANY, TOO_FEW = "too_many_fields", "too_few_fields"
UNCLOSED, STRAY, BREAK = "unclosed_quote", "text_after_quote", "line_break_in_field"
MALFORMED = (TOO_MANY, TOO_FEW, UNCLOSED, STRAY, BREAK)
"""Why a record cannot be parsed, in the words of rejection reasons."""

Lines = NDArray[np.int64]


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
        The well-formed records, each ended by a line feed.
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
    """

    text: bytes
    lines: Lines | None
    count: int
    malformed: list[Malformed] = field(default_factory=list)
    height: int = 0
    pending: bytes = b""


def split_records(text: bytes, separator: str, fields: int, *, final: bool) -> Records:
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
    start = height = 0
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
    return _joined(text, done)


def _joined(text: bytes, pieces: list[Records]) -> Records:
    pending = pieces[-1].pending if pieces else b""
    height = sum(piece.height for piece in pieces)
    if all(piece.lines is None for piece in pieces):
        # Nothing was left out or rewritten, so the text is not copied.
        whole = text[: len(text) - len(pending)] if pending else text
        return Records(whole, None, height, [], height, pending)
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
    ends = np.flatnonzero(array == LF)
    starts = np.concatenate(([0], ends[:-1] + 1))
    separators = array == ord(separator)
    if b'"' in text:
        odd = _misquoted(array, separators, starts, ends, ord(separator))
    else:
        odd = np.zeros(len(ends), np.bool_)
    # Wider than a byte: 256 separators too many must not look like none.
    counts = np.add.reduceat(separators.view(np.uint8), starts, dtype=np.uint16)
    odd |= counts != fields - 1
    if not odd.any():
        return Records(text, None, len(ends), height=len(ends))
    return _judged(text, starts, ends, odd, separator, fields, final=final)


def _misquoted(
    array: NDArray[np.uint8],
    separators: NDArray[np.bool_],
    starts: Lines,
    ends: Lines,
    separator: int,
) -> NDArray[np.bool_]:
    """Flag the lines with a quote that does not open or close a field, and end no field inside one.

    ``separators`` inside of quotes are cleared, in place.
    """
    quotes = array == QUOTE
    inside = np.bitwise_xor.accumulate(quotes.view(np.uint8))
    # Each line starts outside: a quote left open on one line says nothing about the next.
    carried = np.concatenate((np.zeros(1, np.uint8), inside[ends[:-1]]))
    if carried.any():
        inside ^= np.repeat(carried, ends - starts + 1)
    separators &= inside == 0
    odd: NDArray[np.bool_] = inside[ends] != 0
    where = np.flatnonzero(quotes)
    opens = inside[where] == 1
    before = np.where(where > 0, array[where - 1], LF)
    after = array[where + 1]
    second = array[np.minimum(where + 2, len(array) - 1)]
    line_end = (after == LF) | ((after == CR) & (second == LF))
    fits = np.where(
        opens,
        (before == separator) | (before == LF) | (before == QUOTE),
        (after == separator) | line_end | (after == QUOTE),
    )
    odd[np.searchsorted(ends, where[~fits])] = True
    return odd


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

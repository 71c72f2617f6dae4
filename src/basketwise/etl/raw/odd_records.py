"""Lines that are no plain record, looked at one by one: blank, quoted in odd ways, or malformed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from basketwise.etl.raw.records import BREAK, STRAY, TOO_FEW, TOO_MANY, UNCLOSED, Malformed, Records
from basketwise.etl.raw.text_marks import Lines

LONGEST_FIELD = 100
"""Lines that a field may go on for; a quote that is still open then was never meant to open."""


def judged(
    text: bytes,
    starts: Lines,
    ends: Lines,
    odd: NDArray[np.bool_],
    separator: str,
    fields: int,
    *,
    final: bool,
) -> Records:
    """Look at odd lines one by one: leave out blank ones, refuse or rewrite the rest.

    Parameters
    ----------
    text : bytes
        Whole lines.
    starts, ends : ndarray of int64
        Where each line starts, and its line feed.
    odd : ndarray of bool
        The lines to look at; the others are records.
    separator, fields, final
        As for :func:`basketwise.etl.raw.record_splitting.split_records`.
    """
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


def with_line_feeds(
    text: bytes,
    starts: Lines,
    ends: Lines,
    odd: NDArray[np.bool_],
    separator: str,
    fields: int,
) -> bytes:
    """End records of old Macs by line feeds, as where files with different ends were put together.

    Odd lines are looked at that have the separators of two records or more, and carriage returns
    between them. Empty if there is none; otherwise the text has as many bytes as before.
    """
    pieces, after = [], 0
    for number in np.flatnonzero(odd).tolist():
        line = text[starts[number] : ends[number]].rstrip(b"\r")
        if b"\r" in line and line.count(separator.encode()) >= 2 * (fields - 1):
            pieces += [text[after : starts[number]], line.replace(b"\r", b"\n")]
            after = starts[number] + len(line)
    return b"".join([*pieces, text[after:]]) if pieces else b""


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

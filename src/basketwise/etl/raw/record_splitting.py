"""The records of a CSV's text: one well-formed record a line, the others refused with a reason.

A parser that is asked for a few columns does not count fields, and one that meets a stray quote
swallows the lines up to the next. So records are told apart here, before anything is parsed: each
line that is not blank is a record, with as many fields as the header, each of them quoted whole or
not at all. What is handed on to the parser is that and nothing else, so the number of records that
it gives back proves that none was lost.
"""

from __future__ import annotations

import numpy as np

from basketwise.etl.raw.odd_records import judged, with_line_feeds
from basketwise.etl.raw.records import Records
from basketwise.etl.raw.text_marks import (
    LF,
    even_lines,
    has_blanks,
    per_line,
    plain_blanks,
    quoted_whole,
    quotes,
    wide_blanks,
)

PIECE = 120_000
"""Bytes that are checked at once: arrays of this size stay in the processor's cache, and are made
of memory that the C library has at hand: larger ones it asks the system for, each time anew."""


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
    has_quotes = b'"' in text
    lines = even_lines(text, separator.encode(), fields)
    if lines and (not has_quotes or quoted_whole(array, ord(separator))):
        edges = has_blanks if has_quotes or b"\r" in text else plain_blanks
        blanks = edges(array, ord(separator)) or wide_blanks(text)
        return Records(text, None, lines, height=lines, blanks=blanks)
    ends = np.flatnonzero(array == LF)
    starts = np.concatenate(([0], ends[:-1] + 1))
    separators = (array == ord(separator)).view(np.uint8)
    counts = per_line(separators, starts)
    odd = np.zeros(len(ends), np.bool_)
    if has_quotes:
        odd, quoted = quotes(array, separators, starts, ord(separator))
        counts -= quoted
    odd |= counts != fields - 1
    if not odd.any():
        return Records(text, None, len(ends), height=len(ends))
    if b"\r" in text and (ended := with_line_feeds(text, starts, ends, odd, separator, fields)):
        records = _split(ended, separator, fields, final=final)
        if records.lines is None:
            # It is not the text that was handed in.
            records.lines = np.arange(records.height)
        return records
    return judged(text, starts, ends, odd, separator, fields, final=final)

"""Where the values of a body stand, if all of its lines are written alike.

No parser is asked. The colons show where values start; the text between two values must be, byte by
byte, what stands there the first time, which is matched as JSON. So each byte of the body is either
known to be right, or one of a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from basketwise.arrays import Counts
from basketwise.serving.http.bounds import MAX_COLUMNS

TEXT, NUMBER, NULL, _LIST = 1, 2, 3, 4
"""Kinds of values, by their first characters."""

_KINDS = np.zeros(256, dtype=np.uint8)
_KINDS[ord('"')] = TEXT
_KINDS[list(b"-0123456789")] = NUMBER
_KINDS[ord("n")] = NULL
_KINDS[ord("[")] = _LIST

_HEAD = 2**16
"""Bytes in which a line is looked for that shows the columns."""

_COLON, _QUOTE, _SPACE = ord(":"), ord('"'), ord(" ")
_VALUE = re.compile(rb'"[^"]*"|[^\s",:\[\]{}]+')
_BLANKS = b" \t\n\r"

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Values:
    """Values of the same place: where they start and end, and their kinds, one entry each."""

    starts: Counts
    ends: Counts
    kinds: Bytes


@dataclass(frozen=True)
class Spans:
    """Where the values of a body are: those of all lines by column, and the ids of the baskets.

    ``heights`` are the numbers of lines of the baskets, at least 1.
    """

    columns: dict[str, Values]
    ids: Values
    heights: Counts


def find_spans(body: bytes) -> Spans | None:
    """Find the values of ``{"baskets": [{"basket_id": …, "lines": [{column: value, …}]}]}``.

    Parameters
    ----------
    body : bytes
        The text.

    Returns
    -------
    Spans or None
        None if the lines do not all have the same columns in the same order, written with the same
        blanks, or if the text is no such document. A value of kind :data:`TEXT` has quotes around
        it and none within, no control character, and is Unicode, but its escapes may be wrong; one
        of kind :data:`NULL` is null; one of kind :data:`NUMBER` starts as a number does.
    """
    names = _columns(body)
    if not names or not _is_unicode(body):
        return None
    text = np.frombuffer(body, dtype=np.uint8)
    colons = np.flatnonzero(text == _COLON)
    of_keys = text[colons - 1] == _QUOTE
    colons = colons if of_keys.all() else colons[of_keys]
    if len(colons) < 3 + len(names) or colons[-1] + 2 >= len(text):
        return None
    starts = colons + (2 if text[colons[0] + 1] == _SPACE else 1)
    kinds = _KINDS.take(text.take(starts))
    lists = np.flatnonzero(kinds == _LIST)
    # baskets: [ basket_id: …, lines: [ … ], basket_id: …, lines: [ … ] ]
    if not kinds.all() or len(lists) < 2 or lists[0] != 0 or lists[1] != 2:
        return None
    opened = lists[1:]
    heights, rest = np.divmod(np.diff(opened, append=len(kinds) + 1) - 2, len(names))
    if rest.any() or not heights.all():
        return None
    of_line = np.ones(len(kinds), dtype=bool)
    of_line[0] = of_line[opened] = of_line[opened - 1] = False
    # One row a column: each is looked at as a whole.
    own = np.ascontiguousarray(starts[of_line].reshape(-1, len(names)).T)
    try:
        ends, ids = _ends(body, names, own, starts[0], starts[opened - 1], starts[opened], heights)
    except _OtherShapeError:
        return None
    own_kinds = np.ascontiguousarray(kinds[of_line].reshape(-1, len(names)).T)
    lines = Values(own, ends, own_kinds)
    keys = Values(starts[opened - 1], ids, kinds[opened - 1])
    # Two of each key, and two of each text: none is within.
    quotes = 2 * (len(kinds) + np.count_nonzero(kinds == TEXT))
    if np.count_nonzero(text == _QUOTE) != quotes or not (
        _are_quoted(text, lines) and _are_quoted(text, keys) and _are_null(body, lines)
    ):
        return None
    columns = dict(zip(names, map(Values, own, ends, own_kinds), strict=True))
    return Spans(columns, keys, heights)


def _columns(body: bytes) -> list[str]:
    """Return the columns of the first line; none if it does not lie within the first bytes."""
    try:
        baskets = from_json(body[:_HEAD], allow_partial=True)["baskets"]
        lines = baskets[0]["lines"]
        whole = len(lines) > 1 or len(baskets) > 1
        return (
            list(lines[0]) if whole and 0 < len(lines[0]) <= MAX_COLUMNS and all(lines[0]) else []
        )
    except (ValueError, LookupError, TypeError):
        return []


def _is_unicode(body: bytes) -> bool:
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False


class _OtherShapeError(Exception):
    """Something stands between values that should not."""


def _ends(
    body: bytes,
    names: list[str],
    own: Counts,
    first: int,
    ids: Counts,
    opened: Counts,
    heights: Counts,
) -> tuple[Counts, Counts]:
    """Return where the values of lines end, and those of ids.

    Parameters are where values start: of lines, one row a column; of all baskets, which is first;
    of the ids, and of the lists of lines.
    """
    final = _VALUE.match(body, own[-1, -1])
    if final is None:
        raise _OtherShapeError
    gaps = _Gaps(body)
    gaps.match(body[:first], b"{", "baskets")
    gaps.match(body[final.end() :], b"}]}]}")
    ends = np.empty_like(own)
    gaps.open(np.array([first]), ids[:1], "basket_id")
    of_ids = gaps.ends(ids, opened, b",", "lines")
    lasts = np.cumsum(heights) - 1
    gaps.open(opened, own[0][lasts + 1 - heights], names[0])
    for number, name in enumerate(names[1:], start=1):
        ends[number - 1] = gaps.ends(own[number - 1], own[number], b",", name)
    ends[-1, -1] = final.end()
    ends[-1, lasts[:-1]] = gaps.ends(own[-1, lasts[:-1]], ids[1:], b"}]},{", "basket_id")
    others = np.delete(np.arange(own.shape[1]), lasts)
    ends[-1, others] = gaps.ends(own[-1, others], own[0, others + 1], b"},{", names[0])
    if gaps.controls != _controls(body):
        # One is within a value.
        raise _OtherShapeError
    return ends, of_ids


class _Gaps:
    """What stands between values; counts its control characters.

    Raises
    ------
    _OtherShapeError
        In all methods, if it is anything but marks, the key that is due, and its colon.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.controls = 0

    def match(self, text: bytes, marks: bytes, key: str = "", times: int = 1) -> None:
        """Compare a text that stands there so many times."""
        name = f'"{key}":'.encode() if key else b""
        before = text.removesuffix(b" ").removesuffix(name)
        if before.translate(None, _BLANKS) != marks or not text.removesuffix(b" ").endswith(name):
            raise _OtherShapeError
        self.controls += times * _controls(text)

    def open(self, starts: Counts, nexts: Counts, key: str) -> None:
        """Look at the brackets between where lists start and the first values within."""
        text = self._body[starts[0] : nexts[0]]
        self.match(text, b"[{", key, len(starts))
        if (self._places_before(starts, nexts, text) > starts).any():
            raise _OtherShapeError

    def ends(self, starts: Counts, nexts: Counts, marks: bytes, key: str) -> Counts:
        """Return where values end, from where they and the next ones start."""
        if not starts.size:
            return starts
        first = _VALUE.match(self._body, starts[0])
        text = self._body[first.end() if first else starts[0] : nexts[0]]
        self.match(text, marks, key, len(starts))
        return self._places_before(starts, nexts, text)

    def _places_before(self, starts: Counts, nexts: Counts, text: bytes) -> Counts:
        """Return where a text starts that has to stand before ``nexts``, and after ``starts``."""
        size = len(text)
        places = nexts - size
        # All texts of this length, at any place, without a copy of the body.
        windows = np.ndarray(len(self._body) - size + 1, f"V{size}", self._body, strides=(1,))
        if (places < starts).any() or windows[places].tobytes() != text * len(nexts):
            raise _OtherShapeError
        return places


def _are_quoted(text: Bytes, values: Values) -> bool:
    """Whether what starts as a text ends as one."""
    lasts = values.ends - 1
    quoted = (text[lasts] == _QUOTE) & (lasts > values.starts)
    return bool((quoted | (values.kinds != TEXT)).all())


def _are_null(body: bytes, values: Values) -> bool:
    """Whether what looks like null is."""
    nulls = values.kinds == NULL
    if not nulls.any():
        return True
    starts = values.starts[nulls]
    windows = np.ndarray(len(body) - 3, "S4", body, strides=(1,))
    return bool((values.ends[nulls] == starts + 4).all() and (windows[starts] == b"null").all())


def _controls(text: bytes) -> int:
    codes = np.frombuffer(text, dtype=np.uint8)
    return int(np.count_nonzero(codes < _SPACE)) if text and codes.min() < _SPACE else 0

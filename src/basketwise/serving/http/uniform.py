"""Many lines of one shape, read as a frame at once: the same as line by line, in half its time.

Polars reads the text; but it takes flags for numbers, the first of two values of one name, and
leaves out what its schema does not name. So the shape of all lines is found first, by the character
that each value begins with, and what is not of it is left to
:func:`basketwise.serving.http.lines.read_lines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError
from pydantic_core import from_json

from basketwise.model.compiled.plain import EXACT
from basketwise.schema import AMOUNTS, BASKET_ID, READ_COLUMNS, Kind
from basketwise.serving.http.bounds import MAX_COLUMNS, MAX_ID, MAX_TEXT
from basketwise.serving.http.lines import Names

LEAST = 100_000
"""Bytes of a body from which on it is worth while."""

_HEAD = 2**16
"""Bytes in which a line is looked for that shows the columns."""

_TEXT, _NUMBER, _NULL, _LIST = 1, 2, 3, 4
_KINDS = np.zeros(256, dtype=np.uint8)
_KINDS[ord('"')] = _TEXT
_KINDS[list(b"-0123456789")] = _NUMBER
_KINDS[ord("n")] = _NULL
_KINDS[ord("[")] = _LIST

_COLUMN_KINDS = {column.name: column.kind for column in READ_COLUMNS}


@dataclass(frozen=True)
class Uniform:
    """Baskets whose lines are of one shape.

    Attributes
    ----------
    keys
        Their ids as they were sent.
    heights
        Their numbers of lines.
    frame
        One row per line: text and numbers by column in capitals, and BASKET_ID.
    """

    keys: list[str | int]
    heights: list[int]
    frame: pl.DataFrame


@dataclass(frozen=True)
class _Shape:
    """What the values of a body are; ``columns`` and ``nulls`` have one entry per column."""

    columns: list[type[pl.DataType]]
    nulls: list[int]
    heights: list[int]
    keys: list[bytes]
    """What follows the colon of each basket's id."""


def read_uniform(body: bytes, names: Names) -> Uniform | None:
    """Read ``{"baskets": [{"basket_id": …, "lines": [{column: value, …}]}]}``.

    Parameters
    ----------
    body : bytes
        The text.
    names : Names
        The columns that are read.

    Returns
    -------
    Uniform or None
        None if the lines are not all objects with the same columns, each of texts or of numbers
        alone, or anything is to be refused.
    """
    if b"\\" in body and (b"\\ud" in body or b"\\uD" in body):
        # Polars makes another character of half of one.
        return None
    given = _columns(body)
    shape = _shape(body, len(given)) if given else None
    if shape is None:
        return None
    known = {column: name for column in given if (name := names.of(column)) is not None}
    if len(set(known.values())) < len(known):
        return None
    baskets = _baskets(body, dict(zip(given, shape.columns, strict=True)))
    if baskets is None or baskets["lines"].list.len().to_list() != shape.heights:
        return None
    keys = _keys(baskets["basket_id"].to_list(), shape.keys)
    lines = baskets.select("basket_id", "lines").explode("lines")
    values = lines["lines"].struct.unnest()
    # As many values in each column as in each place of the lines: there are no other names.
    if keys is None or [column.null_count() for column in values] != shape.nulls:
        return None
    own = lines["basket_id"].alias(BASKET_ID)
    columns = [_typed(values[column].alias(name)) for column, name in known.items()]
    typed = {column.name: column for column in columns if column is not None}
    if len(typed) < len(known) or not _of_one_kind(typed.values()):
        return None
    if not typed.get(BASKET_ID, own).equals(own):
        return None
    return Uniform(keys, shape.heights, pl.DataFrame([*(typed | {BASKET_ID: own}).values()]))


def _columns(body: bytes) -> list[str]:
    """Return the columns of the first line; none if it does not lie within the first bytes."""
    try:
        baskets = from_json(body[:_HEAD], allow_partial=True)["baskets"]
        lines = baskets[0]["lines"]
        whole = len(lines) > 1 or len(baskets) > 1
        return list(lines[0]) if whole and 0 < len(lines[0]) <= MAX_COLUMNS else []
    except (ValueError, LookupError, TypeError):
        return []


def _shape(body: bytes, width: int) -> _Shape | None:
    """Tell the values of a body by their first characters, in the order of their colons."""
    text = np.frombuffer(body, dtype=np.uint8)
    colons = np.flatnonzero(text == ord(":"))
    if len(colons) < 2 + width or colons[-1] + 2 >= len(text):
        return None
    first = text[colons + 1]
    spaced = first == ord(" ")
    first[spaced] = text[colons[spaced] + 2]
    kinds = _KINDS[first]
    # baskets: [ basket_id: …, lines: [ … ], basket_id: …, lines: [ … ] ]
    lists = np.flatnonzero(kinds == _LIST)
    if not kinds.all() or len(lists) < 2 or lists[0] != 0 or lists[1] != 2:
        return None
    starts = lists[1:]
    heights, rest = np.divmod(np.diff(starts, append=len(kinds) + 1) - 2, width)
    if rest.any() or not heights.all() or (kinds[starts - 1] == _NULL).any():
        return None
    of_line = np.ones(len(kinds), dtype=bool)
    of_line[[0, *starts, *(starts - 1)]] = False
    lines = kinds[of_line].reshape(-1, width)
    texts, numbers = (lines == _TEXT).any(axis=0), (lines == _NUMBER).any(axis=0)
    if (texts & numbers).any():
        return None
    return _Shape(
        [pl.Float64 if number else pl.String for number in numbers],
        (lines == _NULL).sum(axis=0).tolist(),
        heights.tolist(),
        [body[at + 1 : at + 2 * MAX_ID] for at in colons[starts - 1]],
    )


def _baskets(body: bytes, columns: dict[str, type[pl.DataType]]) -> pl.DataFrame | None:
    """Read the baskets; None if there is something else, or what is no JSON."""
    line = pl.Struct(columns)
    basket = pl.Struct({"basket_id": pl.String, "lines": pl.List(line)})
    try:
        frame = pl.read_json(body, schema={"baskets": pl.List(basket)})
    except (PolarsError, PanicException):
        return None
    if frame.height != 1 or frame["baskets"].null_count():
        return None
    baskets = frame["baskets"].explode()
    return None if baskets.null_count() else baskets.struct.unnest()


def _keys(texts: list[str | None], written: Sequence[bytes]) -> list[str | int] | None:
    """Return the ids as they were sent; None if they are not all texts, or all whole numbers."""
    keys: list[Any] = texts
    if not written[0].lstrip().startswith(b'"'):
        numbers = [text.partition(b",")[0].strip() for text in written]
        if numbers != [str(text).encode() for text in texts]:
            return None
        if not all(number.lstrip(b"-").isdigit() for number in numbers):
            return None
        keys = [int(number) for number in numbers]
    elif not all(text.lstrip().startswith(b'"') for text in written):
        return None
    if any(text is None or not text.strip() or len(text) > MAX_ID for text in texts):
        return None
    return keys if len({str(key).strip() for key in keys}) == len(keys) else None


def _typed(column: pl.Series) -> pl.Series | None:
    """Return a column as it is read line by line; None if a value is to be refused."""
    if column.dtype == pl.String:
        return None if (column.str.len_chars() > MAX_TEXT).any() else column
    if not (column.abs() <= EXACT).all():
        return None
    kind = _COLUMN_KINDS.get(column.name, Kind.TEXT)
    if kind is Kind.NUMBER:
        return column
    whole = column.cast(pl.Int64)
    if (whole != column).any():
        return None
    return whole if kind is Kind.INTEGER else whole.cast(pl.String)


def _of_one_kind(columns: Iterable[pl.Series]) -> bool:
    """Whether amounts are all text or all numbers: one text tells how another's comma is meant."""
    amounts = [column for column in columns if column.name in AMOUNTS]
    return len({column.dtype for column in amounts}) < 2

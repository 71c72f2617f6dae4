"""Many lines that are written alike, read as columns: the same as one by one, but sooner.

Where the values stand, :mod:`basketwise.serving.http.spans` finds out. What is not plain is left to
:func:`basketwise.serving.http.lines.read_lines`, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from basketwise.model.compiled.plain import EXACT
from basketwise.schema import AMOUNTS, BASKET_ID, KINDS, Kind
from basketwise.serving.http.bounds import MAX_ID, MAX_TEXT
from basketwise.serving.http.lines import Names
from basketwise.serving.http.pieces import NotPlainError, Pieces
from basketwise.serving.http.spans import Values, find_spans

LEAST = 100_000
"""Bytes of a body from which on it is worth while."""


@dataclass(frozen=True)
class Uniform:
    """Baskets whose lines are written alike.

    Attributes
    ----------
    keys
        Their ids as they were sent.
    heights
        Their numbers of lines.
    frame
        One row per line: text and numbers by column in capitals, and BASKET_ID.
    blanks
        Whether texts of it may be empty, or have blanks around them.
    """

    keys: list[str | int]
    heights: list[int]
    frame: pl.DataFrame
    blanks: bool


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
    spans = find_spans(body)
    if spans is None:
        return None
    known = {column: name for column in spans.columns if (name := names.of(column)) is not None}
    if len(set(known.values())) < len(known):
        return None
    columns: dict[str, pl.Series] = {}
    try:
        pieces = Pieces(body)
        keys, texts = pieces.ids(spans.ids)
        for column, values in spans.columns.items():
            name = known.get(column)
            if name is None:
                pieces.check(values)
            else:
                columns[name] = _typed(pieces.column(values).alias(name), values)
    except NotPlainError:
        return None
    if not _are_ids(texts) or not _of_one_kind(columns.values()):
        return None
    baskets = np.repeat(np.arange(len(keys)), spans.heights)
    own = pl.Series(BASKET_ID, texts, dtype=pl.String).gather(pl.Series(baskets))
    if not columns.get(BASKET_ID, own).equals(own):
        return None
    frame = pl.DataFrame([*(columns | {BASKET_ID: own}).values()])
    return Uniform(keys, spans.heights.tolist(), frame, pieces.blanks)


def _are_ids(texts: list[str]) -> bool:
    """Whether none is empty, too long, or there twice."""
    plain = {text.strip() for text in texts}
    return len(plain) == len(texts) and "" not in plain and max(map(len, texts)) <= MAX_ID


def _typed(column: pl.Series, values: Values) -> pl.Series:
    """Return a column as it is read line by line.

    Raises
    ------
    NotPlainError
        If a value is to be refused, or loses something.
    """
    if column.dtype == pl.String:
        long = (values.ends - values.starts).max() > MAX_TEXT
        if long and (column.str.len_chars() > MAX_TEXT).any():
            raise NotPlainError
        return column
    kind, whole = KINDS.get(column.name, Kind.TEXT), column
    if column.dtype == pl.Float64:
        if not (column.abs() <= EXACT).all():
            raise NotPlainError
        if kind is Kind.NUMBER:
            # A zero has no sign where lines are read one by one.
            return column + 0.0
        whole = column.cast(pl.Int64)
        if (whole != column).any():
            raise NotPlainError
    if kind is Kind.NUMBER:
        return column.cast(pl.Float64)
    return whole if kind is Kind.INTEGER else whole.cast(pl.String)


def _of_one_kind(columns: Iterable[pl.Series]) -> bool:
    """Whether amounts are all text or all numbers: one text tells how another's comma is meant."""
    amounts = [column for column in columns if column.name in AMOUNTS]
    return len({column.dtype for column in amounts}) < 2

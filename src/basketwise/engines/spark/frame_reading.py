"""Raw lines of a frame: what is read of it, and what reads its batches in a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from basketwise.engines.spark.frames import Batches, empty_frame, gathered
from basketwise.engines.spark.reading import Piece
from basketwise.errors import InputError
from basketwise.etl.lines.cleaning import clean
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.stored_types import as_whole, numbers_as_text, refuse_rounded
from basketwise.etl.raw.header import check_columns, standard_names
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.schema import KINDS, READ_NAMES, ROW

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE = "table"
"""What errors call a frame that has no name."""

_TEXTS = {name for name, kind in KINDS.items() if kind.is_text}


@dataclass(frozen=True)
class FrameReader:
    """Reads the batches of :attr:`Lines.frame`.

    ``columns`` are the retailer's own names of its columns. ``as_text`` are those of codes that are
    numbers with fractions somewhere in the frame: which no batch can tell for the others. ``name``
    is what the frame is called.
    """

    columns: tuple[str, ...]
    as_text: frozenset[str] = frozenset()
    name: str = TABLE

    def __call__(self, batches: Batches) -> Iterator[Piece]:
        """Yield some batches at a time."""
        for number, frame in enumerate(gathered(batches)):
            frame.columns = list(self.columns)
            texts = [numbers_as_text(frame[name]) for name in sorted(self.as_text)]
            frame = frame.with_columns(texts)
            # A line of a frame has no number.
            rows = pl.Series(ROW, [0], pl.UInt32).new_from_index(0, frame.height)
            yield Piece(0, number, self.name, RawFrame(frame, rows))


def as_numbers(frame: pl.DataFrame, rules: Rules) -> dict[str, str]:
    """Give the columns of codes that came as floats or decimals their standard names."""
    names = standard_names(frame.columns, rules.columns)
    return {
        own: ours
        for own, ours in zip(frame.columns, names, strict=True)
        if ours in _TEXTS and (frame[own].dtype.is_float() or frame[own].dtype.is_decimal())
    }


def with_fractions(frame: pl.DataFrame, rules: Rules, source: str) -> list[str]:
    """Name the columns of codes that came as numbers, of which one at least has a fraction.

    Raises
    ------
    InputError
        If there are numbers that have lost digits: once they are text, cleaning cannot tell.
    """
    own_names = as_numbers(frame, rules)
    for own, ours in own_names.items():
        if frame[own].dtype.is_float():
            refuse_rounded(frame[own].alias(ours), source)
    return [own for own in own_names if as_whole(frame[own]) is None]


class Lines(NamedTuple):
    """What is read of a frame of raw lines.

    The columns of ``frame`` have names that mean nothing: a retailer's own may have blanks around
    them, dots, or another column's letters in another case, and no server takes all of these.
    ``empty`` has the own names, the types, and no lines.
    """

    frame: DataFrame
    empty: pl.DataFrame

    @property
    def reader(self) -> FrameReader:
        """What reads the frame in a task."""
        return FrameReader(tuple(self.empty.columns))


def lines_of(frame: DataFrame, rules: Rules) -> Lines:
    """Select what is read of a frame of raw lines.

    Raises
    ------
    InputError
        If it lacks a required column, or has one of a type that no raw line has.
    """
    given = frame.columns
    names = standard_names(given, rules.columns)
    check_columns(TABLE, names, labelled=rules.labelled, columns=rules.columns, given=given)
    known = [number for number, name in enumerate(names) if name in READ_NAMES]
    numbered = frame.toDF(*(f"c{number}" for number in range(len(given))))
    lines = numbered.selectExpr(*(f"c{number}" for number in known))
    empty = empty_frame(lines)
    for number, (name, kind) in zip(known, lines.dtypes, strict=True):
        if empty.schema[name].is_nested():
            raise InputError(
                f"{TABLE!r} has the column {names[number]} as {kind}.",
                "Each line needs one text or one number there.",
            )
    empty.columns = [given[number] for number in known]
    clean(empty, rules, source=TABLE)
    return Lines(lines, empty)

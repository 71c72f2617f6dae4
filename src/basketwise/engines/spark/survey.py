"""What all lines together decide, found out before any basket is scored.

Most rules judge a line by itself, some a basket. Four things need all lines, and no partition may
answer them for itself:

- the decimal mark and the format of dates, if text has to be read. Each partition names a few
  values that decide for all of it (:mod:`basketwise.etl.lines.witnesses`); the driver judges these
  by the code that judges a table. Of files, the beginnings of eight are looked at first, and the
  others only if that leaves something open, in their order: as on one machine, see
  :func:`basketwise.etl.lines.layout.settle_sources`.
- whether every QUANTITY is 1, so that equal lines are pieces (``etl.duplicates``);
- whether every basket id is a whole number, which is the type of ``basket_id``;
- whether a column of codes has numbers with fractions: of these, all are text as they stand.

The last three, and the refused lines by reason, take one pass in which every line is cleaned, and
each partition leaves one document. No line gets to the driver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import polars as pl

from basketwise.config import DataConfig
from basketwise.engines.spark.frame_reading import (
    FrameReader,
    Lines,
    lines_of,
    with_fractions,
)
from basketwise.engines.spark.frames import Batches, documents
from basketwise.engines.spark.reading import (
    FileReader,
    Files,
    Piece,
    Reader,
    beginnings,
)
from basketwise.engines.spark.tally import Tally, cleaned, shown
from basketwise.errors import InputError
from basketwise.etl.lines.evidence import Evidence
from basketwise.etl.lines.layout import Looks, settle_frame, settle_looks, spaced, unglimpsed
from basketwise.etl.lines.reasons import none_usable
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.witnesses import witnesses
from basketwise.etl.raw.formats import format_of
from basketwise.etl.raw.raw_frame import RawFrame, row_numbers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Surveyed:
    """Raw lines, and all that is needed to clean each part of them alike.

    Attributes
    ----------
    frame, reader
        The lines, and what reads them in a task.
    rules
        How they are judged; nothing is left open.
    whole_ids
        Whether every accepted line's BASKET_ID is a whole number.
    lines
        Number of lines read.
    rejected
        Lines that are refused for themselves, by reason; what is wrong with a basket's lines
        together is not known yet.
    """

    frame: DataFrame
    reader: Reader
    rules: Rules
    whole_ids: bool
    lines: int
    rejected: Counter[str]


def survey_frame(frame: DataFrame, rules: Rules) -> Surveyed:
    """Survey a Spark frame of raw lines; it is read twice, or once if no text has to be judged.

    Raises
    ------
    InputError
        If it lacks a required column, or none of its lines can be used.
    """
    lines = lines_of(frame, rules)
    return _survey(lines.frame, lines.reader, settled_frame(lines, rules))


def settled_frame(lines: Lines, rules: Rules) -> Rules:
    """Settle what the rules leave open by the lines of a frame."""
    if not witnesses(lines.empty, rules).width:
        return rules
    named = list(all_witnesses(lines.frame, lines.reader, rules, apart=False))
    # A frame has one table, of which all values count.
    found = pl.concat([raw.frame for raw in named], how="diagonal") if named else lines.empty
    return settle_frame(found, rules)


def survey_files(files: Files, rules: Rules, data: DataConfig) -> Surveyed:
    """Survey raw files; errors are those of :func:`survey_frame` and of reading them."""
    reader = FileReader(files.paths, data)
    return _survey(files.contents, reader, settled_files(files, reader, rules))


def settled_files(files: Files, reader: FileReader, rules: Rules) -> Rules:
    """Settle what the rules leave open by raw files; nearly always by their beginnings."""
    beginning = replace(reader, first=True)
    looks = Looks(
        first=all_witnesses(beginnings(files, spaced(files.paths, _kind)), beginning, rules),
        others=all_witnesses(beginnings(files, unglimpsed(files.paths, _kind)), beginning, rules),
        more=all_witnesses(files.contents, reader, rules),
        tables=named_witnesses(files.contents, reader, rules),
    )
    return settle_looks(Evidence(rules), looks)


def _kind(path: str) -> str:
    found = format_of(PurePath(path).name)
    return found.kind if found else ""


def all_witnesses(
    frame: DataFrame, reader: Reader, rules: Rules, *, apart: bool = True
) -> Iterator[RawFrame]:
    """Give the witnesses of all lines, once the first are asked for.

    ``apart``: of each piece, in order; else of each partition as a whole.
    """
    for piece in _witnesses(frame, reader, rules, apart=apart):
        yield piece.raw


def named_witnesses(
    frame: DataFrame, reader: Reader, rules: Rules
) -> Iterator[tuple[str, RawFrame]]:
    """Give the witnesses of all lines with their tables' names, once the first are asked for."""
    for piece in _witnesses(frame, reader, rules, apart=True):
        yield shown(piece.source), piece.raw


def _witnesses(frame: DataFrame, reader: Reader, rules: Rules, *, apart: bool) -> list[Piece]:
    """Collect witnesses: of each piece, in order, or of each partition as a whole."""
    found = collected(frame, partial(_name_witnesses, reader, rules, apart))
    pieces = []
    for document in found:
        columns = {name: pl.Series(name, v, pl.String) for name, v in document["columns"].items()}
        raw = RawFrame(
            pl.DataFrame(columns), row_numbers(0), decimal_comma=document["decimal_comma"]
        )
        pieces.append(Piece(document["table"], document["number"], document["source"], raw))
    return sorted(pieces, key=lambda piece: (piece.table, piece.number))


def _name_witnesses(
    reader: Reader, rules: Rules, apart: bool, batches: Batches
) -> Iterator[dict[str, Any]]:
    gathered: list[pl.DataFrame] = []
    for piece in reader(batches):
        chosen = witnesses(piece.raw.frame, rules)
        if apart:
            yield _named(chosen, piece)
        else:
            gathered = [witnesses(pl.concat([*gathered, chosen]), rules)]
    for chosen in gathered:
        yield _named(chosen, None)


def _named(chosen: pl.DataFrame, piece: Piece | None) -> dict[str, Any]:
    return {
        "table": piece.table if piece else 0,
        "number": piece.number if piece else 0,
        "source": piece.source if piece else "",
        "decimal_comma": bool(piece and piece.raw.decimal_comma),
        "columns": chosen.to_dict(as_series=False),
    }


def _survey(frame: DataFrame, reader: Reader, rules: Rules) -> Surveyed:
    """Clean every line once, and add up what the partitions tell."""
    tally, fractions = Tally(), set[str]()
    for document in collected(frame, partial(_count, reader, rules)):
        tally.add(document)
        fractions.update(document["fractions"])
    if tally.rejected.total() == tally.lines:
        raise none_usable(tally.lines, dict(sorted(tally.rejected.items())))
    if isinstance(reader, FrameReader):
        reader = replace(reader, as_text=frozenset(fractions))
    settled = tally.settled(rules)
    return Surveyed(frame, reader, settled, tally.whole_ids, tally.lines, tally.rejected)


def _count(reader: Reader, rules: Rules, batches: Batches) -> Iterator[dict[str, Any]]:
    tally, fractions = Tally(), set[str]()
    for piece in reader(batches):
        if isinstance(reader, FrameReader):
            fractions.update(with_fractions(piece.raw.frame, rules, piece.source))
        tally.take(piece, cleaned(piece, rules))
    yield tally.document() | {"fractions": sorted(fractions)}


def collected(frame: DataFrame, function: Any) -> list[dict[str, Any]]:
    """Collect documents; an InputError of a task is raised here as it was there."""
    told = documents(frame, partial(_with_errors, function))
    raise_errors(told)
    return told


def raise_errors(told: Iterable[dict[str, Any]]) -> None:
    """Raise the InputError that a task had, if one did."""
    errors = [document["error"] for document in told if "error" in document]
    for headline, hint in sorted(errors):
        raise InputError(headline, hint)


def _with_errors(function: Any, batches: Batches) -> Iterator[dict[str, Any]]:
    try:
        yield from function(batches)
    except InputError as error:
        yield {"error": [error.headline, error.hint]}

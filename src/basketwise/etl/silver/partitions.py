"""Clean lines on disk, one Parquet folder a week; refused lines beside them, each with its reason.

Raw files come in any cut: a week in several files, several weeks in one. So every frame that was
read is first *landed* in its weeks' folders, then each week is *settled* once, when all its parts
are there: lines given twice and baskets that contradict themselves show only then. Every line keeps
the file and the row it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from basketwise.disk import write_parquet
from basketwise.etl.lines.cleaned import Cleaned, none_rejected
from basketwise.etl.lines.cleaning import settle
from basketwise.etl.lines.order import ordered
from basketwise.etl.lines.repeats import negative, only_pieces
from basketwise.etl.lines.rules import Rules
from basketwise.etl.silver.chunks import LINES
from basketwise.etl.silver.survey import StoredSurvey, stored, survey_week
from basketwise.files import move
from basketwise.schema import BASKET_ID, SHOP_WEEK

REJECTED = "_rejected"
SURVEYED = ".arrow"
"""Of the baskets of a part, beside its lines."""


@dataclass(frozen=True)
class Part:
    """The lines of one week within one frame that was read, stored as silver has them.

    ``integer_ids``: BASKET_ID is Int64 there (else text), so every id is a number that can be
    written out again letter by letter. ``repeats``: a product is in one basket more than once; only
    then can a line be a copy. ``pieces``: every QUANTITY is 1. ``returns``: some line is negative.
    """

    week: int
    path: Path
    integer_ids: bool
    repeats: bool
    pieces: bool
    returns: bool
    survey: StoredSurvey


def land(cleaned: Cleaned, folder: Path, *, number: int, piece: int) -> list[Part]:
    """Write one frame's accepted lines into their weeks' folders, one part a week.

    Lines of one week are taken out of ``cleaned``, see :func:`basketwise.etl.lines.order.ordered`.
    ``number`` (of the table in its list) and ``piece`` (of the frame in the table) give the parts'
    order.
    """
    integer_ids = cleaned.lines.schema[BASKET_ID] == pl.Int64
    parts = []
    for week, lines in _by_week(cleaned.lines):
        path = folder / f"shop_week={week:06d}" / f"{number:06d}-{piece:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        own, repeated, ranks = ordered(lines)
        write_lines(own, path)
        returns = negative(own)
        pieces = only_pieces(own)
        survey = stored(survey_week(own, ranks), path.with_suffix(SURVEYED))
        parts.append(Part(week, path, integer_ids, repeated, pieces, returns, survey))
    return parts


def _by_week(lines: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Part the lines by week; a frame of one week, the common case, is not copied."""
    weeks = lines[SHOP_WEEK].unique().sort()
    for week in weeks:
        yield week, lines if len(weeks) == 1 else lines.filter(pl.col(SHOP_WEEK) == week)


def write_lines(lines: pl.DataFrame, path: Path) -> None:
    """Write one week's lines; lz4 and no statistics, since every reader takes the whole file."""
    write_parquet(lines, path, compression="lz4", statistics=False)


def settle_week(
    parts: list[Part],
    refused_baskets: pl.DataFrame,
    silver: Path,
    *,
    rules: Rules,
    integer_ids: bool,
) -> tuple[StoredSurvey | None, pl.DataFrame]:
    """Combine the parts of one week, reject contradictory lines, and write the partition.

    ``parts`` are in reading order; ``refused_baskets`` come from
    :func:`basketwise.etl.lines.cleaning.contradictions`, with BASKET_ID as in the partitions: Int64
    in all of them, or text. Returns the survey of the partition, whose lines are in canonical order
    (None if nothing is left of it), and the refused lines with ``source``, ``row`` and ``reason``.

    A week that came in one part and has nothing to refuse is in its final form already: its file
    just moves.
    """
    target = silver / parts[0].path.parent.name / LINES
    target.parent.mkdir(parents=True, exist_ok=True)
    first = parts[0]
    may_repeat = rules.duplicates != "keep" and (len(parts) > 1 or first.repeats)
    may_net = rules.returns == "net" and any(part.returns for part in parts)
    dtype = pl.Int64 if integer_ids else pl.String
    ids = pl.col(BASKET_ID).cast(dtype)
    suspect = refused_baskets
    if suspect.height:
        own = [part.survey.baskets(dtype) for part in parts]
        suspect = suspect.join(pl.concat(own).select(BASKET_ID).collect(), on=BASKET_ID, how="semi")
    if (
        len(parts) == 1
        and not may_repeat
        and not may_net
        and suspect.is_empty()
        and first.integer_ids == integer_ids
    ):
        move(first.path, target)
        return first.survey, none_rejected()
    lines = pl.concat([pl.read_parquet(part.path, glob=False).with_columns(ids) for part in parts])
    settled = settle(Cleaned(lines, none_rejected()), rules, suspect)
    for part in parts:
        part.path.unlink()
    if settled.lines.is_empty():
        target.parent.rmdir()
        return None, settled.rejected
    write_lines(settled.lines, target)
    survey = survey_week(settled.lines)
    return stored(survey, first.path.with_suffix(SURVEYED)), settled.rejected

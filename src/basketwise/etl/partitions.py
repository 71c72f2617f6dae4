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

from basketwise.etl.chunks import LINES
from basketwise.etl.cleaning import REASON, whole_numbers
from basketwise.etl.reading import ROW
from basketwise.etl.survey import DISAGREE, Survey, survey_week
from basketwise.files import move
from basketwise.schema import BASKET_ID, COLUMNS, LABEL, PROD_CODE, SHOP_WEEK

SOURCE = "source"
REJECTED = "_rejected"
COLUMN_NAMES = [column.name for column in COLUMNS]
REJECTED_COLUMNS = [SOURCE, ROW, REASON, *COLUMN_NAMES]


@dataclass(frozen=True)
class Part:
    """The lines of one week within one frame that was read, in the form silver has.

    Attributes
    ----------
    week
        SHOP_WEEK of all its lines.
    path
        Where they are landed, sorted by BASKET_ID.
    integer_ids
        Whether BASKET_ID is Int64 there (else text): every id is a number that can be written out
        again letter by letter.
    repeats
        Whether a product stands in one basket more than once: only then can a line be a copy.
    survey
        Of its lines.
    """

    week: int
    path: Path
    integer_ids: bool
    repeats: bool
    survey: Survey


@dataclass(frozen=True)
class Landing:
    """What one frame left: its parts, and the lines refused at once.

    Attributes
    ----------
    parts
        One a week.
    read
        Lines of the frame.
    rejected
        Refused lines: ``source``, ``row``, ``reason`` and what was read of them.
    """

    parts: list[Part]
    read: int
    rejected: pl.DataFrame


def land(cleaned: pl.DataFrame, folder: Path, *, source: str, number: int, piece: int) -> Landing:
    """Write one cleaned frame's accepted lines into their weeks' folders.

    Parameters
    ----------
    cleaned : DataFrame
        From :func:`basketwise.etl.cleaning.clean`.
    folder : Path
        Landing folder.
    source : str
        Name of the table, kept with each line.
    number, piece : int
        Of the table in its list, of the frame in the table: they give the parts' order.
    """
    traced = cleaned.select(*COLUMN_NAMES, _constant(source), ROW, REASON)
    refused = traced[REASON].is_not_null()
    rejected = traced.filter(refused).select(REJECTED_COLUMNS)
    accepted = (traced.filter(~refused) if rejected.height else traced).drop(REASON)
    whole = whole_numbers(accepted[BASKET_ID])
    if whole:
        accepted = accepted.with_columns(pl.col(BASKET_ID).cast(pl.Int64))
    parts = []
    for week, lines in _by_week(accepted):
        path = folder / f"shop_week={week:06d}" / f"{number:06d}-{piece:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        ordered = lines.sort(BASKET_ID, maintain_order=True)
        write_lines(ordered, path)
        # Equal hashes of unequal pairs would only cost a closer look.
        pairs = ordered[BASKET_ID].hash() ^ ordered[PROD_CODE].hash()
        repeats = pairs.n_unique() < ordered.height
        parts.append(Part(week, path, whole, repeats, survey_week(ordered)))
    return Landing(parts, cleaned.height, rejected)


def _constant(source: str) -> pl.Expr:
    """Name the source in each line; as a category, which costs next to nothing to sort or write."""
    return pl.lit(source).cast(pl.Categorical).alias(SOURCE)


def _by_week(lines: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Part the lines by week; a frame of one week, the common case, is not copied."""
    found = lines[SHOP_WEEK].unique().sort()
    for week in found:
        yield week, lines if len(found) == 1 else lines.filter(pl.col(SHOP_WEEK) == week)


def write_lines(lines: pl.DataFrame, path: Path) -> None:
    """Write one week's lines; lz4 and no statistics, since every reader takes the whole file."""
    lines.write_parquet(path, compression="lz4", statistics=False)


def contradictions(baskets: pl.DataFrame) -> pl.DataFrame:
    """Find the baskets that lie in two weeks or carry two labels.

    Parameters
    ----------
    baskets : DataFrame
        The parts' surveyed baskets below each other; a basket in two parts has two rows.

    Returns
    -------
    DataFrame
        One row per such basket: BASKET_ID, ``reason``.
    """
    return (
        baskets.filter(pl.col(BASKET_ID).is_duplicated() | pl.col(DISAGREE))
        .group_by(BASKET_ID)
        .agg(
            (pl.col(DISAGREE).any() | (pl.col(LABEL).drop_nulls().n_unique() > 1)).alias("labels"),
            (pl.col(SHOP_WEEK).n_unique() > 1).alias("weeks"),
        )
        .filter(pl.col("labels") | pl.col("weeks"))
        .select(
            BASKET_ID,
            pl.when(pl.col("labels"))
            .then(pl.lit("basket_labels_disagree"))
            .otherwise(pl.lit("basket_in_two_weeks"))
            .alias(REASON),
        )
        .sort(BASKET_ID)
    )


def settle_week(
    parts: list[Part],
    refused_baskets: pl.DataFrame,
    silver: Path,
    *,
    keep_duplicates: bool,
    integer_ids: bool,
) -> tuple[Survey | None, pl.DataFrame]:
    """Bring one week's parts together, refuse what contradicts itself, put the partition in place.

    A week that came in one part and holds nothing to refuse is in its final form already: its file
    just moves.

    Parameters
    ----------
    parts : list of Part
        All of one week, in reading order.
    refused_baskets : DataFrame
        From :func:`contradictions`; BASKET_ID as in the partitions.
    silver : Path
        Folder of the partitions.
    keep_duplicates : bool
        Whether a line that repeats an earlier one in every column is accepted.
    integer_ids : bool
        Whether BASKET_ID is Int64 in all partitions (else text).

    Returns
    -------
    survey : Survey or None
        Of the partition, which is sorted by BASKET_ID (order of delivery within a basket); None if
        nothing is left of it.
    rejected : DataFrame
        The refused lines with ``source``, ``row`` and ``reason``.
    """
    target = silver / parts[0].path.parent.name / LINES
    target.parent.mkdir(parents=True, exist_ok=True)
    first = parts[0]
    may_repeat = not keep_duplicates and (len(parts) > 1 or first.repeats)
    suspect = refused_baskets.join(_ids(parts, integer_ids), on=BASKET_ID, how="semi")
    if (
        len(parts) == 1
        and not may_repeat
        and suspect.is_empty()
        and first.integer_ids == integer_ids
    ):
        move(first.path, target)
        return first.survey, _none_rejected()
    lines = pl.concat([_read_part(part, integer_ids) for part in parts])
    reason = _nothing(lines.height)
    if suspect.height:
        reason = lines.join(suspect, on=BASKET_ID, how="left", maintain_order="left")[REASON]
    if may_repeat:
        original = lines.select(pl.struct(COLUMN_NAMES).is_first_distinct()).to_series()
        copied = pl.Series(REASON, ["duplicate_line"]).new_from_index(0, lines.height)
        reason = reason.zip_with(original | reason.is_not_null(), copied)
    refused = reason.is_not_null()
    rejected = lines.with_columns(reason, pl.col(BASKET_ID).cast(pl.String)).filter(refused)
    rejected = rejected.select(REJECTED_COLUMNS)
    for part in parts:
        part.path.unlink()
    accepted = lines.filter(~refused).sort(BASKET_ID, maintain_order=True)
    if accepted.is_empty():
        target.parent.rmdir()
        return None, rejected
    write_lines(accepted, target)
    return survey_week(accepted), rejected


def _ids(parts: list[Part], integer_ids: bool) -> pl.DataFrame:
    dtype = pl.Int64 if integer_ids else pl.String
    return pl.concat([part.survey.baskets.select(pl.col(BASKET_ID).cast(dtype)) for part in parts])


def _read_part(part: Part, integer_ids: bool) -> pl.DataFrame:
    lines = pl.read_parquet(part.path)
    return lines if integer_ids else lines.with_columns(pl.col(BASKET_ID).cast(pl.String))


def _none_rejected() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(REJECTED_COLUMNS, pl.String))


def _nothing(height: int) -> pl.Series:
    return pl.Series(REASON, [None], dtype=pl.String).new_from_index(0, height)

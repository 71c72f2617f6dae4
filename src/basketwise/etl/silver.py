"""Clean lines on disk, one Parquet folder a week; refused lines beside them, each with its reason.

Raw files come in any cut: a week in several files, several weeks in one. So every frame that was
read is first *landed* in its weeks' folders, then each week is *settled* once, when all its parts
are there: lines given twice and baskets that contradict themselves show only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from basketwise.etl.cleaning import REASON, whole_numbers
from basketwise.etl.reading import ROW
from basketwise.schema import BASKET_ID, COLUMNS, LABEL, PROD_CODE, SHOP_WEEK

SOURCE = "source"
REJECTED = "_rejected"
LINES = "lines.parquet"
CHUNK_LINES = 500_000
COLUMN_NAMES = [column.name for column in COLUMNS]


@dataclass(frozen=True)
class Part:
    """The lines of one week within one frame that was read."""

    week: int
    path: Path
    lines: int
    repeats: bool
    """Whether a product stands in one basket more than once: only then can a line be a copy."""


@dataclass(frozen=True)
class Landing:
    """What one frame left: its parts, its baskets, the lines refused at once.

    Attributes
    ----------
    parts
        One a week.
    baskets
        One row per basket, week and label: BASKET_ID (String), SHOP_WEEK (Int32), LABEL (String).
    integer_ids
        Whether all of its basket ids can be kept as Int64 and be written out letter by letter.
    read
        Lines of the frame.
    rejected
        Refused lines: ``source``, ``row``, ``reason`` and what was read of them.
    """

    parts: list[Part]
    baskets: pl.DataFrame
    integer_ids: bool
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
        Name of the table, kept with each line until its week is settled.
    number, piece : int
        Of the table in its list, of the frame in the table: they give the parts' order.
    """
    traced = cleaned.select(
        pl.lit(source).alias(SOURCE), pl.col(ROW).cast(pl.UInt64), REASON, *COLUMN_NAMES
    )
    refused = traced[REASON].is_not_null()
    clean = not refused.any()
    accepted = traced if clean else traced.filter(~refused)
    parts = []
    for (week,), lines in accepted.partition_by(SHOP_WEEK, as_dict=True).items():
        path = folder / f"shop_week={week:06d}" / f"{number:06d}-{piece:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lines(lines.drop(REASON), path)
        repeats = lines.select(BASKET_ID, PROD_CODE).is_duplicated().any()
        parts.append(Part(int(str(week)), path, lines.height, bool(repeats)))
    baskets = accepted.select(BASKET_ID, SHOP_WEEK, LABEL).unique()
    return Landing(
        parts,
        baskets,
        whole_numbers(baskets[BASKET_ID]),
        cleaned.height,
        traced.clear() if clean else traced.filter(refused),
    )


def write_lines(lines: pl.DataFrame, path: Path) -> None:
    """Write one week's lines; lz4 and no statistics, since every reader takes the whole file."""
    lines.write_parquet(path, compression="lz4", statistics=False)


def contradictions(baskets: pl.DataFrame) -> pl.DataFrame:
    """Find the baskets that lie in two weeks or carry two labels.

    Parameters
    ----------
    baskets : DataFrame
        All landings' ``baskets``, below each other.

    Returns
    -------
    DataFrame
        One row per such basket: BASKET_ID, ``reason``.
    """
    distinct = baskets.unique()
    twice = distinct.filter(pl.col(BASKET_ID).is_duplicated())
    return (
        twice.group_by(BASKET_ID)
        .agg(pl.col(LABEL).drop_nulls().n_unique().alias("labels"))
        .select(
            BASKET_ID,
            pl.when(pl.col("labels") > 1)
            .then(pl.lit("basket_labels_disagree"))
            .otherwise(pl.lit("basket_in_two_weeks"))
            .alias(REASON),
        )
        .sort(BASKET_ID)
    )


def settle_week(
    week: int,
    parts: list[Part],
    refused_baskets: pl.DataFrame,
    silver: Path,
    *,
    keep_duplicates: bool,
    integer_ids: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bring one week's parts together, refuse what contradicts itself, write the partition.

    Parameters
    ----------
    week : int
        SHOP_WEEK of all parts.
    parts : list of Part
        In reading order.
    refused_baskets : DataFrame
        From :func:`contradictions`.
    silver : Path
        Folder of the partitions.
    keep_duplicates : bool
        Whether a line that repeats an earlier one in every column is accepted.
    integer_ids : bool
        Whether BASKET_ID is stored as Int64 (else as text).

    Returns
    -------
    accepted, rejected : DataFrame
        The partition's lines sorted by BASKET_ID (order of delivery within a basket), and the
        refused ones with ``source``, ``row`` and ``reason``.
    """
    lines = pl.concat([pl.read_parquet(part.path) for part in parts])
    reason = _nothing(lines.height)
    if refused_baskets.height:
        reason = lines.join(refused_baskets, on=BASKET_ID, how="left", maintain_order="left")[
            REASON
        ]
    may_repeat = len(parts) > 1 or any(part.repeats for part in parts)
    if may_repeat and not keep_duplicates:
        first = lines.select(pl.struct(COLUMN_NAMES).is_first_distinct()).to_series()
        copied = pl.Series(REASON, ["duplicate_line"]).new_from_index(0, lines.height)
        reason = reason.zip_with(first | reason.is_not_null(), copied)
    refused = reason.is_not_null()
    rejected = lines.filter(refused).select(
        SOURCE, ROW, reason.filter(refused).alias(REASON), *COLUMN_NAMES
    )
    accepted = (lines.filter(~refused) if rejected.height else lines).select(COLUMN_NAMES)
    if integer_ids:
        accepted = accepted.with_columns(pl.col(BASKET_ID).cast(pl.Int64))
    accepted = accepted.sort(BASKET_ID, maintain_order=True)
    if accepted.height:
        folder = silver / f"shop_week={week:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        write_lines(accepted, folder / LINES)
    return accepted, rejected


def weeks(silver: Path) -> list[tuple[int, Path]]:
    """List the partitions of a silver folder: week and file, in order of weeks."""
    files = sorted(silver.glob(f"shop_week=*/{LINES}"))
    return [(int(file.parent.name.partition("=")[2]), file) for file in files]


@dataclass(frozen=True)
class Chunk:
    """Some whole weeks' lines.

    Attributes
    ----------
    weeks
        Which, in order.
    lines
        One row per line, the weeks one after the other.
    """

    weeks: tuple[int, ...]
    lines: pl.DataFrame


def read_chunks(
    silver: Path, columns: list[str] | None = None, *, lines: int = CHUNK_LINES
) -> Iterator[Chunk]:
    """Read the partitions in order, some whole weeks at a time.

    Memory holds one partition, or as many small ones as make up ``lines`` lines: a data frame
    library's cost per call would otherwise outweigh the work on a week of a small shop.
    """
    gathered: list[tuple[int, pl.DataFrame]] = []
    height = 0
    for week, path in weeks(silver):
        frame = pl.read_parquet(path, columns=columns)
        if gathered and height + frame.height > lines:
            yield _chunk(gathered)
            gathered, height = [], 0
        gathered.append((week, frame))
        height += frame.height
    if gathered:
        yield _chunk(gathered)


def _chunk(gathered: list[tuple[int, pl.DataFrame]]) -> Chunk:
    return Chunk(tuple(week for week, _ in gathered), pl.concat([frame for _, frame in gathered]))


def _nothing(height: int) -> pl.Series:
    return pl.Series(REASON, [None], dtype=pl.String).new_from_index(0, height)

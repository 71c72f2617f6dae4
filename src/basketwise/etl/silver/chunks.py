"""The partitions read back: whole weeks, as many at a time as make up a good piece of work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np
import polars as pl

from basketwise.schema import BASKET_ID

LINES = "lines.parquet"
CHUNK_LINES = 500_000

Files = list[tuple[int, Path]]
"""Weeks and their files, in the order of weeks, and of basket ids within a week."""


def part_name(part: int) -> str:
    """Name the file of one part of a large week; parts are numbered in the order of basket ids."""
    return f"lines-{part:05d}.parquet"


def weeks(silver: Path) -> Files:
    """List the files of a silver folder: week and file, in order of weeks.

    A large week may be in several files, each with whole baskets: then it is there several times.
    """
    files = sorted(silver.glob("shop_week=*/lines*.parquet"))
    return [(int(file.parent.name.partition("=")[2]), file) for file in files]


@dataclass(frozen=True)
class Chunk:
    """Some whole weeks' lines, one week after the other; or a part of one large week.

    ``partial``: there are baskets of the week in other chunks.
    """

    weeks: tuple[int, ...]
    lines: pl.DataFrame
    partial: bool = False


def read_chunks(
    silver: Path, columns: list[str] | None = None, *, lines: int = CHUNK_LINES
) -> Iterator[Chunk]:
    """Read the partitions in order, some whole weeks at a time.

    Memory contains one partition, or as many small ones as make up ``lines`` lines: a data frame
    library's cost per call would otherwise outweigh the work on a week of a small shop. A larger
    week that is in several files is read file by file.
    """
    for files, partial in chunk_files(silver, lines=lines):
        yield Chunk(weeks_of(files), read_files([path for _, path in files], columns), partial)


def read_files(
    paths: Iterable[Path], columns: list[str] | None = None, *, rows: int | None = None
) -> pl.DataFrame:
    """Read the lines of some files, one after the other; of each the first ``rows``, or all."""
    return pl.concat(
        pl.read_parquet(path, columns=columns, n_rows=rows, glob=False) for path in paths
    )


def whole_baskets(lines: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    """Cut lines, whose baskets come one after the other, into pieces of some ``most`` lines.

    A piece has whole baskets; of no more lines all are one piece.
    """
    if lines.height <= most:
        yield lines
        return
    ends = lines[BASKET_ID].rle().struct.field("len").cum_sum().to_numpy()
    wanted = np.arange(most, lines.height, most)
    cuts = [0, *ends[np.searchsorted(ends, wanted)].tolist(), lines.height]
    # A basket may be longer than a piece.
    for start, end in pairwise(dict.fromkeys(cuts)):
        yield lines[start:end]


def weeks_of(files: Files) -> tuple[int, ...]:
    """Return the different weeks of some files, in their order."""
    return tuple(dict.fromkeys(week for week, _ in files))


def chunk_files(silver: Path, *, lines: int = CHUNK_LINES) -> Iterator[tuple[Files, bool]]:
    """Say which files are read at once, and whether they are a part of a week.

    Only the number of lines of each week decides, not how many files it is in: whatever is made of
    the chunks, and sorted in each, has the same order.
    """
    gathered: Files = []
    height = 0
    for _, group in groupby(weeks(silver), itemgetter(0)):
        own = list(group)
        more = sum(_height(path) for _, path in own)
        if gathered and height + more > lines:
            yield gathered, False
            gathered, height = [], 0
        if len(own) > 1 and more > lines:
            yield from (([file], True) for file in own)
            continue
        gathered += own
        height += more
    if gathered:
        yield gathered, False


def _height(path: Path) -> int:
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())

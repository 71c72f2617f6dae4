"""The partitions read back: whole weeks, as many at a time as make up a good piece of work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

LINES = "lines.parquet"
CHUNK_LINES = 500_000


def weeks(silver: Path) -> list[tuple[int, Path]]:
    """List the partitions of a silver folder: week and file, in order of weeks."""
    files = sorted(silver.glob(f"shop_week=*/{LINES}"))
    return [(int(file.parent.name.partition("=")[2]), file) for file in files]


@dataclass(frozen=True)
class Chunk:
    """Some whole weeks' lines, one week after the other."""

    weeks: tuple[int, ...]
    lines: pl.DataFrame


def read_chunks(
    silver: Path, columns: list[str] | None = None, *, lines: int = CHUNK_LINES
) -> Iterator[Chunk]:
    """Read the partitions in order, some whole weeks at a time.

    Memory contains one partition, or as many small ones as make up ``lines`` lines: a data frame
    library's cost per call would otherwise outweigh the work on a week of a small shop.
    """
    gathered: list[tuple[int, pl.DataFrame]] = []
    height = 0
    for week, path in weeks(silver):
        frame = pl.read_parquet(path, columns=columns, glob=False)
        if gathered and height + frame.height > lines:
            yield _chunk(gathered)
            gathered, height = [], 0
        gathered.append((week, frame))
        height += frame.height
    if gathered:
        yield _chunk(gathered)


def _chunk(gathered: list[tuple[int, pl.DataFrame]]) -> Chunk:
    return Chunk(tuple(week for week, _ in gathered), pl.concat([frame for _, frame in gathered]))

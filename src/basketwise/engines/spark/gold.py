"""The rows of gold on Spark: each chunk of weeks is read, and its rows are made, in one task.

What all tasks need, the product index and the baskets of each chunk, is handed over by the driver,
and so are the lines of silver. It moves the files of the rows that they made, and reads none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from basketwise.engines.spark.pieces import SparkMap
from basketwise.etl.gold.tables import (
    TEST_FILE,
    TRAIN_FILE,
    RowMaker,
    UnreadChunk,
    Written,
    made_folders,
    own_baskets,
    put_together,
    unread_chunks,
)
from basketwise.etl.silver.chunks import chunk_files
from basketwise.pieces import Result
from basketwise.progress import Tick


@dataclass(frozen=True)
class MakingRows:
    """Makes the rows of a chunk."""

    maker: RowMaker

    def __call__(self, chunk: UnreadChunk) -> Result:
        """Return the rows by the name of their file, and ``counts``."""
        rows = self.maker.read(chunk)
        counts = np.asarray(rows.counts, dtype=np.int64)
        return {TRAIN_FILE: rows.train, TEST_FILE: rows.test, "counts": counts}


def write_gold(
    each: SparkMap,
    silver: Path,
    gold: Path,
    scratch: Path,
    baskets: pl.DataFrame,
    maker: RowMaker,
    tick: Tick,
) -> Written:
    """Write the rows of all baskets.

    After what runs the tasks, as :func:`basketwise.etl.gold.tables.write_gold`.
    """
    folders = made_folders(scratch)
    parts: list[list[Path]] = [[] for _ in folders]
    counts: list[list[int]] = []
    for number, told in enumerate(each(MakingRows(maker), _chunks(silver, baskets))):
        counts.append(told["counts"].tolist())
        for folder, own, rows in zip(folders, parts, counts[-1], strict=False):
            if rows:
                own.append(folder / f"{number:06d}.arrow")
                told.take(folder.name, own[-1])
    tick("features", 1, 1)
    return put_together(parts, counts, gold, indexed=maker.index is not None)


def write_rest(
    each: SparkMap, silver: Path, folder: Path, rest: pl.DataFrame, maker: RowMaker
) -> int:
    """Write the rows of the training baskets that were not drawn, an Arrow file a chunk of weeks.

    Parameters
    ----------
    each : SparkMap
        Runs the tasks.
    silver : Path
        The silver folder.
    folder : Path
        Gets the files; created, unless there are none.
    rest : DataFrame
        From :func:`basketwise.etl.gold.split.not_drawn`.
    maker : RowMaker
        Makes the rows.

    Returns
    -------
    int
        Number of rows.
    """
    total = 0
    for number, told in enumerate(each(MakingRows(maker), _chunks(silver, rest))):
        rows = int(told["counts"][1])
        if rows:
            folder.mkdir(exist_ok=True)
            told.take(TEST_FILE, folder / f"{number:06d}.arrow")
        total += rows
    return total


def _chunks(silver: Path, baskets: pl.DataFrame) -> Iterator[UnreadChunk]:
    return unread_chunks(chunk_files(silver), own_baskets(baskets))

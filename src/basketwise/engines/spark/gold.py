"""The rows of gold on Spark: each chunk of weeks is read, and its rows are made, in one task.

What all tasks need, the product index and the baskets of each chunk, is handed over by the driver,
and so are the lines of silver. As in :mod:`basketwise.engines.spark.settling`, only what a task
tells of counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl

from basketwise.disk import write_arrow
from basketwise.engines.spark.exchange import Exchange, put_frame, read_frame
from basketwise.engines.spark.frames import Batches, documents
from basketwise.engines.spark.tables import numbered, numbers
from basketwise.etl import chunks
from basketwise.etl.tables import (
    TEST_FILE,
    TRAIN_FILE,
    ByWeek,
    RowMaker,
    Written,
    made_folders,
    own_baskets,
    put_together,
)
from basketwise.progress import Tick

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class GoldTask:
    """Makes the rows of the chunks whose numbers it gets.

    Attributes
    ----------
    exchange
        Has what is read, and gets what is written.
    chunks
        Names of each chunk's lines, and of its baskets.
    maker
        Lacks its index.
    index
        The name of that; None: there is none.
    """

    exchange: Exchange
    chunks: tuple[tuple[tuple[str, ...], str], ...]
    maker: RowMaker
    index: str | None

    def __call__(self, batches: Batches) -> Iterator[dict[str, Any]]:
        """Yield one document a chunk: its number, the names of its files, and the counts."""
        maker = self.maker
        if self.index is not None:
            maker = replace(maker, index=read_frame(self.exchange, self.index))
        reads = maker.full_recipe.reads
        for number in numbers(batches):
            lines, baskets = self.chunks[number]
            frames = [read_frame(self.exchange, name, reads) for name in lines]
            rows = maker(pl.concat(frames), read_frame(self.exchange, baskets))
            names = {}
            for file, part in ((TRAIN_FILE, rows.train), (TEST_FILE, rows.test)):
                if part.height:
                    names[file] = f"{uuid4().hex}.arrow"
                    with self.exchange.writing(names[file]) as path:
                        write_arrow(part, path)
            yield {"number": number, "names": names, "counts": rows.counts}


def write_gold(
    session: SparkSession,
    exchange: Exchange,
    silver: Path,
    gold: Path,
    scratch: Path,
    baskets: pl.DataFrame,
    maker: RowMaker,
    tick: Tick,
) -> Written:
    """Write the rows of all baskets.

    After the session and what every executor reaches, as :func:`basketwise.etl.tables.write_gold`.
    """
    index = None
    if maker.index is not None:
        index = "index.parquet"
        put_frame(exchange, index, maker.index)
    own, planned = ByWeek(own_baskets(baskets)), []
    for number, (files, _) in enumerate(chunks.chunk_files(silver)):
        weeks = tuple(dict.fromkeys(week for week, _ in files))
        put_frame(exchange, f"{number}.parquet", own.of(weeks))
        planned.append((tuple(exchange.offer(path) for _, path in files), f"{number}.parquet"))
    task = GoldTask(exchange, tuple(planned), replace(maker, index=None), index)
    told = documents(numbered(session, len(planned)), task)
    told.sort(key=lambda document: document["number"])
    tick("features", 1, 1)
    parts: list[list[Path]] = []
    for folder in made_folders(scratch):
        parts.append([])
        for document in told:
            if name := document["names"].get(folder.name):
                exchange.take(name, folder / name)
                parts[-1].append(folder / name)
    counts = [document["counts"] for document in told]
    return put_together(parts, counts, gold, indexed=maker.index is not None)

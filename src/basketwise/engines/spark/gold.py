"""The rows of gold on Spark: each chunk of weeks is read, and its rows are made, in one task.

What all tasks need, the product index and the baskets of each chunk, lies beside what they write in
a folder that all machines reach; lines are read from silver there. As in
:mod:`basketwise.engines.spark.settling`, only what a task tells of counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl

from basketwise.disk import write_parquet
from basketwise.engines.spark.frames import Batches, documents
from basketwise.engines.spark.tables import numbered, numbers
from basketwise.etl import chunks
from basketwise.etl.chunks import Files
from basketwise.etl.tables import (
    RowMaker,
    Written,
    made_folders,
    own_baskets,
    put_together,
)
from basketwise.progress import Tick
from basketwise.schema import SHOP_WEEK

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INDEX = "index.parquet"


@dataclass(frozen=True)
class GoldTask:
    """Makes the rows of the chunks whose numbers it gets.

    ``folder`` has the index, if there is one, and the baskets of each chunk; rows are written below
    it. ``maker`` lacks the index, see ``indexed``.
    """

    folder: Path
    chunks: tuple[Files, ...]
    maker: RowMaker
    indexed: bool

    def __call__(self, batches: Batches) -> Iterator[dict[str, Any]]:
        """Yield one document a chunk: its number, the name of its files, and the counts."""
        index = pl.read_parquet(self.folder / INDEX, glob=False) if self.indexed else None
        maker = replace(self.maker, index=index)
        reads = maker.full_recipe.reads
        for number in numbers(batches):
            frames = [pl.read_parquet(p, columns=reads, glob=False) for _, p in self.chunks[number]]
            own = pl.read_parquet(self.folder / f"{number}.parquet", glob=False)
            rows, name = maker(pl.concat(frames), own), f"{uuid4().hex}.arrow"
            rows.write(self.folder, name)
            yield {"number": number, "name": name, "counts": rows.counts}


def write_gold(
    session: SparkSession,
    silver: Path,
    gold: Path,
    scratch: Path,
    baskets: pl.DataFrame,
    maker: RowMaker,
    tick: Tick,
) -> Written:
    """Write the rows of all baskets; after the session as :func:`basketwise.etl.tables.write_gold`.

    ``silver`` and ``scratch`` are folders that every executor reaches at the same path.
    """
    folders = made_folders(scratch)
    if maker.index is not None:
        write_parquet(maker.index, scratch / INDEX)
    planned = list(chunks.chunk_files(silver))
    own = own_baskets(baskets)
    for number, (files, _) in enumerate(planned):
        weeks = {week for week, _ in files}
        present = own.filter(pl.col(SHOP_WEEK).is_in(weeks))
        write_parquet(present, scratch / f"{number}.parquet")
    task = GoldTask(
        scratch,
        tuple(files for files, _ in planned),
        replace(maker, index=None),
        maker.index is not None,
    )
    told = documents(numbered(session, len(planned)), task)
    told.sort(key=lambda document: document["number"])
    tick("features", 1, 1)
    parts = [
        [path for document in told if (path := folder / document["name"]).exists()]
        for folder in folders
    ]
    counts = [document["counts"] for document in told]
    return put_together(parts, counts, gold, indexed=maker.index is not None)

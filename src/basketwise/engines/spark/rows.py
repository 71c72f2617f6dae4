"""Rows of gold for XGBoost's workers, which read them themselves: a range of the rows each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from basketwise.disk import ROW_GROUP
from basketwise.engines.spark.exchange import Exchange
from basketwise.engines.spark.frames import Batches, Columns
from basketwise.engines.spark.tables import numbers
from basketwise.etl.gold.tables import class_numbers
from basketwise.features.product import SHARE_NEW
from basketwise.schema import TARGET
from basketwise.tables import matrix

FEATURES, LABEL = "features", "label"
COLUMNS: Columns = {FEATURES: "array<float>", LABEL: "int"}

ARROW = b"ARROW1"
"""What an Arrow file begins with."""


@dataclass(frozen=True)
class RowReader:
    """Reads rows of gold in a task.

    Attributes
    ----------
    exchange
        Has the files.
    files
        Their names there.
    columns, without_new
        See :class:`basketwise.training.distributed.TrainingRows`.
    """

    exchange: Exchange
    files: tuple[str, ...]
    columns: tuple[str, ...]
    without_new: bool

    def count(self, batches: Batches) -> Iterator[dict[str, Any]]:
        """Yield how many rows each file has whose number comes, and how many are learned from."""
        for number in numbers(batches):
            with self.exchange.reading(self.files[number]) as path:
                counted = _scan(path).select(pl.len(), used=self._used.sum()).collect()
            rows, used = counted.row(0)
            yield {"number": number, "rows": rows, "used": used}

    def frames(self, ranges: Sequence[Sequence[Range]], batches: Batches) -> Iterator[pl.DataFrame]:
        """Yield the rows of a worker whose number comes, a bounded number at a time.

        ``ranges``: those of each worker.
        """
        for number in numbers(batches):
            for part in ranges[number]:
                with self.exchange.reading(self.files[part.file]) as path:
                    for start in range(part.start, part.stop, ROW_GROUP):
                        rows = _scan(path).slice(start, min(ROW_GROUP, part.stop - start))
                        used = rows.filter(self._used).select(*self.columns, TARGET)
                        yield self._examples(used.collect())

    @property
    def _used(self) -> pl.Expr:
        if self.without_new and SHARE_NEW in self.columns:
            return pl.col(SHARE_NEW).cast(pl.Float32) == 0
        return pl.repeat(True, pl.len())

    def _examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        features = pl.Series(FEATURES, matrix(rows, self.columns)).cast(pl.List(pl.Float32))
        return pl.DataFrame([features, pl.Series(LABEL, class_numbers(rows[TARGET]), pl.Int32)])


def _scan(path: Path) -> pl.LazyFrame:
    # A file that was fetched has no suffix; an Arrow file says at its start what it is.
    with path.open("rb") as stream:
        is_arrow = stream.read(len(ARROW)) == ARROW
    return pl.scan_ipc(path, glob=False) if is_arrow else pl.scan_parquet(path, glob=False)


class Range(NamedTuple):
    """Rows of a file."""

    file: int
    start: int
    stop: int


def divided(rows: Sequence[int], workers: int) -> list[list[Range]]:
    """Divide the rows of files among workers, evenly and in their order.

    Examples
    --------
    >>> [[tuple(part) for part in own] for own in divided([5, 1], 2)]
    [[(0, 0, 3)], [(0, 3, 5), (1, 0, 1)]]
    """
    total = sum(rows)
    ends = [total * (worker + 1) // workers for worker in range(workers)]
    ranges: list[list[Range]] = [[] for _ in range(workers)]
    before = 0
    for file, count in enumerate(rows):
        for worker, (low, high) in enumerate(zip([0, *ends], ends, strict=False)):
            start, stop = max(low, before), min(high, before + count)
            if start < stop:
                ranges[worker].append(Range(file, start - before, stop - before))
        before += count
    return ranges

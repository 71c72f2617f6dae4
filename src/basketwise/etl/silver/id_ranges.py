"""Many tables of baskets by ranges of ids, so that one range at a time is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl

from basketwise.schema import BASKET_ID

ROWS = 8_000_000
"""Baskets of a range, about; up to as many are one range."""

SAMPLED = 1_000
"""Ids of a range from which the ranges' ends are chosen, about."""


def by_id_range(tables: Sequence[pl.LazyFrame], rows: int = ROWS) -> Iterator[pl.DataFrame]:
    """Give the rows of all tables, range by range in ascending order of ids.

    Parameters
    ----------
    tables : sequence of LazyFrame
        Each has one row per basket, sorted by BASKET_ID; all have the same columns. They are read
        several times, a part at a time.
    rows : int
        Rows of a range, about.

    Yields
    ------
    DataFrame
        All rows of a range of ids, those of one table after those of the one before. Of few rows
        all are one range.
    """
    # All at once: for a week's baskets, asking takes longer than reading.
    heights = [int(own.item()) for own in pl.collect_all(t.select(pl.len()) for t in tables)]
    number = -(-sum(heights) // rows)
    if number <= 1:
        yield pl.concat(pl.collect_all(tables))
        return
    step = max(sum(heights) // (number * SAMPLED), 1)
    sample = pl.concat(_ids(table).gather_every(step) for table in tables).sort()
    ends = sample.gather([sample.len() * n // number for n in range(1, number)]).unique().sort()
    ranges = [
        pairwise([0, *_ids(table).search_sorted(ends, side="left"), height])
        for table, height in zip(tables, heights, strict=True)
    ]
    for own in zip(*ranges, strict=True):
        parts = [
            table.slice(start, end - start)
            for table, (start, end) in zip(tables, own, strict=True)
            if start < end
        ]
        if parts:
            yield pl.concat(pl.collect_all(parts))


def _ids(table: pl.LazyFrame) -> pl.Series:
    return table.select(BASKET_ID).collect().to_series()

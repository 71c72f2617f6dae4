"""Parts of weeks: small enough for one task, and cut between the ids of two baskets.

A week is a group by itself. One with more lines than are read at once anywhere is cut into ranges
of ids, so that files follow each other as the lines of one file would: whatever is made of them in
this order is what the local engine makes of the week.

Where to cut is told by marks: each piece that was read names some of its ids, evenly spaced over
its lines. That makes ranges of about the same size; which they are has no influence on any result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from basketwise.etl.silver import chunks
from basketwise.schema import BASKET_ID, SHOP_WEEK

PART_LINES = 250_000
"""Lines of a part of a large week, on average: some 100 MB while they are settled."""

MARK_LINES = 10_000
"""Each mark stands for so many lines of its piece, or fewer."""

Marks = dict[int, list[tuple[str, float]]]
"""By week: ids, as text, and the number of lines that each stands for."""


def marks(baskets: pl.DataFrame) -> Marks:
    """Choose the marks of one piece.

    Parameters
    ----------
    baskets : DataFrame
        One row per basket and week: BASKET_ID, SHOP_WEEK, ``lines``.
    """
    chosen: Marks = {}
    for (week,), own in baskets.partition_by(SHOP_WEEK, as_dict=True).items():
        ordered = own.sort(BASKET_ID)
        ends = np.cumsum(ordered["lines"].to_numpy().astype(np.int64))
        total = int(ends[-1])
        count = -(-total // MARK_LINES)
        names = ordered[BASKET_ID].cast(pl.String)
        # Many pieces that are alike must not all name the same ids.
        phase = crc32(f"{names[0]} {names[-1]} {total}".encode()) / 2**32
        rows = np.searchsorted(ends, (np.arange(count) + phase) * total / count, side="right")
        chosen[int(week)] = [(name, total / count) for name in names.gather(rows)]
    return chosen


@dataclass(frozen=True)
class Part:
    """A week, or a range of the ids in it; ``number`` counts the ranges, ``of`` is how many."""

    week: int
    number: int = 0
    of: int = 1


@dataclass(frozen=True)
class Parts:
    """How the lines of all weeks are divided.

    ``bounds`` has, by week, the ids at which a range begins but for the first: whole numbers or
    text, as ids are.
    """

    bounds: Mapping[int, list[Any]]
    whole_ids: bool
    all: list[Part] = field(init=False)

    def __post_init__(self) -> None:
        """List the parts in order."""
        every = [
            Part(week, number, len(bounds) + 1)
            for week, bounds in self.bounds.items()
            for number in range(len(bounds) + 1)
        ]
        object.__setattr__(self, "all", every)

    @cached_property
    def _first(self) -> dict[int, int]:
        """The number of each week's first part among all parts."""
        sizes = [len(bounds) + 1 for bounds in self.bounds.values()]
        return dict(zip(self.bounds, accumulate(sizes, initial=0), strict=False))

    def ids(self, lines: pl.DataFrame) -> pl.Series:
        """Return BASKET_ID as it is compared, and as silver has it."""
        return lines[BASKET_ID].cast(pl.Int64 if self.whole_ids else pl.String)

    def of(self, lines: pl.DataFrame) -> pl.Series:
        """Return the number of each line's part (Int64), by BASKET_ID and SHOP_WEEK."""
        first = lines[SHOP_WEEK].replace_strict(self._first, return_dtype=pl.Int64)
        within = np.zeros(lines.height, dtype=np.int64)
        ids = self.ids(lines)
        for week in self._cut(lines):
            rows = (lines[SHOP_WEEK] == week).arg_true()
            bounds = pl.Series(self.bounds[week], dtype=ids.dtype)
            found = bounds.search_sorted(ids.gather(rows), side="right")
            within[rows.to_numpy()] = found.to_numpy()
        return first + pl.Series(within)

    def _cut(self, lines: pl.DataFrame) -> Iterator[int]:
        for week in lines[SHOP_WEEK].unique():
            if self.bounds[week]:
                yield week


def divided(found: Marks, *, whole_ids: bool) -> Parts:
    """Divide all weeks, by the marks of all pieces."""
    bounds = {week: _bounds(own, whole_ids=whole_ids) for week, own in sorted(found.items())}
    return Parts(bounds, whole_ids)


def _bounds(own: list[tuple[str, float]], *, whole_ids: bool) -> list[Any]:
    total = sum(weight for _, weight in own)
    count = -(-int(total) // PART_LINES) if total > chunks.CHUNK_LINES else 1
    ordered = sorted((int(name) if whole_ids else name.encode(), weight) for name, weight in own)
    ends = np.cumsum([weight for _, weight in ordered])
    rows = np.searchsorted(ends, total * np.arange(1, count) / count)
    chosen = sorted({ordered[min(row, len(ordered) - 1)][0] for row in rows})
    return [name if isinstance(name, int) else name.decode() for name in chosen]

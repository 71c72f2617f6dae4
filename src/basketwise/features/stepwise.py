"""Sums and deviations over runs of lines: the first lines of all baskets, then the second ones.

Groups of Polars make up for what rounding loses (Kahan's sum), and follow a mean that changes with
each line (Welford's variance). Both are the same few steps for each line of a basket, whatever the
basket; here they are taken for thousands of baskets at a time, and give the same bits.

Reference: Kahan, "Further Remarks on Reducing Truncation Errors", CACM 8, 1965; Welford, "Note on a
Method for Calculating Corrected Sums of Squares and Products", Technometrics 4, 1962.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from basketwise.arrays import Counts, Floats
from basketwise.features.product_index.by_fold import Rows
from basketwise.features.runs import Runs, grouped

BLOCK = 2**14
"""Sums that take a step together: they stay in the processor's cache."""

ValuesOf = Callable[[Counts], Floats]
"""Returns the values of lines by their positions: one per line, or one row of them."""


class _Block(NamedTuple):
    """Baskets in descending order of their lengths.

    ``start``: the first line of each; ``longer``: how many have more lines than 0, 1, …, up to the
    longest one.
    """

    baskets: Counts
    start: Counts
    longer: list[int]


def sums(values_of: ValuesOf, runs: Runs, columns: int | None = None) -> Floats:
    """Add up the values of each basket's lines, all of them finite.

    Parameters
    ----------
    values_of : callable
        Returns them; not the same array twice.
    runs : Runs
        The baskets.
    columns : int, optional
        How many values a line has: then the result has as many columns.
    """
    shape = (runs.lengths.size,) if columns is None else (runs.lengths.size, columns)
    result = np.empty(shape)
    for baskets, start, longer in _blocks(runs, columns or 1):
        total = values_of(start)
        result[baskets[longer[1] :]] = total[longer[1] :]
        # With others, the first value is added to 0, which makes a negative zero a positive one.
        total += 0.0
        lost = np.zeros_like(total)
        for step, (now, later) in enumerate(pairwise(longer[1:]), 1):
            value = values_of(start[:now] + step)
            value -= lost[:now]
            added = total[:now] + value
            np.subtract(added[:later], total[:later], out=lost[:later])
            lost[:later] -= value[:later]
            result[baskets[later:now]] = added[later:]
            total = added
    return result


def of_rows(names: list[str], numbers: Floats, rows: Rows, runs: Runs) -> list[pl.Series]:
    """Add up what the products of each basket's lines say.

    ``rows``: the row of each line in ``numbers``, which has a column per name.
    """
    added = sums(lambda lines: numbers.take(rows.take(lines), axis=0), runs, len(names))
    return [pl.Series(name, own) for name, own in zip(names, added.T, strict=True)]


def deviations(values: Floats, runs: Runs) -> Floats:
    """Return the sample standard deviation of each basket's values, 0 of a single one."""
    result = np.empty(runs.lengths.size)
    for baskets, start, longer in _blocks(runs, 1):
        mean = values.take(start)
        squares = np.zeros_like(mean)
        for step, now in enumerate(longer[1:-1], 1):
            value = values.take(start[:now] + step)
            from_old = mean[:now] - value
            mean[:now] -= from_old / (step + 1)
            value -= mean[:now]
            value *= from_old
            squares[:now] -= value
        squares /= np.maximum(runs.lengths[baskets] - 1, 1)
        result[baskets] = np.sqrt(squares)
    return result


def _blocks(runs: Runs, columns: int) -> Iterator[_Block]:
    lengths = runs.lengths
    longest = int(lengths.max(initial=0))
    # Sixteen bits are sorted much faster.
    shorter = (longest - lengths).astype(np.min_scalar_type(longest))
    order = np.argsort(shorter, kind="stable")
    longer = lengths.size - np.cumsum(np.bincount(lengths))
    size = max(BLOCK // columns, 1)
    for first in range(0, order.size, size):
        own = order[first : first + size]
        within = np.clip(longer[: lengths[own[0]] + 1] - first, 0, own.size)
        yield _Block(own, runs.start[own], within.tolist())


@lru_cache(maxsize=1)
def as_groups() -> bool:
    """Whether groups of this version of Polars take these steps, seen on numbers that tell."""
    lengths = np.arange(1, 200) % 67 + 1
    runs = Runs(pl.Series(np.arange(lengths.size)), np.cumsum(lengths) - lengths, lengths)
    values = np.sin(np.arange(lengths.sum())) * 10.0 ** (np.arange(lengths.sum()) % 9)
    asked = [pl.col("v").sum().alias("sum"), pl.col("v").std(ddof=1).fill_null(0.0)]
    said = grouped(pl.DataFrame({"v": values}), lengths, asked).to_numpy()
    own = np.column_stack([sums(values.take, runs), deviations(values, runs)])
    return said.tobytes() == own.tobytes()

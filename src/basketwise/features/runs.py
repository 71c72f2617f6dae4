"""Aggregates over lines of which those of a basket follow one another: over runs, not groups.

Groups of lines are looked up one by one; a run has a start and an end. What a product alone decides
is added up by a sparse matrix of baskets and products, where the sums are exact, so that results
are the same to the last bit. Sums of other numbers are left to groups, which make up for what
rounding loses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Counts
from basketwise.features.group import different
from basketwise.features.product_index.by_fold import EXACT, Rows, Said
from basketwise.tables import constant_in_runs

WHOLE = "_whole"
"""An aggregate with which Polars adds up each group by itself."""

NUMBER = "_basket"
"""Position of a line's basket."""


@dataclass(frozen=True)
class Runs:
    """Lines of baskets in ascending order.

    ``baskets``: BASKET_ID, one value per run; ``start``: where each begins; ``lengths``: how many
    lines it has.
    """

    baskets: pl.Series
    start: Counts
    lengths: Counts


def runs_of(ids: pl.Series) -> Runs | None:
    """Return the runs of lines, by their BASKET_ID; None if baskets are not in ascending order.

    None, too, if Polars itself knows that they are: it takes slices for groups then, which it adds
    up in another way.
    """
    if ids.flags["SORTED_ASC"]:
        return None
    runs = ids.rle().struct.unnest()
    baskets, lengths = runs["value"], runs["len"].cast(pl.Int64).to_numpy()
    # Neighbours differ, so in ascending order none is there twice.
    if not baskets.is_sorted():
        return None
    return Runs(baskets.alias(ids.name), np.cumsum(lengths) - lengths, lengths)


def of_products(runs: Runs, rows: Rows, said: Said) -> list[pl.Series]:
    """Average or count (Int32) what the products of each basket's lines say.

    ``rows``: the row of each line in ``said``.
    """
    import scipy.sparse as sp

    bounds = np.append(runs.start, rows.size).astype(np.int32)
    shape = (runs.lengths.size, said.numbers.shape[0])
    products = sp.csr_array((np.ones(rows.size), rows, bounds), shape=shape)
    total = products @ said.numbers
    lengths = runs.lengths
    means = total[:, : said.means] / lengths[:, None]
    odd = np.logical_or.reduceat(said.odd[rows], runs.start) | (lengths * said.largest >= EXACT)
    if odd.any():
        own = rows[np.repeat(odd, lengths)]
        numbers = pl.DataFrame(said.numbers[own, : said.means], said.names[: said.means])
        means[odd] = grouped(numbers, lengths[odd], [pl.all().mean()]).to_numpy()
    counts = total[:, said.means :].astype(np.int32)
    return [
        pl.Series(name, own) for name, own in zip(said.names, [*means.T, *counts.T], strict=True)
    ]


def shared(values: pl.Series, runs: Runs) -> pl.Series:
    """Return the largest value in each basket: where all are the same, the first."""
    if values.null_count() in (0, values.len()) and constant_in_runs(values, runs.start):
        return values.gather(runs.start)
    return grouped(values.to_frame(), runs.lengths, [pl.col(values.name).max()]).to_series()


def distinct(values: pl.Series, runs: Runs) -> pl.Series:
    """Count the different values in each basket (Int64)."""
    return grouped(values.to_frame(), runs.lengths, [different(values.name)]).to_series()


def distinct_numbers(numbers: NDArray[np.integer], runs: Runs) -> Counts | None:
    """Count the different numbers in each basket; None where they are not in ascending order."""
    rises = np.diff(numbers, prepend=numbers[:1])
    rises[runs.start] = 1
    if (rises < 0).any():
        return None
    return np.add.reduceat(rises > 0, runs.start, dtype=np.int64)


def grouped(lines: pl.DataFrame, lengths: Counts, aggregates: list[pl.Expr]) -> pl.DataFrame:
    """Aggregate the lines of each basket in any other way; one row per basket, in their order.

    ``lengths``: how many lines each basket has.
    """
    number = np.repeat(np.arange(lengths.size, dtype=np.uint32), lengths)
    table = (
        lines.lazy()
        .with_columns(pl.Series(NUMBER, number))
        .group_by(NUMBER)
        # Sums and means alone would be added up in parts, one a thread, where groups are few.
        .agg(*aggregates, pl.lit(0).alias(WHOLE))
        .sort(NUMBER)
        .drop(NUMBER)
    )
    # Within the query, nothing would be asked for what is dropped.
    return table.collect(engine="in-memory").drop(WHOLE)

"""What a feature group is: what it adds up over a basket's lines, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

Encoders = Mapping[str, Sequence[str]]
"""``store_format`` and ``store_region``: the categories of the training data, in order."""


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are switched on and off together.

    ``columns`` are what it adds to a row, in the order that models see them, never null; ``reads``
    the columns of the typed lines it needs. ``aggregates`` makes one value per basket from its
    lines, outliers treated, ``derived`` the features that follow from these. ``needs_index``: each
    line must carry the scores and the class of its product. ``needs_history``: a
    history of customers adds its columns to each basket. ``always_written``: gold has its columns
    though the models do not see them, so that training shows what a model without the other groups
    could do.

    Some aggregates are told apart, as there is a quick way to them where the lines of a basket
    follow one another. ``means`` and ``sums`` are of numbers, and ``counts`` (Int32) of conditions,
    that follow from what the product index says of a line, which is never null. ``shared``: a name,
    and the column whose largest value it is, mostly the only one. ``distinct``: a name, and the
    column whose different values are counted (Int64). ``totals`` and ``deviations``: a name, and
    the column that is added up, or whose sample standard deviation it is (0 of a single line).
    ``sizes``: names of the number of lines (Int64).
    """

    name: str
    columns: tuple[str, ...]
    reads: tuple[str, ...]
    aggregates: Callable[[], list[pl.Expr]]
    derived: Callable[[Encoders], list[pl.Expr]]
    needs_index: bool = False
    needs_history: bool = False
    always_written: bool = False
    means: Callable[[], list[pl.Expr]] = list
    counts: Callable[[], list[pl.Expr]] = list
    shared: Mapping[str, str] = field(default_factory=dict)
    distinct: Mapping[str, str] = field(default_factory=dict)
    sums: Callable[[], list[pl.Expr]] = list
    totals: Mapping[str, str] = field(default_factory=dict)
    deviations: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[str, ...] = ()

    def expressions(self) -> list[pl.Expr]:
        """Return all aggregates, for the lines of a group."""
        return [
            *self.aggregates(),
            *(number.mean() for number in self.means()),
            *(condition.sum().cast(pl.Int32) for condition in self.counts()),
            *(pl.col(column).max().alias(name) for name, column in self.shared.items()),
            *(different(column).alias(name) for name, column in self.distinct.items()),
            *(number.sum() for number in self.sums()),
            *(pl.col(column).sum().alias(name) for name, column in self.totals.items()),
            *(deviation(column).alias(name) for name, column in self.deviations.items()),
            *(pl.len().cast(pl.Int64).alias(name) for name in self.sizes),
        ]


def different(column: str) -> pl.Expr:
    """Count the different values of a column (Int64)."""
    return pl.col(column).n_unique().cast(pl.Int64)


def deviation(column: str) -> pl.Expr:
    """Return the sample standard deviation of a column, 0 of a single value."""
    return pl.col(column).std(ddof=1).fill_null(0.0)

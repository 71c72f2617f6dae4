"""Scores of slices of the test set: by store, by week, by size, with and without a card.

A model may be good overall and bad in one region. Each slice is compared with the whole
(`basketwise.evaluation.differences`). Among many slices, one would look bad by chance alone, so a
slice is only called worse after a correction for their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from basketwise.arrays import Counts, Floats, Labels
from basketwise.config import SliceColumn
from basketwise.evaluation.differences import Differences, differences, holm
from basketwise.report.numbers import shown
from basketwise.report.types.scores import Interval, Slice, SliceTable
from basketwise.schema import CLASSES
from basketwise.training.metrics import class_f1

UNKNOWN = "unknown"
CARD, NO_CARD = "card", "no card"
SIZES = {"1": 1, "2–5": 5, "6–10": 10, "11–20": 20, "21–50": 50, "51+": None}
"""Basket sizes in lines, each with its largest."""

LEAST_CUSTOMERS = 30
"""A slice with fewer effective customers is never called worse: no approximation is valid."""
MOST_ROWS = 60
"""Number of a column's largest slices that are reported."""
MOST_SENTENCES = 5


@dataclass(frozen=True)
class _Column:
    """One column: its values, what was measured of each, and which rows are reported."""

    column: SliceColumn
    names: list[str]
    measured: Differences
    macro_f1: Floats
    rows: list[int]


def slice_tables(
    baskets: pl.DataFrame,
    true: Labels,
    predicted: Labels,
    units: Counts | None,
    columns: Sequence[SliceColumn],
    confidence: float,
) -> list[SliceTable]:
    """Score the test set slice by slice: one table per column, in the order of ``columns``.

    ``baskets`` has one row per test basket, null where unknown: ``customer`` (no card: null), the
    columns to slice by, and ``basket_size`` (lines). ``true`` and ``predicted`` are class numbers
    in the same order; ``units`` is each basket's customer, a basket without a card being one of its
    own (None if every basket is).

    A column with one value makes no slices and is left out, so is ``card`` where no basket has a
    customer. Rows are in natural order: numbers ascending, names by the alphabet, ``unknown`` last;
    a column's 60 largest are reported. ``macro_f1`` is the mean over the classes that occur in the
    slice, as true or as predicted class.

    A slice is significantly worse if its one-sided p-value stands Holm's correction over all slices
    of all tables and its own interval is below 0: if all slices are equally good, none is called
    worse with a probability of about ``confidence`` or a higher one. A slice that rests on fewer
    than 30 customers (of equal weight, `Differences.customers`), so also one of fewer than 30
    baskets, is shown, but never called worse, and does not count in the correction: its size says
    so, not its score.
    """
    right = true == predicted
    customers = np.arange(true.size) if units is None else np.unique(units, return_inverse=True)[1]
    scored = []
    for column in columns:
        names, parts = _values(baskets, column)
        if len(names) > 1:
            measured = differences(parts, right, customers, confidence)
            f1 = _macro_f1(parts, true, predicted)
            largest = np.argsort(-measured.baskets, kind="stable")[:MOST_ROWS]
            scored.append(_Column(column, names, measured, f1, sorted(largest.tolist())))
    worse = _worse(scored, 1 - confidence)
    return [
        SliceTable(
            column=table.column,
            rows=[_row(table, row, (table.column, row) in worse) for row in table.rows],
            more=len(table.names) - len(table.rows),
        )
        for table in scored
    ]


def weak_slices(tables: Sequence[SliceTable]) -> list[str]:
    """Return a sentence for each slice that is significantly worse, the largest difference first.

    After five sentences, one more counts the rest.
    """
    weak = [
        (table["column"], row)
        for table in tables
        for row in table["rows"]
        if row["significantly_worse"]
    ]
    weak.sort(key=lambda named: named[1]["difference"]["estimate"])
    sentences = [_sentence(column, row) for column, row in weak[:MOST_SENTENCES]]
    more = len(weak) - len(sentences)
    if more:
        sentences.append(
            f"{more} more {'slice is' if more == 1 else 'slices are'} significantly worse."
        )
    return sentences


def _values(baskets: pl.DataFrame, column: SliceColumn) -> tuple[list[str], Counts]:
    """Return the values that occur, in natural order, and each basket's position among them."""
    if column == "basket_size":
        ends = [end for end in SIZES.values() if end is not None]
        names, ranks = list(SIZES), np.searchsorted(ends, baskets[column].to_numpy())
    elif column == "card":
        names, ranks = [CARD, NO_CARD], baskets["customer"].is_null().to_numpy().astype(np.int64)
    else:
        values = baskets[column]
        if values.dtype == pl.String:
            # So that a store that is called so does not get a row of the same name.
            values = values.set(values == UNKNOWN, None)
        known = values.drop_nulls().unique().sort()
        names = [*(str(value) for value in known), UNKNOWN]
        rank = values.rank("dense").cast(pl.Int64) - 1
        ranks = rank.fill_null(len(known)).to_numpy()
    occurring, parts = np.unique(ranks, return_inverse=True)
    return [names[k] for k in occurring], parts.astype(np.int64)


def _worse(scored: Sequence[_Column], level: float) -> set[tuple[str, int]]:
    large = [
        (table, row)
        for table in scored
        for row in table.rows
        if table.measured.customers[row] >= LEAST_CUSTOMERS
    ]
    fallen = holm(np.array([table.measured.p_worse[row] for table, row in large]), level)
    return {
        (table.column, row)
        for (table, row), fell in zip(large, fallen, strict=True)
        # A single large slice has nothing to be corrected for; its interval is two-sided.
        if fell and table.measured.high[row] < 0
    }


def _macro_f1(parts: Counts, true: Labels, predicted: Labels) -> Floats:
    size = len(CLASSES)
    cells = (parts * size + true) * size + predicted
    tables: Counts = np.bincount(cells, minlength=(int(parts.max()) + 1) * size**2)
    confusion = tables.reshape(-1, size, size)
    occurring = confusion.any(axis=1) | confusion.any(axis=2)
    return np.asarray(class_f1(confusion).sum(axis=1) / occurring.sum(axis=1), dtype=np.float64)


def _row(scored: _Column, row: int, worse: bool) -> Slice:
    measured = scored.measured
    return Slice(
        value=scored.names[row],
        baskets=int(measured.baskets[row]),
        accuracy=float(measured.accuracy[row]),
        macro_f1=float(scored.macro_f1[row]),
        difference=Interval(
            estimate=float(measured.estimate[row]),
            low=float(measured.low[row]),
            high=float(measured.high[row]),
        ),
        significantly_worse=worse,
    )


def _sentence(column: str, row: Slice) -> str:
    difference = row["difference"]
    # Two digits of the difference at least, however small it is.
    decimals = max(4, 1 - math.floor(math.log10(-difference["estimate"])))
    accuracy, overall = (
        shown(score, decimals=decimals)
        for score in (row["accuracy"], row["accuracy"] - difference["estimate"])
    )
    estimate, low, high = (
        f"{difference[end]:+.{decimals}f}".replace("-", "−") for end in ("estimate", "low", "high")
    )
    return (
        f"{_named(column, row['value'])} are classified significantly worse: accuracy {accuracy} "
        f"against {overall} overall ({row['baskets']:,} baskets, difference {estimate} "
        f"[{low}, {high}])."
    )


def _named(column: str, value: str) -> str:
    if column == "card":
        return f"Baskets {'with a' if value == CARD else 'without a'} card"
    if column == "basket_size":
        return f"Baskets of {value} line{'' if value == '1' else 's'}"
    if value == UNKNOWN:
        return f"Baskets of unknown {column}"
    return f"Baskets of {column} {value}"

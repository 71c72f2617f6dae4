"""Tables by ranges of ids."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from basketwise.etl.silver.id_ranges import by_id_range
from basketwise.schema import BASKET_ID

NUMBERS = st.lists(st.lists(st.integers(-50, 50), max_size=40), min_size=1, max_size=5)


def tables_of(ids: list[list[int]], *, text: bool = False) -> list[pl.LazyFrame]:
    dtype = pl.String if text else pl.Int64
    return [
        pl.LazyFrame({BASKET_ID: own, "table": number}, {BASKET_ID: pl.Int64, "table": pl.Int8})
        .with_columns(pl.col(BASKET_ID).cast(dtype))
        .sort(BASKET_ID)
        for number, own in enumerate(ids)
    ]


@given(NUMBERS, st.integers(1, 30), st.booleans())
def test_an_id_is_in_one_range_and_no_row_is_lost(
    ids: list[list[int]], rows: int, text: bool
) -> None:
    tables = tables_of(ids, text=text)
    ranges = list(by_id_range(tables, rows))
    together = pl.concat(ranges)
    everything = pl.concat(tables).collect()
    # A stable sort keeps the tables' order within an id, which is that of the ranges too.
    assert_frame_equal(
        together.sort(BASKET_ID, maintain_order=True),
        everything.sort(BASKET_ID, maintain_order=True),
    )
    own = [set(part[BASKET_ID]) for part in ranges if part.height]
    assert all(max(a) < min(b) for a, b in pairwise(own))


def test_few_rows_are_one_range() -> None:
    assert len(list(by_id_range(tables_of([[3, 1], [2]])))) == 1


def test_ranges_are_about_as_large_as_asked_for() -> None:
    heights = [
        own.height for own in by_id_range(tables_of([list(range(10_000)), [5] * 100]), 1_000)
    ]
    assert len(heights) == 11
    assert max(heights) < 1_500

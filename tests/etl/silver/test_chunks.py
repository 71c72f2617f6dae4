"""Lines in pieces of whole baskets."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from basketwise.etl.silver.chunks import whole_baskets
from basketwise.schema import BASKET_ID


@given(st.lists(st.integers(1, 6), min_size=1, max_size=30), st.integers(1, 20))
def test_pieces_have_whole_baskets_and_all_lines(sizes: list[int], most: int) -> None:
    ids = [number for number, size in enumerate(sizes) for _ in range(size)]
    lines = pl.DataFrame({BASKET_ID: ids, "line": range(len(ids))})
    pieces = list(whole_baskets(lines, most))
    assert_frame_equal(pl.concat(pieces), lines)
    own = [set(piece[BASKET_ID]) for piece in pieces]
    assert all(not a & b for a, b in pairwise(own))
    assert all(own)
    assert all(piece.height < most + max(sizes) for piece in pieces)


def test_few_lines_are_not_cut() -> None:
    lines = pl.DataFrame({BASKET_ID: [1, 2]})
    assert next(whole_baskets(lines, 2)) is lines

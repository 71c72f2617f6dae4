"""Weeks are cut between two ids, into parts of about the same size."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketwise.engines.spark import parts
from basketwise.engines.spark.parts import Part, Parts, divided, marks
from tests.engines.spark.running import small_parts


def baskets(ids: pl.Series, week: int = 200607, lines: int = 5) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "BASKET_ID": ids,
            "SHOP_WEEK": pl.Series([week] * len(ids), dtype=pl.Int32),
            "lines": pl.Series([lines] * len(ids), dtype=pl.UInt32),
        }
    )


def test_a_small_week_is_one_part() -> None:
    found = marks(baskets(pl.Series(range(100))))
    assert [weight for _, weight in found[200607]] == [500.0]
    cut = divided(found, whole_ids=True)
    assert cut.all == [Part(200607)]


@pytest.mark.parametrize("kind", [pl.Int64, pl.String])
def test_a_large_week_is_cut_into_even_ranges(kind: type[pl.DataType]) -> None:
    rng = np.random.default_rng(1)
    ids = pl.Series(rng.permutation(10_000) ** 2, dtype=pl.Int64).cast(kind)
    with small_parts(10_000):
        pieces = [marks(baskets(ids[n::7])) for n in range(7)]
        found = {200607: [mark for piece in pieces for mark in piece[200607]]}
        found |= marks(baskets(ids[:10], 200606))
        cut = divided(found, whole_ids=kind == pl.Int64)
    # 50,000 lines, 2,500 in a part.
    assert [part.week for part in cut.all] == [200606, *[200607] * 20]
    lines = pl.concat([baskets(ids), baskets(ids[:10], 200606)])
    number = cut.of(lines)
    sizes = number.value_counts().filter(pl.col(number.name) > 0)["count"]
    assert sizes.len() == 20
    assert (sizes * 5).min() > 1_250  # type: ignore[operator]
    assert (sizes * 5).max() < 5_000  # type: ignore[operator]
    # One part after the other, in the order in which silver has the ids.
    ordered = lines.with_columns(number.alias("part")).sort("part", "BASKET_ID")
    (late,) = ordered.filter(pl.col("SHOP_WEEK") == 200607).select("BASKET_ID")
    assert late.is_sorted()
    assert (ordered["part"] == 0).sum() == 10


def test_many_small_pieces_name_different_ids() -> None:
    ids = pl.Series(np.random.default_rng(2).permutation(20_000))
    with small_parts(10_000):
        pieces = [marks(baskets(ids[n::200])) for n in range(200)]
        found = {200607: [mark for piece in pieces for mark in piece[200607]]}
        cut = divided(found, whole_ids=True)
    sizes = cut.of(baskets(ids)).value_counts()["count"] * 5
    assert sizes.len() == 40
    assert sizes.max() < 10_000  # type: ignore[operator]


def test_a_basket_is_never_cut() -> None:
    with small_parts(100):
        found = marks(baskets(pl.Series(["one"]), lines=100_000))
        cut = divided(found, whole_ids=False)
    # There is but one id at which a part may begin.
    assert len(cut.all) == 2
    lines = pl.DataFrame({"BASKET_ID": ["one"] * 3, "SHOP_WEEK": 200607})
    assert cut.of(lines).to_list() == [1, 1, 1]


def test_ids_are_compared_as_they_are_stored() -> None:
    numbers = Parts({200607: [10]}, whole_ids=True)
    texts = Parts({200607: ["10"]}, whole_ids=False)
    lines = pl.DataFrame({"BASKET_ID": ["9", "10", "100"], "SHOP_WEEK": 200607})
    assert numbers.of(lines).to_list() == [0, 1, 1]
    assert texts.of(lines).to_list() == [1, 1, 1]
    assert parts.PART_LINES > parts.MARK_LINES

from __future__ import annotations

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from basketwise.etl.lines import order
from basketwise.etl.lines.order import in_order, ordered
from basketwise.etl.lines.repeats import has_repeats
from basketwise.schema import COLUMNS


def lines(baskets: list[object], products: list[str]) -> pl.DataFrame:
    values = {column.name: [None] * len(baskets) for column in COLUMNS}
    return pl.DataFrame(
        values | {"BASKET_ID": baskets, "PROD_CODE": products, "SPEND": list(range(len(baskets)))}
    )


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.sampled_from(["PRD1", "PRD10", "PRD2", "é", "z", ""])),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([1, 10**14, 2**61]),
)
def test_it_is_that_of_the_columns(pairs: list[tuple[int, str]], distance: int) -> None:
    given = lines([basket * distance for basket, _ in pairs], [product for _, product in pairs])
    own, repeated, _ = ordered(given.clone())
    assert repeated == has_repeats(given)
    assert own.equals(in_order(given, repeated=repeated))


@pytest.mark.parametrize("baskets", [["b", "a"], [None, 1], []])
def test_ids_that_are_no_numbers(baskets: list[object]) -> None:
    given = lines(baskets, ["P"] * len(baskets))
    own, repeated, _ = ordered(given.clone())
    assert own.equals(in_order(given, repeated=False))
    assert not repeated


def test_many_lines_are_sorted_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    given = lines([3, -1, 3, 2, -1], ["a", "b", "B", "c", "a"])
    few = in_order(given, repeated=False)
    monkeypatch.setattr(order, "MANY", 2)
    assert in_order(given, repeated=False).equals(few)
    assert few["PROD_CODE"].to_list() == ["a", "b", "c", "B", "a"]


def test_lines_in_many_chunks() -> None:
    given = pl.concat([lines([n, -n], ["Q", "P"]) for n in range(1, 9)], rechunk=False)
    own = ordered(given.clone()).lines
    assert own["BASKET_ID"].to_list() == [*range(-8, 0), *range(1, 9)]

from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from basketwise.features.product_index import pairs as module
from basketwise.features.product_index import pairs as pairs_module
from basketwise.features.product_index.pairs import (
    Pairs,
    Weighting,
    concatenate,
    counts,
    pair,
    sums,
    unit_prices,
)
from tests.features.product_index.synthetic import PRODUCTS, world


def some() -> Pairs:
    """Three baskets: products 2, 0 and 2 again; none; product 1."""
    return pair(
        np.array([0, 0, 0, 2], np.int32),
        np.array([2, 0, 2, 1], np.int32),
        np.array([1.0, 5.0, 2.0, -4.0]),
        np.array([1.0, 2.0, 1.0, -1.0]),
        np.array([0, 1, 2], np.int8),
        np.array([0, 0, 1], np.int8),
    )


def test_lines_of_one_product_are_one_entry() -> None:
    pairs = some()
    assert pairs.start.tolist() == [0, 2, 2, 3]
    assert pairs.product.tolist() == [0, 2, 1]
    assert pairs.lines.tolist() == [1, 2, 1]
    assert pairs.spend.tolist() == [5, 3, -4]
    assert pairs.quantity.tolist() == [2, 2, -1]
    assert pairs.entries.tolist() == [2, 0, 1]
    assert pairs.size.tolist() == [3, 0, 1]
    assert pairs.basket().tolist() == [0, 0, 2]
    assert pairs.baskets_with(4).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("weighting", "shares"),
    [
        ("lines", [1 / 3, 2 / 3, 1]),
        ("spend", [5 / 8, 3 / 8, 1]),  # nothing was spent in the last: it is shared by lines
        ("quantity", [0.5, 0.5, 1]),
    ],
)
def test_shares_of_a_basket_sum_to_one(weighting: Weighting, shares: list[float]) -> None:
    np.testing.assert_allclose(some().shares(weighting), shares, rtol=1e-6)


def test_pieces_are_as_good_as_the_whole() -> None:
    whole = world(1, baskets=200).pairs
    first = np.arange(200) < 80
    again = concatenate(
        [
            {f.name: getattr(whole.take(own), f.name) for f in fields(whole)}
            for own in (first, ~first)
        ]
    )
    for field in fields(whole):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(whole, field.name))


def test_a_unit_price_is_the_median_of_what_was_paid() -> None:
    pairs = pair(
        np.arange(6, dtype=np.int32),
        np.array([0, 0, 0, 1, 1, 3], np.int32),
        np.array([3.0, 1.0, 8.0, 2.0, 4.0, -1.0]),
        np.array([1.0, 1.0, 2.0, 1.0, 1.0, -1.0]),
        np.zeros(6, np.int8),
        np.zeros(6, np.int8),
    )
    prices, of_groups = unit_prices(pairs, np.array([1, 1, 0, 0]))
    np.testing.assert_array_equal(prices, [3, 3, np.nan, np.nan])
    np.testing.assert_array_equal(of_groups, [np.nan, 3])


@pytest.mark.parametrize("at_a_time", [1, 100, 2**22])
def test_unit_prices_are_the_medians_of_groups_of_rows(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_module, "LARGE_SLICE", at_a_time)
    rng = np.random.default_rng(4)
    entries, products = 3_000, 60
    pairs = pair(
        np.arange(entries, dtype=np.int32),
        (rng.zipf(1.3, entries) % products).astype(np.int32),
        rng.integers(1, 900, entries) / 100,
        rng.integers(1, 4, entries).astype(np.float64),
        np.zeros(entries, np.int8),
        np.zeros(entries, np.int8),
    )
    group = rng.integers(0, 9, products)
    rows = pl.DataFrame({"product": pairs.product, "price": pairs.spend / pairs.quantity})
    rows = rows.with_columns(group=pl.Series(group)[rows["product"]])
    for name, medians in zip(("product", "group"), unit_prices(pairs, group), strict=True):
        expected = rows.group_by(name).agg(pl.col("price").median())
        assert set(rows.group_by(name).len()["len"] % 2) == {0, 1}
        np.testing.assert_array_equal(medians[expected[name]], expected["price"])


def test_empty_baskets_sum_to_nothing() -> None:
    start = np.array([0, 0, 2, 2])
    assert sums(np.array([[1.0, 2.0], [3.0, 4.0]]), start).tolist() == [[0, 3, 0], [0, 7, 0]]
    assert sums(np.array([]), np.array([0, 0])).tolist() == [0]


def test_some_rows_are_those_of_the_matrix() -> None:
    pairs = world(2, baskets=60).pairs
    whole = pairs.matrix(pairs.spend, PRODUCTS)
    part = pairs.matrix(pairs.spend, PRODUCTS, 20, 45)
    np.testing.assert_array_equal(part.toarray(), whole.toarray()[20:45])
    assert pairs.matrix(pairs.spend, PRODUCTS, 60, 90).shape == (0, PRODUCTS)


@pytest.mark.parametrize("least", [0, 9])
def test_numbers_are_counted_a_slice_at_a_time(monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    monkeypatch.setattr(module, "SLICE", 7)
    numbers = np.random.default_rng(1).integers(0, 6, 50).astype(np.int32)
    expected = np.bincount(numbers, minlength=least)
    np.testing.assert_array_equal(counts(numbers, least), expected)
    np.testing.assert_array_equal(counts(numbers[:0], least), np.zeros(least))


@pytest.mark.parametrize("lengths", [[1, 1, 1], [2, 1, 3], [1, 2], [3], [2, 2]])
def test_lines_of_an_entry_are_added_up(lengths: list[int]) -> None:
    number = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    spend = np.random.default_rng(0).random(number.size)
    zeros = np.zeros(2, np.int8)
    # All are in the second basket.
    pairs = pair(np.ones_like(number), number, spend, 2 * spend, zeros, zeros)
    start = np.cumsum([0, *lengths])
    np.testing.assert_array_equal(pairs.spend, sums(spend, start))
    np.testing.assert_array_equal(pairs.quantity, sums(2 * spend, start))
    assert pairs.lines.tolist() == lengths
    assert pairs.start.tolist() == [0, 0, len(lengths)]


def test_baskets_are_counted_by_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 7)
    pairs = world(2, baskets=60).pairs
    by_fold = pairs.baskets_by_fold(PRODUCTS)
    for fold, own in enumerate(by_fold):
        taken = pairs.take(pairs.fold == fold)
        assert own.tolist() == taken.baskets_with(PRODUCTS).tolist()
    assert by_fold.sum() == pairs.product.size

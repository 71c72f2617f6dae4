from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import basketwise.features.product_index.statistics as statistics
from basketwise.arrays import Floats
from basketwise.features.product_index.statistics import (
    BasketLines,
    FoldStatistics,
    concatenate,
)
from tests.features.product_index.synthetic import LABELS, PRODUCTS, part, world

FOLDS = 3


def gathered(
    *pieces: BasketLines, coefficients: int = PRODUCTS, size_power: float = 0.5
) -> FoldStatistics:
    statistics = FoldStatistics(PRODUCTS, coefficients, LABELS, FOLDS, size_power)
    for piece in pieces:
        statistics.add(piece)
    statistics.flush()
    return statistics


def textbook(
    lines: BasketLines, fold: int, coefficients: int, size_power: float
) -> tuple[Floats, Floats]:
    """Return XᵀWX and XᵀWY of one fold, dense and in double precision."""
    baskets = lines.label.size
    counts = np.zeros((baskets, PRODUCTS))
    np.add.at(counts, (lines.basket, lines.product), 1)
    size = counts.sum(axis=1, keepdims=True)
    X = (counts / size)[:, :coefficients]
    W = np.diag(size[:, 0] ** -size_power * (lines.fold == fold))
    Y = np.eye(LABELS)[lines.label]
    return (X.T @ W @ X).astype(np.float32), (X.T @ W @ Y).astype(np.float32)


@pytest.mark.parametrize("coefficients", [PRODUCTS, 25])
@pytest.mark.parametrize("size_power", [0.0, 0.5, 2.0])
def test_they_are_the_textbooks(coefficients: int, size_power: float) -> None:
    lines = world(1, baskets=300).lines
    statistics = gathered(lines, coefficients=coefficients, size_power=size_power)
    for fold in range(FOLDS):
        xtx, xty = textbook(lines, fold, coefficients, size_power)
        np.testing.assert_allclose(statistics.xtx[fold], xtx, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(statistics.xty[fold], xty, rtol=1e-5, atol=1e-5)
        own = lines.fold[lines.basket] == fold
        pairs = set(zip(lines.basket[own], lines.product[own], strict=True))
        with_product = np.bincount([product for _, product in pairs], minlength=PRODUCTS)
        np.testing.assert_array_equal(statistics.baskets_with[fold], with_product)


@given(st.lists(st.integers(0, 3), min_size=200, max_size=200), st.booleans())
@settings(max_examples=25)
def test_they_add_up_over_any_cut(cut: list[int], at_once: bool) -> None:
    lines = world(2, baskets=200).lines
    whole = gathered(lines)
    pieces = [part(lines, np.array(cut) == number) for number in range(4)]
    with pytest.MonkeyPatch.context() as patch:
        if not at_once:
            patch.setattr(statistics, "FLUSH_LINES", 25)
        result = gathered(*(piece for piece in pieces if piece.label.size))
    for fold in range(FOLDS):
        np.testing.assert_allclose(result.xtx[fold], whole.xtx[fold], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(result.xty[fold], whole.xty[fold], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(result.baskets_with, whole.baskets_with)


@given(st.lists(st.integers(1, 199), max_size=5, unique=True))
@settings(max_examples=25)
def test_consecutive_pieces_give_the_same_bits(ends: list[int]) -> None:
    lines, basket = world(2, baskets=200).lines, np.arange(200)
    cuts = [0, *sorted(ends), 200]
    pieces = [part(lines, (basket >= start) & (basket < end)) for start, end in pairwise(cuts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "FLUSH_LINES", 150)
        whole, cut = gathered(lines), gathered(*pieces)
    np.testing.assert_array_equal(cut.xtx, whole.xtx)
    np.testing.assert_array_equal(cut.xty, whole.xty)


@pytest.mark.parametrize("coefficients", [PRODUCTS, 25])
def test_products_in_no_basket_leave_no_trace(coefficients: int) -> None:
    lines = world(5, baskets=200).lines
    absent = np.isin(np.arange(PRODUCTS), [0, 7, 40])
    kept = ~absent[lines.product]
    fewer = BasketLines(lines.basket[kept], lines.product[kept], lines.label, lines.fold)
    statistics = gathered(fewer, coefficients=coefficients)
    statistics.keep(~absent)
    number = (np.cumsum(~absent) - 1).astype(np.int32)
    renumbered = BasketLines(fewer.basket, number[fewer.product], fewer.label, fewer.fold)
    alone = FoldStatistics(
        PRODUCTS - 3, int((~absent)[:coefficients].sum()), LABELS, FOLDS, size_power=0.5
    )
    alone.add(renumbered)
    alone.flush()
    assert statistics.coefficients == alone.coefficients
    np.testing.assert_array_equal(statistics.xtx, alone.xtx)
    np.testing.assert_array_equal(statistics.xty, alone.xty)
    np.testing.assert_array_equal(statistics.baskets_with, alone.baskets_with)


def test_totals() -> None:
    statistics = gathered(world(3, baskets=200).lines)
    np.testing.assert_allclose(statistics.total_products(), sum(statistics.xtx), rtol=1e-5)
    np.testing.assert_allclose(statistics.total_targets(), sum(statistics.xty), rtol=1e-5)
    others = statistics.xty[0] + statistics.xty[2]
    np.testing.assert_array_equal(statistics.total_targets(without=1), others)


def test_pieces_are_joined_with_baskets_numbered_through() -> None:
    lines = world(4, baskets=100).lines
    first = np.arange(100) < 40
    joined = concatenate([part(lines, first), part(lines, ~first)])
    for name in ("basket", "product", "label", "fold"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(lines, name))

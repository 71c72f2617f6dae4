from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from basketwise.features.product_index import pairs as module
from basketwise.features.product_index import shortest as shortest_module
from basketwise.features.product_index.pairs import Pairs
from basketwise.features.product_index.shortest import shortest
from tests.features.product_index.synthetic import PRODUCTS, world


def expected(pairs: Pairs, fold: int | None, most: int) -> set[tuple[int, int, int]]:
    """Product, basket and rank of the first entries of each product, one by one."""
    basket, size = pairs.basket(), pairs.entries
    found = set()
    for product in range(PRODUCTS):
        own = [b for b in basket[pairs.product == product].tolist() if pairs.fold[b] != fold]
        own.sort(key=lambda b: (size[b], b))
        found |= {(product, b, rank) for rank, b in enumerate(own[:most])}
    return found


@pytest.mark.parametrize("block", [7, 2**16])
def test_the_order_is_by_product_and_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortest_module, "BLOCK", block)
    pairs = world(3, baskets=100).pairs
    nearest = shortest(pairs, [None], 5)
    size = pairs.entries[nearest.basket]
    keys = list(zip(nearest.product, size, nearest.basket, strict=True))
    assert keys == sorted(keys)
    assert set(nearest.ranks(np.ones(100, np.bool_))[1].tolist()) == set(range(5))


def test_without_baskets_none_is_short() -> None:
    pairs = world(3, baskets=100).pairs
    nothing = shortest(pairs.take(np.zeros(100, np.bool_)), [None, 0], 5)
    assert nothing.product.size == nothing.basket.size == 0


@pytest.mark.parametrize("reach", [1, 4])
@pytest.mark.parametrize("most", [1, 3, 20])
@pytest.mark.parametrize("without", [[None], [None, 0, 1, 2], [1]])
def test_whichever_fold_is_left_out_the_first_are_there(
    without: list[int | None], most: int, reach: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = world(3, baskets=400).pairs
    if reach == 1:
        # All short baskets are of one fold, so that a look at the first ones is not enough.
        monkeypatch.setattr(shortest_module, "REACH", 2)
        pairs = replace(pairs, fold=np.where(pairs.entries < 3, 1, pairs.fold).astype(np.int8))
    nearest = shortest(pairs, without, most)
    for fold in without:
        kept = np.ones(pairs.label.size, np.bool_) if fold is None else pairs.fold != fold
        entries, rank = nearest.ranks(kept)
        first = rank < most
        own = zip(
            entries.product[first].tolist(),
            entries.basket[first].tolist(),
            rank[first].tolist(),
            strict=True,
        )
        assert set(own) == expected(pairs, fold, most)
    assert nearest.product.size < pairs.product.size or most == 20


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_entries_are_the_same_by_number_and_by_mask(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = world(5, baskets=300).pairs
    baskets = np.random.default_rng(0).random(pairs.label.size) < share
    taken = []
    for few in (0, 10**9):
        monkeypatch.setattr(module, "FEW", few)
        taken.append(np.arange(pairs.product.size)[pairs.entries_of(baskets)])
    np.testing.assert_array_equal(taken[0], taken[1])

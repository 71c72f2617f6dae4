"""Made-up baskets whose labels follow a rule of counts, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.features.product_index.statistics import BasketLines

PRODUCTS = 60
LABELS = 4


@dataclass(frozen=True)
class World:
    """Products with hidden classes, and baskets labelled by them."""

    classes: NDArray[np.int64]
    lines: BasketLines


def world(seed: int, *, baskets: int = 3_000, longest: int = 6, folds: int = 3) -> World:
    """Label a basket by its balance of Low (0) and High (2); 3 where all products are silent."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(LABELS, PRODUCTS, p=[0.25, 0.35, 0.25, 0.15])
    size = rng.integers(1, longest + 1, baskets)
    basket = np.repeat(np.arange(baskets, dtype=np.int32), size)
    product = rng.integers(0, PRODUCTS, basket.size).astype(np.int32)
    counts = np.zeros((baskets, LABELS), dtype=np.int64)
    np.add.at(counts, (basket, classes[product]), 1)
    label = 1 + np.sign(counts[:, 2] - counts[:, 0])
    label[counts[:, :3].sum(axis=1) == 0] = 3
    return World(
        classes,
        BasketLines(
            basket,
            product,
            label.astype(np.int8),
            rng.integers(0, folds, baskets).astype(np.int8),
        ),
    )


def part(lines: BasketLines, chosen: NDArray[np.bool_]) -> BasketLines:
    """Keep some whole baskets, numbered anew."""
    number = (np.cumsum(chosen) - 1).astype(np.int32)
    kept = chosen[lines.basket]
    return BasketLines(
        number[lines.basket[kept]], lines.product[kept], lines.label[chosen], lines.fold[chosen]
    )

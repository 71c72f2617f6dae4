"""Made-up baskets whose labels follow a rule, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from basketwise.features.product_index.pairs import Pairs, pair

PRODUCTS = 60
LABELS = 4
NO_GROUPS = (np.full(PRODUCTS, -1), np.full(PRODUCTS, -1))
NO_PRICES = np.full(PRODUCTS, np.nan)


@dataclass(frozen=True)
class World:
    """Products with hidden classes, and baskets labelled by them."""

    classes: NDArray[np.int64]
    pairs: Pairs


def world(
    seed: int,
    *,
    baskets: int = 3_000,
    longest: int = 6,
    folds: int = 3,
    vote: Literal["lines", "spend", "quantity"] = "lines",
    wrong: float = 0.0,
) -> World:
    """Label a basket by its balance of Low (0) and High (2); 3 where all products are silent.

    ``vote`` says what weighs a line; a share of the labels is ``wrong``.
    """
    rng = np.random.default_rng(seed)
    classes = rng.choice(LABELS, PRODUCTS, p=[0.25, 0.35, 0.25, 0.15])
    size = rng.integers(1, longest + 1, baskets)
    basket = np.repeat(np.arange(baskets, dtype=np.int32), size)
    product = rng.integers(0, PRODUCTS, basket.size).astype(np.int32)
    amounts = {
        "lines": np.ones(basket.size),
        "spend": rng.lognormal(0, 1, basket.size),
        "quantity": rng.integers(1, 6, basket.size).astype(np.float64),
    }
    counts = np.zeros((baskets, LABELS))
    np.add.at(counts, (basket, classes[product]), amounts[vote])
    label = 1 + np.sign(counts[:, 2] - counts[:, 0])
    label[counts[:, :3].sum(axis=1) == 0] = 3
    flipped = rng.random(baskets) < wrong
    label[flipped] = rng.integers(0, 3, flipped.sum())
    return World(
        classes,
        pair(
            basket,
            product,
            amounts["spend"],
            amounts["quantity"],
            label.astype(np.int8),
            rng.integers(0, folds, baskets).astype(np.int8),
        ),
    )

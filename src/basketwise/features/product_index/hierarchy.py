"""What a product's hierarchy says about it: the fallback for rare and unknown products.

Every level of the hierarchy (PROD_CODE_40 down to PROD_CODE_10) is smoothed with the level above
it, the top with the average of all products: a group of few products says little by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Floats

STRENGTH = 5.0
"""Weight of a group's parent, in products of the group."""

Groups = NDArray[np.int64]
"""One entry per product: the number of its group within one level, -1 where unknown."""


@dataclass(frozen=True)
class Smoothed:
    """The smoothed averages: over all products, and per level (finest first) a row per group."""

    overall: Floats
    levels: tuple[Floats, ...]


def smooth(values: Floats, weights: Floats, levels: Sequence[Groups]) -> Smoothed:
    """Average the products' values in each group of each level.

    ``values``, of shape (products, columns), is anything that can be averaged: scores, one-hot
    classes. The weight 0 leaves a product out. ``levels`` are group numbers, finest level first. A
    group without weight has its parent's average; the parent is the group of the next coarser level
    that is known.
    """
    total = weights.sum()
    columns = values.shape[1]
    overall = weights @ values / total if total else np.full(columns, 1 / columns)
    above = np.tile(overall, (values.shape[0], 1))
    has_parent = np.zeros(values.shape[0], dtype=np.bool_)
    smoothed: list[Floats] = []
    for groups in reversed(levels):
        size = int(groups.max(initial=-1)) + 1
        known = groups >= 0
        mass = np.bincount(groups[known], weights[known], minlength=size)
        sums = np.column_stack(
            [np.bincount(groups[known], (weights * v)[known], minlength=size) for v in values.T]
        )
        parent = np.tile(overall, (size, 1))
        nested = known & has_parent
        parent[groups[nested]] = above[nested]
        averages = (sums + STRENGTH * parent) / (mass + STRENGTH)[:, None]
        smoothed.append(averages)
        above[known] = averages[groups[known]]
        has_parent |= known
    return Smoothed(overall, tuple(reversed(smoothed)))


def fallback(smoothed: Smoothed, levels: Sequence[Groups]) -> Floats:
    """Give each product the average of its finest known group, at last the overall one."""
    products = levels[0].size if levels else 0
    values = np.tile(smoothed.overall, (products, 1))
    for groups, averages in zip(reversed(levels), reversed(smoothed.levels), strict=True):
        known = groups >= 0
        values[known] = averages[groups[known]]
    return values

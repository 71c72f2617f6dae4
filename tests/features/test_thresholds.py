from itertools import permutations, product

import numpy as np
import pytest

from basketwise.arrays import Floats, Labels
from basketwise.features.thresholds import apply_thresholds, fit_thresholds


def most_right(values: Floats, y: Labels) -> int:
    """Try every pair of thresholds and every order of the classes."""
    cuts = [-np.inf, *np.unique(values).tolist()]
    return max(
        int((np.asarray(order)[np.searchsorted([a, b], values)] == y).sum())
        for a, b in product(cuts, cuts)
        if a <= b
        for order in permutations(range(3))
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_thresholds_are_the_best_there_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, y = rng.integers(0, 12, 60) / 8, rng.integers(0, 3, 60).astype(np.int8)
    pieces = fit_thresholds(values, y)
    assert (apply_thresholds(pieces, values) == y).sum() == most_right(values, y)

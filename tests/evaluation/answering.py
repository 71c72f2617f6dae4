"""Made-up answers of models whose quality is known, for the tests of intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Labels
from basketwise.evaluation.intervals import Bootstrap
from basketwise.report.types.scores import Interval

BOOTSTRAP = Bootstrap(resamples=4_000, confidence=0.95, seed=1)


def answers(baskets: int, *, right: float, seed: int) -> tuple[Labels, Labels]:
    """Draw true classes, and answers of which so many are right by construction."""
    rng = np.random.default_rng(seed)
    true = rng.choice(3, baskets, p=[0.5, 0.3, 0.2]).astype(np.int8)
    shift = np.where(rng.random(baskets) < right, 0, rng.integers(1, 3, baskets))
    return true, ((true + shift) % 3).astype(np.int8)


def challenged(baskets: int, seed: int) -> tuple[Labels, dict[str, Labels]]:
    """Add a champion that shares most of the challenger's mistakes, so that pairing matters."""
    true, challenger = answers(baskets, right=0.85, seed=seed)
    worse = np.arange(baskets) % 8 == 0
    champion = np.where(worse, (true + 1) % 3, challenger).astype(np.int8)
    return true, {"challenger": challenger, "champion": champion}


def customers(baskets: int, seed: int) -> NDArray[np.int64]:
    """Give some a card and many baskets; every third basket has none."""
    rng = np.random.default_rng(seed)
    units = rng.integers(0, baskets // 6, baskets)
    return np.where(np.arange(baskets) % 3 == 0, baskets + np.arange(baskets), units)


def width(interval: Interval) -> float:
    return interval["high"] - interval["low"]

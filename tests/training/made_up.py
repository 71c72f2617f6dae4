"""Training rows out of a random generator, for tests of the machinery of training."""

from __future__ import annotations

import numpy as np
import polars as pl

from basketwise.training.examples import Examples


def made_up(rows: int, seed: int = 0, folds: int = 3) -> Examples:
    """Four columns, of which one tells most of the class; each fold holds every class."""
    rng = np.random.default_rng(seed)
    y = (np.arange(rows) // folds % 3).astype(np.int8)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    X[:, 0] += y
    fold = (np.arange(rows) % folds).astype(np.int8)
    return Examples(pl.Series(np.arange(rows)), X, y, fold, ("a", "b", "c", "d"))

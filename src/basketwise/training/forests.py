"""A random forest asked about few rows: tree by tree, as starting workers would take longer."""

from __future__ import annotations

from typing import Any

import numpy as np

from basketwise.arrays import Matrix, Probabilities
from basketwise.schema import CLASSES
from basketwise.training.candidates import Predictor

FEW = 20
"""Rows up to which scikit-learn's checks and workers, one per tree, are most of the time."""


def predict_proba(model: Predictor, X: Matrix) -> Probabilities:
    """Return what the model's own method does, to the bit."""
    if X.shape[0] > FEW or not _is_forest(model):
        return model.predict_proba(X)
    forest: Any = model
    # In the order of the trees, as scikit-learn adds them up in one thread.
    total = np.zeros((X.shape[0], len(CLASSES)))
    for tree in forest.estimators_:
        total += tree.tree_.predict(X)[:, : len(CLASSES)]
    total /= len(forest.estimators_)
    return total


def _is_forest(model: Predictor) -> bool:
    kind = type(model)
    forest = (kind.__module__, kind.__name__) == (
        "sklearn.ensemble._forest",
        "RandomForestClassifier",
    )
    return forest and getattr(model, "n_jobs", 0) in (None, 1)

"""Accuracy, precision, recall and F1 from the confusion matrix, classes in the fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np

from basketwise.arrays import Counts, Floats, Labels
from basketwise.schema import CLASSES


@dataclass(frozen=True)
class Scores:
    """Scores of one set of predictions; the macro averages are plain means over the classes."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    per_class_precision: Floats
    per_class_recall: Floats
    per_class_f1: Floats
    support: Counts
    """Baskets of each class."""
    confusion: Counts
    """Rows: true class, columns: predicted class."""


@overload
def confusion_matrix(true: Labels, predicted: Labels) -> Counts: ...
@overload
def confusion_matrix(true: Labels, predicted: Labels, weights: Floats) -> Floats: ...
def confusion_matrix(
    true: Labels, predicted: Labels, weights: Floats | None = None
) -> Counts | Floats:
    """Count true class (row) by predicted class (column), order Low, Medium, High.

    With ``weights``, a basket counts as its weight.
    """
    size = len(CLASSES)
    cells = true.astype(np.int64) * size + predicted
    return np.bincount(cells, weights, minlength=size * size).reshape(size, size)


def scores(confusion: Counts) -> Scores:
    """Compute all scores of a confusion matrix.

    A class that was never predicted has precision 0, one that does not occur recall 0, as in
    scikit-learn with ``zero_division=0``.
    """
    right = np.diagonal(confusion).astype(np.float64)
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _share(right, predicted), _share(right, true)
    f1 = _share(2 * right, true + predicted)
    return Scores(
        float(right.sum() / max(confusion.sum(), 1)),
        float(precision.mean()),
        float(recall.mean()),
        float(f1.mean()),
        precision,
        recall,
        f1,
        true,
        confusion,
    )


def class_f1(confusions: Counts | Floats) -> Floats:
    """Return each class's F1 of many matrices at once, shape (many, classes)."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1).astype(np.float64)
    return _share(2 * right, confusions.sum(axis=-1) + confusions.sum(axis=-2))


def macro_f1(confusions: Counts | Floats) -> Floats:
    """Return the macro-F1 of many matrices at once, shape (many, classes, classes)."""
    return np.asarray(class_f1(confusions).mean(axis=-1), dtype=np.float64)


def _share(part: Floats, total: Counts | Floats) -> Floats:
    return np.divide(part, total, out=np.zeros_like(part), where=total > 0)

"""How good a candidate is at training baskets that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from basketwise.arrays import Floats, Labels, Probabilities
from basketwise.training.examples import Examples
from basketwise.training.metrics import Scores, confusion_matrix, macro_f1, scores
from basketwise.training.predictions import decide
from basketwise.training.weights import is_late


@dataclass(frozen=True)
class CrossValidated:
    """Scores of out-of-fold predictions, weighed; the deviation is that between the folds.

    The two forward ones are plain scores of the latest weeks, where those are a fold.
    """

    accuracy: float
    accuracy_std: float
    f1: float
    forward_accuracy: float | None
    forward_f1: float | None


def cross_validated(
    rows: Examples, out_of_fold: Probabilities, weights: Floats, forward: bool
) -> CrossValidated:
    """Score out-of-fold predictions.

    Parameters
    ----------
    rows : Examples
        The training baskets, then those with hidden products.
    out_of_fold : array
        A candidate's predictions of them.
    weights : array
        From :func:`basketwise.training.weights.judging_weights`.
    forward : bool
        The last fold is the latest weeks.
    """
    predicted = decide(out_of_fold)
    right = (predicted == rows.y).astype(np.float64)
    real, late = rows.is_real, is_late(rows, forward)
    per_fold = np.bincount(rows.fold[real], right[real]) / np.bincount(rows.fold[real])
    latest = _scored(rows.take(np.flatnonzero(late)), predicted[late]) if late.any() else None
    return CrossValidated(
        accuracy=float((weights * right).sum() / weights.sum()),
        accuracy_std=float(per_fold.std()),
        f1=float(macro_f1(confusion_matrix(rows.y, predicted, weights))),
        forward_accuracy=latest.accuracy if latest else None,
        forward_f1=latest.f1 if latest else None,
    )


def _scored(rows: Examples, predicted: Labels) -> Scores:
    return scores(confusion_matrix(rows.y, predicted))

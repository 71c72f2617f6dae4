"""How good a candidate is at training baskets that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from basketwise.arrays import Flags, Floats, Labels, Probabilities
from basketwise.training.examples import Examples
from basketwise.training.metrics import confusion_matrix, macro_f1, scores
from basketwise.training.predictions import decide
from basketwise.training.weights import is_late


@dataclass(frozen=True)
class CrossValidated:
    """Scores of out-of-fold predictions, weighed; the deviation is that between the folds.

    The two forward ones are plain scores of the latest weeks, where those are a fold. ``folds`` is
    how many folds were predicted; of one alone there is no deviation.
    """

    accuracy: float
    accuracy_std: float | None
    f1: float
    forward_accuracy: float | None
    forward_f1: float | None
    folds: int


def cross_validated(
    rows: Examples, out_of_fold: Probabilities, weights: Floats, forward: bool
) -> CrossValidated:
    """Score out-of-fold predictions.

    Parameters
    ----------
    rows : Examples
        The training baskets, then those with hidden products.
    out_of_fold : array
        A candidate's predictions of them; NaN in folds that it was not asked about.
    weights : array
        From :func:`basketwise.training.weights.judging_weights`.
    forward : bool
        The last fold is the latest weeks.
    """
    known = predicted_rows(out_of_fold)
    weights = weights_of_part(rows, weights, known, forward)
    predicted = decide(out_of_fold)
    right = (predicted == rows.y).astype(np.float64)
    own = known & rows.is_real
    baskets = np.bincount(rows.fold[own])
    per_fold = (np.bincount(rows.fold[own], right[own]) / np.maximum(baskets, 1))[baskets > 0]
    late = is_late(rows, forward) & known
    latest = scores(confusion_matrix(rows.y[late], predicted[late])) if late.any() else None
    return CrossValidated(
        accuracy=float((weights * right).sum() / weights.sum()),
        accuracy_std=float(per_fold.std()) if per_fold.size > 1 else None,
        f1=weighed_f1(rows.y, predicted, weights),
        forward_accuracy=latest.accuracy if latest else None,
        forward_f1=latest.f1 if latest else None,
        folds=per_fold.size,
    )


def predicted_rows(out_of_fold: Probabilities) -> Flags:
    """Mark the rows that a candidate was asked about."""
    return ~np.isnan(out_of_fold[:, 0])


def weights_of_part(rows: Examples, weights: Floats, part: Flags, forward: bool) -> Floats:
    """Weigh the rows of some folds, ``part``, as all of them are: 0 elsewhere.

    The fold of the latest weeks, if there is one, counts as much beside the others as it does where
    all folds are there.
    """
    if part.all():
        return weights
    last = forward & (rows.fold == rows.fold.max(initial=0))
    scaled = np.zeros(weights.size)
    for group in (last, ~last):
        own = group & part
        total = weights[own].sum()
        if total > 0:
            scaled[own] = weights[own] * (weights[group].sum() / total)
    return scaled


def weighed_f1(y: Labels, predicted: Labels, weights: Floats) -> float:
    """Return the macro-F1 of weighed rows."""
    return float(macro_f1(confusion_matrix(y, predicted, weights)))

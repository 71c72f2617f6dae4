"""How good a candidate is at training baskets that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from basketwise.arrays import Flags, Floats, Probabilities
from basketwise.training.examples import Examples
from basketwise.training.metrics import Scores, confusion_matrix, scores
from basketwise.training.predictions import decide


@dataclass(frozen=True)
class CrossValidated:
    """Scores of out-of-fold predictions.

    Where the last fold is the latest weeks, it counts as much as all the others together: they
    show how well the model does in weeks that it knows, it shows how well in the next ones. The
    deviation is that between the folds.
    """

    accuracy: float
    accuracy_std: float
    f1: float
    forward_accuracy: float | None
    forward_f1: float | None


def cross_validated(train: Examples, out_of_fold: Probabilities, forward: bool) -> CrossValidated:
    """Score out-of-fold predictions, one row per training basket.

    ``forward``: the last fold is the latest weeks.
    """
    predicted = decide(out_of_fold)
    right = (predicted == train.y).astype(np.float64)
    per_fold = np.bincount(train.fold, right) / np.bincount(train.fold)
    late = _late(train, forward)

    def scored(rows: Flags) -> Scores:
        return scores(confusion_matrix(train.y[rows], predicted[rows]))

    if not late.any():
        return CrossValidated(
            float(per_fold.mean()), float(per_fold.std()), scored(~late).f1, None, None
        )
    known, latest = scored(~late), scored(late)
    return CrossValidated(
        accuracy=float((per_fold[:-1].mean() + latest.accuracy) / 2),
        accuracy_std=float(per_fold.std()),
        f1=(known.f1 + latest.f1) / 2,
        forward_accuracy=latest.accuracy,
        forward_f1=latest.f1,
    )


def weights_of(rows: Examples, own: int, forward: bool) -> Floats:
    """Weigh out-of-fold predictions for the calibration.

    The latest weeks, where they are a fold, count as much as all other training baskets together.
    ``own``: number of training baskets; the rows behind them are those with hidden products, which
    count once.
    """
    late = _late(rows, forward)
    late[own:] = False
    weights = np.ones(rows.y.size)
    if late.any():
        weights[late] = (own - late.sum()) / late.sum()
    return weights


def _late(rows: Examples, forward: bool) -> Flags:
    return np.asarray(forward & (rows.fold == rows.fold.max(initial=0)))

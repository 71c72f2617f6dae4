"""From features to the probabilities that are shipped, and to the class that they decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import local
from time import perf_counter

import numpy as np

from basketwise.arrays import Matrix, Probabilities
from basketwise.features.product import SHARE_NEW
from basketwise.schema import CLASSES
from basketwise.training.calibration import Calibration, calibrate, shipped
from basketwise.training.candidates import Predictor
from basketwise.training.forests import predict_proba
from basketwise.training.predictions import decide

_spent = local()


def seconds_estimating() -> float:
    """Return how long this thread has been estimating since it was last asked."""
    seconds: float = getattr(_spent, "seconds", 0.0)
    _spent.seconds = 0.0
    return seconds


@dataclass(frozen=True)
class Estimating:
    """The winner with its calibration, and the second model for baskets with many new products.

    ``columns`` are the features in the order in which the models see them.
    """

    estimator: Predictor
    calibration: Calibration
    columns: Sequence[str]
    novelty: Predictor | None = None

    def probabilities(self, X: Matrix) -> Probabilities:
        """Return the calibrated probabilities of some baskets."""
        started = perf_counter()
        try:
            return self._probabilities(X)
        finally:
            _spent.seconds = getattr(_spent, "seconds", 0.0) + perf_counter() - started

    def _probabilities(self, X: Matrix) -> Probabilities:
        if not X.shape[0]:
            return np.empty((0, len(CLASSES)))
        first = predict_proba(self.estimator, X).astype(np.float64)
        second = self.novelty
        if second is None:
            return calibrate(first, self.calibration)
        # As in training: in single precision, as the models see it.
        new = X[:, self.columns.index(SHARE_NEW)].astype(np.float64)
        return shipped(first, new, self.calibration, lambda rows: predict_proba(second, X[rows]))


def decided(probabilities: Probabilities) -> list[str]:
    """Return the names of the likeliest classes."""
    # In single precision, as stored and evaluated: otherwise ties could be decided differently.
    return [CLASSES[number] for number in decide(probabilities.astype(np.float32)).tolist()]

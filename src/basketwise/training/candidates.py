"""Building and fitting the candidates.

Each works in one thread: several are trained side by side instead, which wastes less time in
waiting, and boosting adds up its histograms in the same order on any machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.candidates import CANDIDATES
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import ConfigError
from basketwise.importing import LOADING
from basketwise.training.boosting import boost
from basketwise.training.growing import grow
from basketwise.training.leaves import smooth_leaves

if TYPE_CHECKING:
    from xgboost import XGBClassifier

    from basketwise.training.checkpoints import Checkpoints


class Predictor(Protocol):
    """What is used of a fitted model."""

    def predict_proba(self, X: Matrix) -> Probabilities:
        """Return one column of probabilities per class number."""


class Classifier(Predictor, Protocol):
    """What is used of a scikit-learn classifier."""

    def fit(self, X: Matrix, y: Labels) -> Classifier:
        """Learn from rows of features and class numbers."""


def build(name: ModelName, config: TrainingConfig, baskets: int) -> Classifier:
    """Build an untrained candidate, to be trained on a number of baskets."""
    limit = config.forest_max_baskets
    parameters = {"random_state": config.random_state, **getattr(config, name)}
    try:
        most = limit if 0 < limit < baskets else None
        # Also loads its library.
        with LOADING:
            model = CANDIDATES[name].build(parameters, most)
    except TypeError as error:
        raise ConfigError(
            f"training.{name} contains a parameter that the estimator does not have: {error}.",
            "Settings are passed to the estimator; see its documentation for their names.",
        ) from error
    return cast("Classifier", model)


def fit_candidate(
    name: ModelName,
    model: Classifier,
    X: Matrix,
    y: Labels,
    config: TrainingConfig,
    checkpoints: Checkpoints,
    piece: str,
) -> float:
    """Fit an untrained candidate in place; return the seconds it took.

    Those before an interruption are included. A fit that can be interrupted stores its progress in
    the checkpoints under the name of the piece.

    Raises
    ------
    ConfigError
        If the estimator refuses the value of a parameter.
    """
    with _refused_values(name):
        if CANDIDATES[name].boosted:
            return boost(
                cast("XGBClassifier", model), X, y, config.checkpoint_rounds, checkpoints, piece
            )
        started = time.perf_counter()
        if CANDIDATES[name].grown and config.forest_stops_early:
            grow(model, X, y)
        else:
            model.fit(X, y)
        if CANDIDATES[name].single_tree:
            smooth_leaves(cast("Any", model).tree_)
        return time.perf_counter() - started


@contextmanager
def _refused_values(name: ModelName) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # By name: neither library is loaded where the other's models alone are fitted.
        kind, said = type(error).__name__, str(error).strip()
        if kind != "InvalidParameterError" and not (kind == "XGBoostError" and "Parameter" in said):
            raise
        raise ConfigError(
            f"training.{name} contains a value that the estimator does not accept: "
            f"{said.splitlines()[0].rstrip('.')}.",
            "Settings are passed to the estimator; see its documentation for their ranges.",
        ) from error

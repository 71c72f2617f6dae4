"""The four candidates, from their names and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import ConfigError


class Classifier(Protocol):
    """What is used of a scikit-learn classifier."""

    def fit(self, X: Matrix, y: Labels) -> Classifier:
        """Learn from rows of features and class numbers."""
        ...

    def predict_proba(self, X: Matrix) -> Probabilities:
        """Return one column of probabilities per class number."""
        ...


def build(name: ModelName, config: TrainingConfig, baskets: int) -> Classifier:
    """Build an untrained candidate.

    Each works in one thread: several are trained side by side instead, which wastes less time in
    waiting, and boosting adds up its histograms in the same order on any machine.

    Parameters
    ----------
    name : str
        One of ``logistic``, ``decision_tree``, ``random_forest``, ``xgboost``.
    config : TrainingConfig
        Its section of the same name goes to the estimator as it is.
    baskets : int
        Rows it will be trained on.

    Raises
    ------
    ConfigError
        If the estimator does not know a setting.
    """
    settings = cast("Mapping[str, Any]", getattr(config, name))
    try:
        return _build(name, settings, config, baskets)
    except TypeError as error:
        raise ConfigError(
            f"training.{name} holds a setting that the model does not have: {error}.",
            "Settings are passed to the estimator; see its documentation for their names.",
        ) from error


def _build(
    name: ModelName, settings: Mapping[str, Any], config: TrainingConfig, baskets: int
) -> Classifier:
    seed = config.random_state
    if name == "logistic":
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        # Many rows, few columns: Newton steps on the small Hessian converge in a dozen rounds.
        options = {"solver": "newton-cholesky", "random_state": seed, **settings}
        model: Any = make_pipeline(StandardScaler(), LogisticRegression(**options))
    elif name == "decision_tree":
        from sklearn.tree import DecisionTreeClassifier

        model = DecisionTreeClassifier(**{"random_state": seed, **settings})
    elif name == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        capped = 0 < config.forest_max_baskets < baskets
        options = {
            "random_state": seed,
            "n_jobs": 1,
            "max_samples": config.forest_max_baskets if capped else None,
            **settings,
        }
        model = RandomForestClassifier(**options)
    else:
        from xgboost import XGBClassifier

        options = {"random_state": seed, "n_jobs": 1, "tree_method": "hist", **settings}
        model = XGBClassifier(**options)
    return cast("Classifier", model)

"""The candidates: one entry of ``CANDIDATES`` is all that training, storing and the report know.

Each works in one thread: several are trained side by side instead, which wastes less time in
waiting, and boosting adds up its histograms in the same order on any machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from basketwise.arrays import Labels, Matrix, Probabilities
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import ConfigError
from basketwise.training.boosting import boost

if TYPE_CHECKING:
    from basketwise.training.checkpoints import Checkpoints


class Predictor(Protocol):
    """What is used of a fitted model."""

    def predict_proba(self, X: Matrix) -> Probabilities:
        """Return one column of probabilities per class number."""
        ...


class Classifier(Predictor, Protocol):
    """What is used of a scikit-learn classifier."""

    def fit(self, X: Matrix, y: Labels) -> Classifier:
        """Learn from rows of features and class numbers."""
        ...


Settings: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """An algorithm that can win.

    Attributes
    ----------
    name
        As in the settings: ``training.<name>`` are the parameters of its estimator.
    title
        As the report calls it.
    build
        Returns the untrained estimator, from its parameters, the settings of training, and the
        number of baskets it will be trained on.
    weight
        How long a fit takes beside the others; the heaviest are started first, so that no worker
        is left alone with one at the end.
    trusted
        Types beyond skops' own list that the fitted estimator is made of. Constructing one must be
        harmless, whatever its file contains.
    fit
        Fits in place and returns the seconds it took; ``None``: ``estimator.fit(X, y)``.
        The checkpoints and the name of the piece let an interrupted fit go on.
    """

    name: ModelName
    title: str
    build: Callable[[Settings, TrainingConfig, int], Any]
    weight: int
    trusted: tuple[str, ...] = ()
    fit: Callable[[Any, Matrix, Labels, TrainingConfig, Checkpoints, str], float] | None = None


def build(name: ModelName, config: TrainingConfig, baskets: int) -> Classifier:
    """Build an untrained candidate.

    Parameters
    ----------
    name : str
        A key of ``CANDIDATES``.
    config : TrainingConfig
        Its section of the same name goes to the estimator as it is.
    baskets : int
        Rows it will be trained on.

    Raises
    ------
    ConfigError
        If the estimator does not know a setting.
    """
    try:
        model = CANDIDATES[name].build(getattr(config, name), config, baskets)
    except TypeError as error:
        raise ConfigError(
            f"training.{name} contains a setting that the model does not have: {error}.",
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
    """Fit an untrained candidate in place.

    Parameters
    ----------
    name : str
        Which candidate it is.
    model : Classifier
        From :func:`build`.
    X, y : array
        Rows of features, and their class numbers.
    config : TrainingConfig
        Settings.
    checkpoints : Checkpoints
        Where a fit that can be interrupted stores its progress.
    piece : str
        What the progress is stored for.

    Returns
    -------
    float
        Seconds that the fit took, those before an interruption included.
    """
    fit = CANDIDATES[name].fit
    if fit is not None:
        return fit(model, X, y, config, checkpoints, piece)
    started = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - started


def _logistic(settings: Settings, config: TrainingConfig, baskets: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Many rows, few columns: Newton steps on the small Hessian converge in a dozen rounds.
    options = {"solver": "newton-cholesky", "random_state": config.random_state, **settings}
    return make_pipeline(StandardScaler(), LogisticRegression(**options))


def _decision_tree(settings: Settings, config: TrainingConfig, baskets: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(**{"random_state": config.random_state, **settings})


def _random_forest(settings: Settings, config: TrainingConfig, baskets: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    capped = 0 < config.forest_max_baskets < baskets
    options = {
        "random_state": config.random_state,
        "n_jobs": 1,
        "max_samples": config.forest_max_baskets if capped else None,
        **settings,
    }
    return RandomForestClassifier(**options)


def _xgboost(settings: Settings, config: TrainingConfig, baskets: int) -> Any:
    from xgboost import XGBClassifier

    options = {"random_state": config.random_state, "n_jobs": 1, "tree_method": "hist", **settings}
    return XGBClassifier(**options)


_TREE = "sklearn.tree._tree.Tree"

CANDIDATES: Mapping[ModelName, Candidate] = {
    candidate.name: candidate
    for candidate in (
        Candidate("logistic", "logistic regression", _logistic, 20),
        Candidate("decision_tree", "decision tree", _decision_tree, 10, (_TREE,)),
        Candidate("random_forest", "random forest", _random_forest, 40, (_TREE,)),
        Candidate(
            "xgboost",
            "XGBoost",
            _xgboost,
            30,
            ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"),
            lambda model, X, y, config, checkpoints, piece: boost(
                model, X, y, config.checkpoint_rounds, checkpoints, piece
            ),
        ),
    )
}
"""By name, in the order of the settings."""

TRUSTED = tuple(sorted({name for candidate in CANDIDATES.values() for name in candidate.trusted}))
"""All types beyond skops' own list that a model file may contain."""

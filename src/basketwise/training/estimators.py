"""Whether a loaded estimator is a candidate as its training leaves it, in every value it uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from basketwise.schema import CLASSES

MAX_THREADS = 1_024
ROWS = 8


def check_estimator(model: Any, features: int | None) -> None:
    """Refuse an estimator that is none of the candidates, or has a value that none would have.

    Parameters
    ----------
    model : object
        Made of trusted types alone; its trees and its booster are checked already.
    features : int, optional
        How many features it must have been fitted on.

    Raises
    ------
    ValueError, AttributeError, TypeError
        Says what is wrong.
    """
    parts = list(_parts(model))
    fitted = int(model.n_features_in_)
    if features is not None and fitted != features:
        raise ValueError(f"the model was fitted on {fitted} features, and not on {features}")
    for part in parts:
        _check_part(part, fitted)
    _check_answers(model.predict_proba(_examples(fitted)))


def _parts(model: Any) -> Iterator[Any]:
    """Yield an estimator and those it is made of."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    yield model
    expected: list[type] = []
    parts: list[Any] = []
    if type(model) is Pipeline:
        expected, parts = [StandardScaler, LogisticRegression], [step for _, step in model.steps]
        if model.memory is not None:
            raise ValueError("its pipeline has a memory")
    elif type(model) is RandomForestClassifier:
        parts = list(model.estimators_)
        expected = [DecisionTreeClassifier] * max(len(parts), 1)
    elif type(model) is not DecisionTreeClassifier and not _is_xgboost(model):
        raise ValueError(f"it is of type {type(model).__name__}, which is no candidate")
    if [type(part) for part in parts] != expected:
        raise ValueError("its parts are not those of a candidate")
    yield from parts


def _is_xgboost(model: Any) -> bool:
    if type(model).__module__ != "xgboost.sklearn":
        return False
    from xgboost import Booster, XGBClassifier

    if type(model) is XGBClassifier and type(model.get_booster()) is not Booster:
        raise ValueError("its booster is no booster")
    return type(model) is XGBClassifier


def _check_part(part: Any, features: int) -> None:
    kind = type(part)
    shadowing = [name for name in vars(part) if callable(getattr(kind, name, None))]
    if shadowing:
        raise ValueError(f"its {shadowing[0]} is no method")
    threads = getattr(part, "n_jobs", None)
    if threads is not None and (type(threads) is not int or abs(threads) > MAX_THREADS):
        raise ValueError(f"its n_jobs is {threads!r}"[:100])
    if int(part.n_features_in_) != features:
        raise ValueError("its parts were fitted on other numbers of features")
    names = {"StandardScaler": ("mean_", "scale_"), "LogisticRegression": ("coef_", "intercept_")}
    shapes = {"coef_": (len(CLASSES), features), "intercept_": (len(CLASSES),)}
    for name in names.get(kind.__name__, ()):
        values = getattr(part, name)
        if values.shape != shapes.get(name, (features,)) or values.dtype.kind != "f":
            raise ValueError(f"its {name} does not have one number per feature and class")
        if not np.isfinite(values).all():
            raise ValueError(f"its {name} has numbers that are not finite")
    if kind.__name__ == "StandardScaler":
        return
    if not np.array_equal(np.asarray(part.classes_), np.arange(len(CLASSES))):
        raise ValueError(f"its classes are not those of {', '.join(CLASSES)}")
    if kind.__name__.endswith(("TreeClassifier", "ForestClassifier")):
        _check_outputs(part, features)


def _check_outputs(part: Any, features: int) -> None:
    """Compare what a tree or a forest says of itself with what its tables are."""
    if part.n_outputs_ != 1 or part.n_classes_ != len(CLASSES):
        raise ValueError("it has another number of classes")
    tree = getattr(part, "tree_", None)
    if tree is not None and (type(tree).__name__, tree.n_features) != ("Tree", features):
        raise ValueError("its tree was fitted on another number of features")


def _examples(features: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    rows = np.random.default_rng(0).normal(scale=10.0, size=(ROWS, features))
    rows[0] = 0
    return np.ascontiguousarray(rows, dtype=np.float32)


def _check_answers(probabilities: Any) -> None:
    """Expect one probability per class of every row."""
    answers = np.asarray(probabilities)
    if answers.shape != (ROWS, len(CLASSES)) or answers.dtype.kind != "f":
        raise ValueError("it does not give one probability per class")
    if not ((answers >= 0) & (answers <= 1)).all() or not np.allclose(answers.sum(axis=1), 1):
        raise ValueError("it does not give probabilities")

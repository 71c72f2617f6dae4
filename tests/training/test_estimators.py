"""Fitted estimators: a value that no training leaves is refused, whatever its type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from basketwise.schema import CLASSES
from basketwise.training.estimators import check_estimator

FEATURES = 3
X = np.random.default_rng(0).normal(size=(60, FEATURES)).astype(np.float32)
Y = np.arange(60) % len(CLASSES)

Edit = Callable[[Any], object]


def tree() -> Any:
    return DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, Y)


def forest() -> Any:
    return RandomForestClassifier(2, max_depth=2, random_state=0, n_jobs=1).fit(X, Y)


def logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


@pytest.mark.parametrize("made", [tree, forest, logistic])
def test_a_sound_candidate_passes(made: Callable[[], Any]) -> None:
    check_estimator(made(), FEATURES)


@pytest.mark.parametrize(
    ("made", "edit", "message"),
    [
        (tree, lambda m: setattr(m, "predict_proba", [1]), "its predict_proba is no method"),
        (tree, lambda m: setattr(m, "classes_", np.arange(2)), "classes are not"),
        (tree, lambda m: setattr(m, "n_classes_", 2), "another number of classes"),
        (tree, lambda m: setattr(m, "predict", print), "its predict is no method"),
        (forest, lambda m: setattr(m, "n_jobs", 10**6), "its n_jobs is"),
        (forest, lambda m: setattr(m.estimators_[0], "n_features_in_", 2), "other numbers"),
        (forest, lambda m: m.estimators_.append(logistic()), "parts are not those"),
        (logistic, lambda m: setattr(m, "memory", "/somewhere"), "a memory"),
        (logistic, lambda m: m.steps.__setitem__(0, ("a", MinMaxScaler())), "not those"),
        (logistic, lambda m: setattr(m[-1], "coef_", np.ones((1, 2))), "one number per feature"),
        (logistic, lambda m: m[-1].coef_.fill(np.nan), "not finite"),
        (logistic, lambda m: setattr(m[0], "scale_", np.ones(5)), "one number per feature"),
    ],
)
def test_an_edited_candidate_is_refused(made: Callable[[], Any], edit: Edit, message: str) -> None:
    model = made()
    edit(model)
    with pytest.raises((ValueError, TypeError), match=message):
        check_estimator(model, FEATURES)


def test_a_candidate_of_other_features_or_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="fitted on 3 features, and not on 4"):
        check_estimator(tree(), FEATURES + 1)
    with pytest.raises(ValueError, match="KNeighborsClassifier, which is no candidate"):
        check_estimator(KNeighborsClassifier().fit(X, Y), FEATURES)

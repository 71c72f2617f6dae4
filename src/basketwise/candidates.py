"""The candidates: an entry of ``CANDIDATES`` is all that settings, training and report know of one.

Libraries are imported when an estimator is built: the settings read this table at every start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Parameters: TypeAlias = Mapping[str, Any]


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
        Returns the untrained estimator from its parameters, ``random_state`` among them, and the
        number of baskets that each of its parts may see (None: all).
    parameters
        Their defaults.
    weight
        How long a fit takes beside the others; the heaviest are started first, so that no worker
        is left alone with one at the end.
    estimator
        Whose parameters they are, for the settings' documentation.
    trusted
        Types of the objects that the fitted estimator is made of, plain values and arrays aside.
        Constructing one must be harmless, whatever its file contains.
    most
        Baskets that it learns from, at most; drawn where there are more.
    boosted
        Whether it is fitted round by round, so that an interrupted fit goes on where it was.
    single_tree
        Whether it is one tree, whose leaves are smoothed; many are smooth by being averaged.
    grown
        Whether it is a forest that stops growing once more trees do not pay; see
        :mod:`basketwise.training.growing`.
    """

    name: str
    title: str
    build: Callable[[Parameters, int | None], Any]
    parameters: Parameters
    weight: int
    estimator: str
    trusted: tuple[str, ...]
    most: int | None = None
    boosted: bool = False
    single_tree: bool = False
    grown: bool = False


def _logistic(parameters: Parameters, max_samples: int | None) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Many rows, few columns: Newton steps on the small Hessian converge in a dozen rounds.
    options = {"solver": "newton-cholesky", **parameters}
    return make_pipeline(StandardScaler(), LogisticRegression(**options))


def _decision_tree(parameters: Parameters, max_samples: int | None) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(**parameters)


def _random_forest(parameters: Parameters, max_samples: int | None) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**{"n_jobs": 1, "max_samples": max_samples, **parameters})


def _xgboost(parameters: Parameters, max_samples: int | None) -> Any:
    from xgboost import XGBClassifier

    model = XGBClassifier(**{"n_jobs": 1, "tree_method": "hist", **parameters})
    if unused := _unused(model):
        raise TypeError(f"XGBClassifier does not use {', '.join(unused)}")
    return model


def _unused(model: Any) -> list[str]:
    """Return the parameters that XGBoost does not know, which it only warns of.

    The names of its own that XGBClassifier takes as well, such as eta, are in no list: a booster
    tells which it knows.
    """
    others = sorted(getattr(model, "kwargs", ()))
    if not others:
        return []
    import numpy as np
    from xgboost import DMatrix, train
    from xgboost.core import XGBoostError

    task = {"objective": "multi:softprob", "num_class": 3, "verbosity": 0}
    try:
        rows = DMatrix(np.zeros((3, 1)), label=np.arange(3))
        booster = train(model.get_xgb_params() | task, rows, 1)
    except XGBoostError:
        # A value out of range is refused where the model is fitted.
        return []
    known = set(_names(json.loads(booster.save_config())))
    return [name for name in others if name not in known]


def _names(document: Any) -> Iterator[str]:
    """Yield every key of a JSON document."""
    if isinstance(document, dict):
        yield from document
    for value in document.values() if isinstance(document, dict) else document:
        if isinstance(value, dict | list):
            yield from _names(value)


_TREE = ("sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._tree.Tree")

CANDIDATES: Mapping[str, Candidate] = {
    candidate.name: candidate
    for candidate in (
        Candidate(
            "logistic",
            "logistic regression",
            _logistic,
            {"max_iter": 1000},
            weight=20,
            # More would not change its few coefficients; but beside millions, the penalty is too
            # small to make up for columns that follow from others, and scikit-learn warns.
            most=500_000,
            estimator="scikit-learn's LogisticRegression",
            trusted=(
                "sklearn.linear_model._logistic.LogisticRegression",
                "sklearn.pipeline.Pipeline",
                "sklearn.preprocessing._data.StandardScaler",
            ),
        ),
        Candidate(
            "decision_tree",
            "decision tree",
            _decision_tree,
            {"max_depth": 10, "min_samples_split": 20, "min_samples_leaf": 10},
            weight=10,
            estimator="scikit-learn's DecisionTreeClassifier",
            trusted=_TREE,
            # Its thousand leaves are settled by far fewer.
            most=1_000_000,
            single_tree=True,
        ),
        Candidate(
            "random_forest",
            "random forest",
            _random_forest,
            {"n_estimators": 100, "max_depth": 15, "min_samples_split": 20, "min_samples_leaf": 5},
            weight=40,
            # Each tree sees a part of them anyway, see ``training.forest_max_baskets``.
            most=1_000_000,
            estimator="scikit-learn's RandomForestClassifier",
            trusted=("sklearn.ensemble._forest.RandomForestClassifier", *_TREE),
            grown=True,
        ),
        Candidate(
            "xgboost",
            "XGBoost",
            _xgboost,
            {
                "n_estimators": 100,
                "max_depth": 6,
                "learning_rate": 0.1,
                "subsample": 0.8,
                "colsample_bytree": 0.8,
            },
            weight=30,
            estimator="XGBClassifier",
            trusted=("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"),
            boosted=True,
            # As many as the tree and the forest: what more of them would bring was not measured.
            most=1_000_000,
        ),
    )
}
"""By name, in the order of the settings."""

TRUSTED = tuple(sorted({name for candidate in CANDIDATES.values() for name in candidate.trusted}))
"""All types of objects that a model file may contain."""

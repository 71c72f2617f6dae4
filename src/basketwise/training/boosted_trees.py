"""Classifiers of XGBoost read from ``model.skops`` and applied by XGBoost's library alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from basketwise.schema import CLASSES
from basketwise.training.boosters import check_learner, learner_of
from basketwise.training.persistence import FIELD
from basketwise.training.skops_file import read_skops
from basketwise.training.trial import try_booster
from basketwise.training.xgboost_library import BoostedTrees, find_library

CLASSIFIER = ("xgboost.sklearn", "XGBClassifier")


def read_boosted_trees(data: bytes, features: int) -> BoostedTrees | None:
    """Read a classifier of XGBoost from the content of ``model.skops``, from anywhere.

    None if it is none over so many features, if it is not applied in the plain way, or XGBoost's
    library is not found: then the package itself has to judge it.

    Raises
    ------
    ValueError
        If its trees are damaged.
    """
    if find_library() is None:
        return None
    try:
        file = read_skops(data)
        if (file.schema["__module__"], file.schema["__class__"]) != CLASSIFIER:
            return None
        state = file.schema["content"]["content"]
        node = state[FIELD]
        if node["__loader__"] != "BytearrayNode" or not _is_plain(state):
            return None
        booster = bytes(file.members[node["file"]])
        threads = int(json.loads(state["n_jobs"]["content"]) or 0)
        learner = learner_of(booster)
        kind = (learner["gradient_booster"]["name"], learner["objective"]["name"])
        if kind != ("gbtree", "multi:softprob") or check_learner(learner) != features:
            return None
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    try_booster(booster, features)
    return BoostedTrees(booster, threads)


def _is_plain(state: dict[str, Any]) -> bool:
    """Whether all trees are applied, and what is missing is not a number."""

    def value(name: str) -> Any:
        return json.loads(state[name]["content"])

    return (
        value("early_stopping_rounds") is None
        and np.isnan(float(value("missing")))
        and value("n_classes_") == len(CLASSES)
    )

"""XGBoost's models as its own JSON, of which every tree is checked before XGBoost reads it.

XGBoost follows the numbers of its trees without a look at them, and reads the bytes of a pickled
model as they are: one wrong byte can end the process. So a model is stored as JSON, its trees are
checked here, and :mod:`basketwise.training.trial` applies it in another process first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from basketwise.artifact.documents import parse_json
from basketwise.schema import CLASSES

if TYPE_CHECKING:
    from xgboost import Booster

MAX_BYTES = 32 * 2**20
MAX_VALUES = 3_000_000
LEAF = -1


def dump_booster(booster: Booster) -> bytes:
    """Return a model as XGBoost's JSON: the same bytes for the same model."""
    return bytes(booster.save_raw("json"))


def load_booster(data: bytes, threads: int | None) -> Booster:
    """Load a model that :func:`check_booster` has accepted."""
    import xgboost

    return xgboost.Booster({"nthread": threads or 0}, model_file=bytearray(data))


def check_booster(data: bytes) -> int:
    """Return the number of features of a model in XGBoost's JSON, which may come from anywhere.

    Raises
    ------
    ValueError, LookupError, TypeError
        If it is not one of our classes, or a tree would lead astray.
    """
    return check_learner(learner_of(data))


def learner_of(data: bytes) -> dict[str, Any]:
    """Parse a model in XGBoost's JSON, which may come from anywhere, within bounds."""
    learner: dict[str, Any] = parse_json(data, MAX_BYTES, MAX_VALUES)["learner"]
    return learner


def check_learner(learner: dict[str, Any]) -> int:
    """Check a parsed model as :func:`check_booster` does."""
    shape, gradient_booster = learner["learner_model_param"], learner["gradient_booster"]
    features = int(shape["num_feature"])
    if int(shape["num_class"]) != len(CLASSES) or features < 1:
        raise ValueError("an XGBoost model of other classes or features")
    if gradient_booster["name"] == "gblinear":
        weights = _numbers(gradient_booster["model"]["weights"])
        if weights.size != (features + 1) * len(CLASSES):
            raise ValueError("an XGBoost model with a wrong number of weights")
        return features
    if gradient_booster["name"] == "dart":
        dropped = _numbers(gradient_booster["weight_drop"]).size
        gradient_booster = gradient_booster["gbtree"]
        if dropped != len(gradient_booster["model"]["trees"]):
            raise ValueError("an XGBoost model with a wrong number of weights")
    if gradient_booster["name"] != "gbtree":
        raise ValueError("an XGBoost model of an unknown kind")
    _check_forest(gradient_booster["model"], features)
    return features


def _check_forest(model: dict[str, Any], features: int) -> None:
    trees, outputs = model["trees"], _numbers(model["tree_info"], whole=True)
    rounds = _numbers(model.get("iteration_indptr", [0, len(trees)]), whole=True)
    if not int(model["gbtree_model_param"]["num_trees"]) == len(trees) == outputs.size:
        raise ValueError("an XGBoost model with a wrong number of trees")
    if (outputs < 0).any() or (outputs >= len(CLASSES)).any():
        raise ValueError("an XGBoost model with a tree of an unknown class")
    if not rounds.size or rounds[0] != 0 or rounds[-1] != len(trees) or (np.diff(rounds) < 0).any():
        raise ValueError("an XGBoost model with a wrong number of rounds")
    if any(model.get("cats", {}).values()):
        raise ValueError("an XGBoost model of categories")
    for tree in trees:
        _check_tree(tree, features)


def _check_tree(tree: dict[str, Any], features: int) -> None:
    whole = ("left_children", "right_children", "split_indices", "split_type", "default_left")
    left, right, feature, kind, _ = (_numbers(tree[name], whole=True) for name in whole)
    condition, weights = (_numbers(tree[name]) for name in ("split_conditions", "base_weights"))
    nodes, width = int(tree["tree_param"]["num_nodes"]), int(tree["tree_param"]["size_leaf_vector"])
    sizes = {len(tree[name]) for name in whole} | {condition.size, weights.size // max(width, 1)}
    if sizes != {nodes} or not nodes or not 0 <= width <= len(CLASSES) or kind.any():
        raise ValueError("an XGBoost tree whose arrays do not have one entry per node")
    inner = left != LEAF
    if width <= 1:
        unused = right[~inner] == LEAF
    else:
        # There it is the number of the leaf's own vector.
        leaves = _numbers(tree["leaf_weights"]).size // width
        unused = (right[~inner] >= LEAF) & (right[~inner] < leaves)
    children = np.concatenate([left[inner], right[inner]])
    if not unused.all() or (children < 1).any() or (children >= nodes).any():
        raise ValueError("an XGBoost tree with a child that is out of range")
    # Nobody's child twice, and the root nobody's: there are no loops.
    if np.unique(children).size != children.size:
        raise ValueError("an XGBoost tree with a loop")
    if (feature[inner] < 0).any() or (feature[inner] >= features).any():
        raise ValueError("an XGBoost tree that asks for a feature that is out of range")


def _numbers(values: Any, *, whole: bool = False) -> NDArray[Any]:
    """Return a list of JSON as an array of finite numbers; ``whole`` ones fit into 32 bits."""
    if not isinstance(values, list):
        raise TypeError("an XGBoost model with something else than numbers")
    array = np.asarray(values) if values else np.empty(0)
    if array.ndim != 1 or array.dtype.kind not in ("biu" if whole and values else "iuf"):
        raise ValueError("an XGBoost model with something else than numbers")
    if (whole and (np.abs(array) >= 2**31).any()) or not np.isfinite(array).all():
        raise ValueError("an XGBoost model with a number that is out of range")
    return array

"""A decision tree read from ``model.skops`` and applied by NumPy alone.

Importing skops and scikit-learn takes longer than scoring a small file. A decision tree is a table
of nodes, so it needs neither: the answers are scikit-learn's to the bit. Nothing is constructed
from the file but arrays of numbers, and a table that would lead astray is not followed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Matrix, Probabilities
from basketwise.schema import CLASSES
from basketwise.training.skops_file import SkopsFile, read_array, read_skops

TREE = ("sklearn.tree._classes", "DecisionTreeClassifier")
FIELDS = ("left_child", "right_child", "feature", "threshold")
TYPES = [np.dtype(np.int64)] * 3 + [np.dtype(np.float64)]
LEAF = -1
MAX_FEATURES = 10_000
FEW = 10
"""Up to this number of rows, a walk of each is faster than a step of all at once."""


@dataclass(frozen=True)
class DecisionTree:
    """What of a fitted tree is needed to predict: one entry per node."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    """Numbers of the children, -1 for a leaf; a child comes after its parent."""
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    """A row goes left where its feature is at most the threshold."""
    values: Probabilities
    """Class shares."""

    def predict_proba(self, X: Matrix) -> Probabilities:
        """Return the class shares of each row's leaf."""
        if X.shape[0] <= FEW:
            return self.values[[self._leaf_of(row) for row in X.tolist()]]
        node = np.zeros(X.shape[0], dtype=np.int64)
        inner = np.flatnonzero(self.left[node] != LEAF)
        while inner.size:
            at = node[inner]
            goes_left = X[inner, self.feature[at]] <= self.threshold[at]
            node[inner] = np.where(goes_left, self.left[at], self.right[at])
            inner = inner[self.left[node[inner]] != LEAF]
        return self.values[node]

    @cached_property
    def _nodes(self) -> list[tuple[int, int, int, float]]:
        columns = (self.left, self.right, self.feature, self.threshold)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def _leaf_of(self, row: list[float]) -> int:
        node, (left, right, feature, threshold) = 0, self._nodes[0]
        while left != LEAF:
            node = left if row[feature] <= threshold else right
            left, right, feature, threshold = self._nodes[node]
        return node


def read_tree(data: bytes, features: int) -> DecisionTree | None:
    """Read a decision tree from the content of ``model.skops``, which may come from anywhere.

    None if it is no decision tree over so many features and our classes, or not as expected: then
    scikit-learn's own loader has to judge it.
    """
    try:
        file = read_skops(data)
        if (file.schema["__module__"], file.schema["__class__"]) != TREE:
            return None
        state = file.schema["content"]["content"]
        classes = read_array(file.members, state["classes_"])
        read, expected = tree_of(state["tree_"], file)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    ours = np.array_equal(classes, np.arange(len(CLASSES)))
    return read if ours and expected == features else None


def tree_of(node: Mapping[str, Any], file: SkopsFile) -> tuple[DecisionTree, int]:
    """Return a ``sklearn.tree._tree.Tree`` of a skops file, and the number of its features.

    scikit-learn follows the table of nodes without a look at its numbers: one that is wrong ends
    the process, or never ends. So all are checked: every row ends in a leaf, whatever its values.

    Raises
    ------
    ValueError, LookupError, TypeError
        If anything of it is not as scikit-learn would have left it.
    """
    n_features, _, n_outputs = node["__reduce__"]["args"]["content"]
    features, outputs = _number(n_features), _number(n_outputs)
    n_classes = read_array(file.members, node["__reduce__"]["args"]["content"][1])
    state = node["content"]["content"]
    table, values = (read_array(file.members, state[name]) for name in ("nodes", "values"))
    nodes, counted = len(table), _number(state["node_count"])
    if n_classes.tolist() != [len(CLASSES)] or outputs != 1 or not 0 < features <= MAX_FEATURES:
        raise ValueError("a tree of other classes or features")
    if table.shape != (counted,) or values.shape != (counted, 1, len(CLASSES)):
        raise ValueError("a tree whose arrays do not have one entry per node")
    left, right, feature, threshold = (table[name] for name in FIELDS)
    if [column.dtype for column in (left, right, feature, threshold)] != TYPES:
        raise ValueError("a tree whose arrays are of other types")
    if values.dtype != np.float64 or set(state) != {"max_depth", "node_count", "nodes", "values"}:
        raise ValueError("a tree that is not as scikit-learn leaves it")
    _number(state["max_depth"])
    number = np.arange(nodes)
    inner = left != LEAF
    children = [side[inner] for side in (left, right)]
    if not nodes or (right[~inner] != LEAF).any():
        raise ValueError("a tree with a node that is neither a leaf nor has two children")
    # A child comes after its parent, so there are no loops.
    if any((side <= number[inner]).any() or (side >= nodes).any() for side in children):
        raise ValueError("a tree with a child that is out of range")
    if np.unique(np.concatenate(children)).size != 2 * inner.sum():
        raise ValueError("a tree with a node that has two parents")
    if (feature[inner] < 0).any() or (feature[inner] >= features).any():
        raise ValueError("a tree that asks for a feature that is out of range")
    if not np.isfinite(values).all() or not np.isfinite(threshold[inner]).all():
        raise ValueError("a tree with numbers that are not finite")
    # Of leaves, what scikit-learn fills in is never used.
    asked = np.where(inner, feature, 0)
    return DecisionTree(left, right, asked, threshold, values.reshape(nodes, -1)), features


def construct_tree(node: Mapping[str, Any], file: SkopsFile) -> Any:
    """Construct scikit-learn's tree from one that :func:`tree_of` has checked."""
    from sklearn.tree._tree import Tree

    n_features, n_classes, n_outputs = node["__reduce__"]["args"]["content"]
    classes = read_array(file.members, n_classes).astype(np.intp)
    tree = Tree(_number(n_features), classes, _number(n_outputs))
    state = node["content"]["content"]
    numbers = {name: _number(state[name]) for name in ("max_depth", "node_count")}
    arrays = {name: read_array(file.members, state[name]) for name in ("nodes", "values")}
    tree.__setstate__(numbers | arrays)
    return tree


def _number(node: Mapping[str, Any]) -> int:
    """Return a whole number of a skops file."""
    value = json.loads(node["content"])
    if node["__loader__"] != "JsonNode" or type(value) is not int or not 0 <= value < 2**31:
        raise ValueError("a number that is not whole")
    return value

"""A decision tree read from ``model.skops`` and applied by NumPy alone.

Importing skops and scikit-learn takes longer than scoring a small file. A decision tree is a table
of nodes, so it needs neither: the answers are scikit-learn's to the bit. Nothing is constructed
from the file but arrays of numbers, and a table that would lead astray is not followed.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Matrix, Probabilities
from basketwise.schema import CLASSES

SCHEMA = "schema.json"
TREE = ("sklearn.tree._classes", "DecisionTreeClassifier")
FIELDS = ("left_child", "right_child", "feature", "threshold")
LEAF = -1
MAX_BYTES = 2**28
"""Of an array of nodes; far larger than any tree that Basketwise trains."""


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
        node = np.zeros(X.shape[0], dtype=np.int64)
        inner = np.flatnonzero(self.left[node] != LEAF)
        while inner.size:
            at = node[inner]
            goes_left = X[inner, self.feature[at]] <= self.threshold[at]
            node[inner] = np.where(goes_left, self.left[at], self.right[at])
            inner = inner[self.left[node[inner]] != LEAF]
        return self.values[node]


def read_tree(data: bytes, features: int) -> DecisionTree | None:
    """Read a decision tree from the content of ``model.skops``, which may come from anywhere.

    None if it is no decision tree over so many features and our classes, or not as expected: then
    scikit-learn's own loader has to judge it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            schema = json.loads(archive.read(SCHEMA))
            if (schema["__module__"], schema["__class__"]) != TREE:
                return None
            state = schema["content"]["content"]
            classes = _array(archive, state["classes_"])
            tree = state["tree_"]["content"]["content"]
            nodes, values = (_array(archive, tree[name]) for name in ("nodes", "values"))
        left, right, feature, threshold = (nodes[name] for name in FIELDS)
    except (zipfile.BadZipFile, LookupError, TypeError, ValueError, OSError, EOFError):
        return None
    read = DecisionTree(
        left.astype(np.int64),
        right.astype(np.int64),
        feature.astype(np.int64),
        threshold.astype(np.float64),
        values.reshape(len(values), -1).astype(np.float64),
    )
    expected_classes = np.array_equal(classes, np.arange(len(CLASSES)))
    return read if expected_classes and _leads_to_leaves(read, features) else None


def _array(archive: zipfile.ZipFile, state: Any) -> NDArray[Any]:
    if archive.getinfo(state["file"]).file_size > MAX_BYTES:
        raise ValueError("the array is too large")
    return np.asarray(np.load(io.BytesIO(archive.read(state["file"])), allow_pickle=False))


def _leads_to_leaves(tree: DecisionTree, features: int) -> bool:
    """Whether every row ends in a leaf for any values: no loops, no index out of range."""
    nodes = tree.left.size
    number = np.arange(nodes)
    inner = tree.left != LEAF
    children = np.concatenate([tree.left[inner], tree.right[inner]])
    parents = np.concatenate([number[inner], number[inner]])
    return bool(
        nodes
        and tree.values.shape == (nodes, len(CLASSES))
        and np.isfinite(tree.values).all()
        and (tree.right[~inner] == LEAF).all()
        and (children > parents).all()
        and (children < nodes).all()
        and (tree.feature[inner] >= 0).all()
        and (tree.feature[inner] < features).all()
    )

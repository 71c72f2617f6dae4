"""Probabilities of a decision tree's leaves: their own shares, and a little of those above them.

Most leaves are pure, and a small pure leaf is as certain as a large one. So each node's shares are
mixed with those of its parent, which count as one more basket of the node. What results differs by
the size of a leaf and by how mixed its surroundings are; a calibration then says what it is worth.

Reference: Agarwal, Tan, Ronen, Singh and Yu, "Hierarchical Shrinkage: Improving the Accuracy and
Interpretability of Tree-Based Models", 2022.
"""

from __future__ import annotations

from typing import Any

WEIGHT = 1.0
"""Of the parent's shares, in baskets."""
LEAF = -1


def smooth_leaves(tree: Any) -> None:
    """Mix the class shares of each node with its parent's, in place.

    Parameters
    ----------
    tree
        A ``sklearn.tree._tree.Tree`` of a fitted classifier. A node comes before its children.
    """
    values, size = tree.value, tree.weighted_n_node_samples
    for node, children in enumerate(zip(tree.children_left, tree.children_right, strict=True)):
        for child in children:
            if child != LEAF:
                mixed = size[child] * values[child] + WEIGHT * values[node]
                values[child] = mixed / (size[child] + WEIGHT)

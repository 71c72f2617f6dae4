import numpy as np
from sklearn.tree import DecisionTreeClassifier

from basketwise.training.leaves import smooth_leaves


def test_each_node_is_mixed_with_its_smoothed_parent() -> None:
    # Twelve rows: two thresholds part them into leaves of 6, 4 and 2 rows.
    X = np.repeat([[0.0], [1.0], [2.0]], [6, 4, 2], axis=0).astype(np.float32)
    y = np.repeat([0, 1, 2], [6, 4, 2])
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    smooth_leaves(model.tree_)
    root = np.array([6, 4, 2]) / 12
    first = (np.array([6, 0, 0]) + root) / 7
    rest = (np.array([0, 4, 2]) + root) / 7
    expected = [first, (np.array([0, 4, 0]) + rest) / 5, (np.array([0, 0, 2]) + rest) / 3]
    np.testing.assert_allclose(model.predict_proba(X[[0, 6, 10]]), expected)


def test_the_smaller_of_two_pure_leaves_is_less_certain_and_classes_stay() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2_000, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1.9)
    model = DecisionTreeClassifier(min_samples_leaf=5, random_state=0).fit(X, y)
    before, leaf = model.predict_proba(X), model.apply(X)
    smooth_leaves(model.tree_)
    after = model.predict_proba(X)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert (after > 0).all()
    pure = before.max(axis=1) == 1
    sizes = np.bincount(leaf)[leaf]
    assert (
        after.max(axis=1)[pure & (sizes < 50)].max() < after.max(axis=1)[pure & (sizes > 500)].min()
    )
    np.testing.assert_array_equal(after.argmax(axis=1)[pure], before.argmax(axis=1)[pure])


def test_a_tree_of_one_leaf_stays_as_it_is() -> None:
    model = DecisionTreeClassifier(max_depth=1).fit(np.zeros((4, 1)), [0, 1, 1, 1])
    smooth_leaves(model.tree_)
    np.testing.assert_array_equal(model.predict_proba([[0.0]]), [[0.25, 0.75]])

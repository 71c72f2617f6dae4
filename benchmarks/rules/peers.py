"""Three other methods that learn a basket's class from its products.

They get the same training baskets and nothing of the test set. Seeds are fixed, and each uses one
thread.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from basketwise.arrays import Counts, Floats, Labels
from basketwise.schema import CLASSES
from benchmarks.rules.split import Baskets

Peer = Callable[[Baskets, Baskets], Labels]
"""Learns from training baskets, and returns the predicted classes of test baskets."""

SEED = 0
FOLDS = 5
PRIOR_BASKETS = 10
"""So many average baskets are added to those of each product before its classes are counted."""

STRENGTHS = (10.0, 100.0, 1_000.0)
"""Candidates for the inverse penalty of the logistic regression."""
TUNED_ON = 20_000
"""So many training baskets at most choose among them."""

BOOSTING = {
    "objective": "multiclass",
    "num_class": len(CLASSES),
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "num_threads": 1,
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROUNDS = 300

ITERATIONS = 600
"""Of the logistic regression; a third of them to choose the penalty."""


def logistic_on_shares(train: Baskets, test: Baskets) -> Labels:
    """Multinomial logistic regression on the share of each product in the lines.

    The penalty is the one of :data:`STRENGTHS` that is best on a fifth of some training baskets,
    after training on the others of them.
    """
    some = np.random.default_rng(SEED).permutation(train.y.size)[:TUNED_ON]
    rest, judged = train.take(some[some.size // FOLDS :]), train.take(some[: some.size // FOLDS])
    right = [
        (_logistic(rest, judged, strength, ITERATIONS // 3) == judged.y).mean()
        for strength in STRENGTHS
    ]
    return _logistic(train, test, STRENGTHS[int(np.argmax(right))], ITERATIONS)


def _logistic(train: Baskets, test: Baskets, strength: float, iterations: int) -> Labels:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=iterations)
    with warnings.catch_warnings():
        # The iterations end before it has converged.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train.shares, train.y)
    return np.asarray(model.predict(test.shares), dtype=np.int8)


def boosted_encodings(train: Baskets, test: Baskets) -> Labels:
    """LightGBM on target encodings of the products: see :func:`encode`, and facts of the basket.

    A training basket is encoded by the labels of the other folds only.
    """
    import lightgbm

    fold, encoded = _folds(train.y.size), np.empty((train.y.size, 3 * len(CLASSES)))
    for number in range(FOLDS):
        own = np.flatnonzero(fold == number)
        others = train.take(np.flatnonzero(fold != number))
        encoded[own] = encode(train.take(own), others)
    learned = np.hstack([encoded, train.facts])
    booster = lightgbm.train(BOOSTING, lightgbm.Dataset(learned, train.y), ROUNDS)
    scored = booster.predict(np.hstack([encode(test, train), test.facts]), num_threads=1)
    return np.asarray(np.argmax(np.asarray(scored), axis=1), dtype=np.int8)


def encode(baskets: Baskets, labelled: Baskets) -> Floats:
    """Return mean, smallest and largest encoding of the products, for each class.

    A product's encoding is the share of each class among the baskets of ``labelled`` that contain
    it; unknown products have the shares of all baskets. Shape (baskets, 3 * classes).
    """
    of_class = np.eye(len(CLASSES))[labelled.y]
    overall = of_class.mean(axis=0)
    contained = csr_array(
        (np.ones(labelled.counts.nnz), labelled.counts.indices, labelled.counts.indptr),
        shape=labelled.counts.shape,
    )
    by_class = contained.T @ of_class + PRIOR_BASKETS * overall
    encoding = by_class / by_class.sum(axis=1, keepdims=True)
    counts = baskets.counts
    unseen = baskets.size - counts.sum(axis=1)
    mean = (counts @ encoding + unseen[:, None] * overall) / baskets.size[:, None]
    # A row of overall shares at the end of each basket, so that none is empty.
    basket = np.repeat(np.arange(baskets.size.size), np.diff(counts.indptr))
    owner = np.concatenate([basket, np.arange(baskets.size.size)])
    values = np.vstack([encoding[counts.indices], np.tile(overall, (baskets.size.size, 1))])
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(baskets.size.size))
    ends = [extreme.reduceat(values[order], starts) for extreme in (np.minimum, np.maximum)]
    return np.hstack([mean, *ends])


def naive_bayes(train: Baskets, test: Baskets) -> Labels:
    """Multinomial naive Bayes on the number of lines of each product."""
    from sklearn.naive_bayes import MultinomialNB

    model = MultinomialNB().fit(train.counts, train.y)
    return np.asarray(model.predict(test.counts), dtype=np.int8)


PEERS: dict[str, Peer] = {
    "logistic on shares": logistic_on_shares,
    "LightGBM on encodings": boosted_encodings,
    "naive Bayes": naive_bayes,
}


def _folds(baskets: int) -> Counts:
    return np.asarray(np.random.default_rng(SEED).permutation(baskets) % FOLDS, dtype=np.int64)

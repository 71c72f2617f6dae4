"""From rough coefficients to a class for every product, by likelihood.

Ridge treats a basket's label as a sum of what its products say. Real labels are decided more like a
vote, so coefficients of products often bought with informative ones are off, and with them the
class of a few products in a hundred. The refinement asks instead, for every product and every class
it might have: how likely are the labels of the short baskets it is in, given the classes of the
*other* products there? How a label follows from a basket's count of each class is itself counted
from the training baskets, with no rule assumed. Classes and counts are improved in turn until they
agree, as in classification EM (Celeux and Govaert, 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Floats
from basketwise.features.product_index.hierarchy import Groups, fallback, smooth

PSEUDO_COUNT = 0.5
"""Weight of the overall label shares in the count table: keeps unseen combinations possible."""

Classes = NDArray[np.int64]


@dataclass(frozen=True)
class ShortBaskets:
    """The lines of short training baskets, sorted by product.

    ``product`` and ``basket`` have one entry per line, ``label`` one per basket. ``products`` and
    ``labels`` say how many there are, ``longest`` how many lines a basket has at most.
    """

    product: NDArray[np.int64]
    basket: NDArray[np.int64]
    label: NDArray[np.int64]
    products: int
    labels: int
    longest: int

    def without(self, left_out: NDArray[np.bool_]) -> ShortBaskets:
        """Leave out the baskets that the mask marks."""
        number = np.cumsum(~left_out) - 1
        kept = ~left_out[self.basket]
        return ShortBaskets(
            self.product[kept],
            number[self.basket[kept]],
            self.label[~left_out],
            self.products,
            self.labels,
            self.longest,
        )


def refine(
    baskets: ShortBaskets, start: Classes, levels: Sequence[Groups], rounds: int
) -> tuple[Classes, Floats]:
    """Improve the products' classes until nothing changes, at most ``rounds`` times.

    ``start`` is a first guess of each product's class; the classes of its group in ``levels``
    (finest first) are its prior. Returns the likeliest class, int64 of shape (products,), and the
    posterior probabilities, shape (products, labels), rows sum to 1. No rounds keep the start, with
    probability 1.
    """
    classes = start
    probabilities = np.eye(baskets.labels)[classes]
    seen = np.bincount(baskets.product, minlength=baskets.products) > 0
    for _ in range(rounds):
        prior = smooth(np.eye(baskets.labels)[classes], seen.astype(np.float64), levels)
        log_prior = np.log(np.maximum(fallback(prior, levels), 1e-9))
        evidence = log_prior + _log_likelihoods(baskets, classes)
        improved = evidence.argmax(axis=1)
        odds = np.exp(evidence - evidence.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        settled = np.array_equal(improved, classes)
        classes = improved
        if settled:
            break
    return classes, probabilities


def _log_likelihoods(baskets: ShortBaskets, classes: Classes) -> Floats:
    """Sum, for each product and class, the log-probability of its baskets' labels.

    A basket's counts of each class are written as the digits of one number, the basket's *code*;
    to try another class for one of its products is then one subtraction and one addition.
    """
    base = baskets.longest + 1
    digit = base ** np.arange(baskets.labels, dtype=np.int64)
    size = int(base**baskets.labels)
    code = np.bincount(
        baskets.basket, digit[classes[baskets.product]], minlength=baskets.label.size
    ).astype(np.int64)
    counts = np.bincount(
        code * baskets.labels + baskets.label, minlength=size * baskets.labels
    ).reshape(size, baskets.labels)
    overall = np.bincount(baskets.label, minlength=baskets.labels) / max(baskets.label.size, 1)
    log_probability = np.log(
        (counts + PSEUDO_COUNT * np.maximum(overall, 1e-9))
        / (counts.sum(axis=1, keepdims=True) + PSEUDO_COUNT)
    )
    # Row (others' code, label): log-probability of the label with each class added to the others.
    others = np.arange(size)[:, None] + digit[None, :]
    tried = log_probability[np.minimum(others, size - 1)].transpose(0, 2, 1)
    table = np.ascontiguousarray(tried).reshape(size * baskets.labels, baskets.labels)
    rows = (code[baskets.basket] - digit[classes[baskets.product]]) * baskets.labels
    rows += baskets.label[baskets.basket]
    sums = np.zeros((baskets.products, baskets.labels))
    if rows.size:
        starts = np.flatnonzero(np.diff(baskets.product, prepend=-1))
        sums[baskets.product[starts]] = np.add.reduceat(table[rows], starts, axis=0)
    return sums

"""What weighs a product within its basket: a line, its spend or its quantity.

A label may be a vote of lines or of money. Which one it is shows in how well each tells labels of
baskets that it was not learned from, so all are tried on a part of the training set.
"""

from __future__ import annotations

import numpy as np

from basketwise.arrays import Floats
from basketwise.concurrency import worker_pool
from basketwise.features.product_index.hierarchy import Groups
from basketwise.features.product_index.pairs import WEIGHTINGS, Pairs, Weighting, sums
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.propagation import first_guess, propagate
from basketwise.features.product_index.ridge import ridge_coefficients
from basketwise.features.product_index.votes import ballot, cells, count_labels
from basketwise.schema import INDEX_LABELS

MOST_ENTRIES = 100_000
"""Entries that are tried; a part of the baskets is drawn where there are more."""
ERRORS = 3.0
"""Standard errors that another weighting must be better by than lines, which need no reason."""
ROUNDS = 8


def choose_weighting(
    pairs: Pairs,
    prices: Floats,
    levels: tuple[Groups, ...],
    seed: int,
    penalty: float,
    power: float,
) -> Weighting:
    """Return the weighting that tells the labels of left-out baskets best."""
    share = MOST_ENTRIES / max(pairs.product.size, 1)
    rng = np.random.default_rng(seed)
    if share < 1:
        pairs = pairs.take(rng.random(pairs.label.size) < share)
    left_out = pairs.fold == 0
    learned, judged = pairs.take(~left_out), pairs.take(left_out)
    if not learned.label.size or not judged.label.size:
        return "lines"
    products = prices.size
    tried = {weighting: learned.shares(weighting) for weighting in WEIGHTINGS}
    others = [w for w, shares in tried.items() if not np.allclose(shares, tried["lines"])]
    if not others:
        return "lines"

    def score(weighting: Weighting) -> Floats:
        shares = tried[weighting]
        (scores,) = ridge_coefficients(
            learned,
            shares,
            products,
            len(INDEX_LABELS),
            [None],
            penalty=penalty,
            size_power=power,
        )
        prior = ClassPrior(learned.baskets_with(products), prices, levels)
        beliefs = propagate(learned, shares, first_guess(scores), prior, ROUNDS)
        return told(judged, np.exp(beliefs.posterior), weighting)

    compared: list[Weighting] = ["lines", *others]
    with worker_pool() as pool:
        scored = dict(zip(compared, pool.map(score, compared), strict=True))
    best: Weighting = "lines"
    for weighting in others:
        gain = scored[weighting] - scored["lines"]
        error = gain.std() / np.sqrt(gain.size)
        if gain.mean() > ERRORS * error and scored[weighting].sum() > scored[best].sum():
            best = weighting
    return best


def told(pairs: Pairs, posterior: Floats, weighting: Weighting) -> Floats:
    """Return the log-probability of each basket's label, counted from the other half of them."""
    shares = pairs.shares(weighting)
    own = ballot(
        posterior.T[:, pairs.product].astype(np.float32), shares, pairs.start, pairs.basket()
    )
    cell = cells(*sums(own.stacked(), pairs.start))
    half = np.arange(pairs.label.size) % 2 == 0
    logs = np.zeros(pairs.label.size)
    for counted in (half, ~half):
        table = count_labels(cell[counted], pairs.label[counted])
        logs[~counted] = table[cell[~counted], pairs.label[~counted]]
    return logs

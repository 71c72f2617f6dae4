"""What is known of a product before any basket: learned from all the other products.

Rare products decide few labels, so their own baskets say little; their group, how common they are
and where their price is within their group say more. How much each of these says is learned: the
probabilities of the classes are a multinomial logistic function of them, whose coefficients
maximise the likelihood of the evidence on all products (empirical Bayes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.optimize import minimize

from basketwise.arrays import Counts, Flags, Floats, spaced
from basketwise.features.product_index.hierarchy import Groups
from basketwise.schema import INDEX_LABELS

LABELS = len(INDEX_LABELS)
STRENGTH = 3.0
"""Weight of a group's parent, in products of the group."""
PENALTY = 1.0
STEPS = 25
"""Of the optimiser at a time; it goes on from where it was when the evidence has changed."""
LEAST = -12.0
"""The smallest log-likelihood ratio that evidence is taken at: what it rests on is not certain."""
MOST = 20_000
"""Products that the prior is fitted to, at most: it has a hundred and some coefficients."""
COMMON = np.array([1.5, 3.0, 5.0, 7.0])
"""Knots over the binary logarithm of a product's baskets; below the first, all are alike."""
RANKS = np.linspace(0, 1, 11)
"""Knots over the rank of a price within its group."""
FEWEST = 3
"""Products with a price that a group needs for ranks."""


class ClassPrior:
    """The prior of some products; :meth:`learn` fits it to evidence.

    Parameters
    ----------
    seen : array
        Baskets of each product. Products without any are not learned from.
    prices : array
        Unit price of each product; NaN where unknown.
    levels : sequence of arrays
        Group numbers, finest level first.
    """

    def __init__(self, seen: Counts, prices: Floats, levels: Sequence[Groups]) -> None:
        self._seen = seen > 0
        rows = np.flatnonzero(self._seen)
        # Evenly spaced: products are sorted by code, so all parts of the range have their share.
        self._fitted = rows[spaced(rows.size, MOST)]
        self._levels = levels
        ranks = [_ranks(prices, groups) for groups in levels[:2]]
        self._fixed = np.column_stack([np.ones(seen.size), common(seen), *ranks])
        self._unseen = np.column_stack([np.ones(seen.size), common(seen * 0), *ranks])
        self._coefficients = np.zeros((self._fixed.shape[1] + 2 * LABELS, LABELS))
        self._groups = np.zeros((seen.size, 2 * LABELS))

    def learn(self, evidence: Floats, prior: Floats) -> Floats:
        """Fit the prior to evidence.

        Parameters
        ----------
        evidence : array
            Log-likelihoods of each class by the products' baskets, shape (products, labels).
        prior : array
            The log-prior so far, with which the groups' shares are counted.

        Returns
        -------
        array
            The log-prior of each product, shape (products, labels).
        """
        groups = self._of_groups(_probabilities(prior + evidence))
        design = np.column_stack([self._fixed, groups])
        rows = self._fitted
        likelihood = evidence[rows] - evidence[rows].max(axis=1, keepdims=True)
        likelihood = np.exp(np.maximum(likelihood, LEAST))
        X = design[rows]
        start = self._coefficients

        def loss(flat: Floats) -> tuple[float, Floats]:
            coefficients = flat.reshape(start.shape)
            expected = _probabilities(X @ coefficients)
            joint = expected * likelihood
            total = joint.sum(axis=1, keepdims=True)
            slope = X.T @ (expected - joint / total) + PENALTY * coefficients
            value = -np.log(total).sum() + PENALTY / 2 * (coefficients**2).sum()
            return float(value), slope.ravel()

        solved = minimize(
            loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}
        )
        self._coefficients = solved.x.reshape(start.shape)
        self._groups = groups
        return _log_probabilities(design @ self._coefficients)

    def of_unseen(self) -> Floats:
        """Return the log-prior that each product would have if no basket contained it."""
        return _log_probabilities(
            np.column_stack([self._unseen, self._groups]) @ self._coefficients
        )

    def _of_groups(self, probabilities: Floats) -> Floats:
        """Return centred log-shares of the classes among the *other* products of each group."""
        weight = self._seen.astype(np.float64)
        own = probabilities * weight[:, None]
        overall = own.sum(axis=0) / weight.sum() if weight.any() else np.ones(LABELS)
        parent = np.tile(overall, (weight.size, 1))
        shares: list[Floats] = []
        for groups in reversed(self._levels):
            known = groups >= 0
            parent[known] = _others(own, weight, groups, known, parent)
            shares.append(parent.copy())
        finest = shares[::-1][:2]
        logs = [np.log(np.maximum(share, 1e-3)) for share in finest]
        return np.column_stack([log - log.mean(axis=1, keepdims=True) for log in logs])


def _others(own: Floats, weight: Floats, groups: Groups, known: Flags, parent: Floats) -> Floats:
    number = groups[known]
    size = int(number.max(initial=-1)) + 1
    mass = np.bincount(number, weight[known], minlength=size)[number] - weight[known]
    sums = np.column_stack(
        [np.bincount(number, column, minlength=size)[number] for column in own[known].T]
    )
    sums = np.maximum(sums - own[known], 0)
    return np.asarray((sums + STRENGTH * parent[known]) / (np.maximum(mass, 0) + STRENGTH)[:, None])


def common(seen: Counts) -> Floats:
    """Describe how many baskets products have, as weights of the knots."""
    return hats(np.log2(np.maximum(seen, 1)), COMMON)


def hats(values: Floats, knots: Floats) -> Floats:
    """Return the weight of each knot in a piecewise linear function; rows sum to 1."""
    values = np.clip(values, knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, knots.size - 2)
    right_weight = (values - knots[left]) / (knots[left + 1] - knots[left])
    weights = np.zeros((values.size, knots.size))
    rows = np.arange(values.size)
    weights[rows, left] = 1 - right_weight
    weights[rows, left + 1] += right_weight
    return weights


def _ranks(prices: Floats, groups: Groups) -> Floats:
    """Describe the rank of each price within its group; zeros where there is none."""
    rows = np.flatnonzero((groups >= 0) & ~np.isnan(prices))
    # Equal prices have the mean of their ranks.
    ranked = pl.DataFrame({"group": groups[rows], "price": prices[rows]}).select(
        pl.col("price").rank().over("group").alias("rank"), pl.len().over("group").alias("size")
    )
    # NumPy divides exactly where Polars multiplies by the inverse.
    rank, size = ranked["rank"].to_numpy(), ranked["size"].to_numpy()
    enough = size >= FEWEST
    weights = np.zeros((prices.size, RANKS.size))
    weights[rows[enough]] = hats(((rank - 0.5) / size)[enough], RANKS)
    return weights


def _probabilities(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _log_probabilities(logits: Floats) -> Floats:
    return np.log(np.maximum(_probabilities(logits), 1e-9))

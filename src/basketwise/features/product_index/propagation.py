"""From rough coefficients to the probabilities of every product's class, by belief propagation.

Ridge treats a basket's label as a sum of what its products say. Real labels are decided more like a
vote, so coefficients of products often bought with informative ones are off. Here each basket sends
each of its products a message instead: how likely is the basket's label with each class that the
product might have, given what is believed of the *other* products there? A product believes its
prior times the messages of its baskets; what it tells a basket leaves out that basket's own
message, so that no label is counted as evidence for itself. How a label follows from a balance
(:mod:`basketwise.features.product_index.votes`) and the prior of the products
(:mod:`basketwise.features.product_index.prior`) are learned from the training baskets in turn.

Reference: Pearl, "Probabilistic Reasoning in Intelligent Systems", 1988; sums of many uncertain
votes are taken as their mean and variance, as in Kabashima, "A CDMA multiuser detection algorithm
on the basis of belief propagation", J. Phys. A 36, 2003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from basketwise.arrays import Floats, Matrix, Positions
from basketwise.features.product_index.pairs import Pairs, Singles, sums
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.votes import (
    DIRECTION,
    TELLS,
    ballot,
    cells,
    count_labels,
    doubts,
)
from basketwise.schema import INDEX_LABELS

LABELS = len(INDEX_LABELS)
FAITH = 0.6
"""How much of a product's first belief is the class of its largest coefficient."""
DAMPING = np.float32(0.5)
"""Weight of a message's former value: without it, beliefs may oscillate."""
SETTLED = 0.002
"""Mean change of the products' probabilities at which the rounds end."""
PRIOR_EVERY = 3
"""Rounds between two fits of the prior."""


@dataclass(frozen=True)
class Beliefs:
    """What is believed of each product; both are log-probabilities of shape (products, labels).

    ``posterior``: with its baskets; ``unseen``: what would be if no basket contained it.
    """

    posterior: Floats
    unseen: Floats


def propagate(
    pairs: Pairs, shares: Singles, guess: Floats, prior: ClassPrior, rounds: int
) -> Beliefs:
    """Pass messages between baskets and products until they settle, at most ``rounds`` times.

    Parameters
    ----------
    pairs : Pairs
        The baskets to learn from.
    shares : array
        The share of each entry in its basket.
    guess : array
        Log-probabilities to start from, see :func:`first_guess`; shape (products, labels).
    prior : ClassPrior
        The products' prior; it is fitted.
    rounds : int
        With none, the guess is all that is believed.
    """
    products = guess.shape[0]
    entries = np.arange(pairs.product.size)
    # Entries by product: a product with this matrix adds up the messages of each product.
    by_product = sp.csr_array(
        (np.ones(entries.size, np.float32), (pairs.product, entries)),
        shape=(products, entries.size),
    )
    basket = pairs.basket().astype(np.intp)
    label = pairs.label.take(basket)
    messages = np.zeros((LABELS, entries.size), dtype=np.float32)
    log_prior = beliefs = log_normalised(guess)
    if rounds == 0:
        prior.learn(beliefs, np.zeros_like(beliefs))
    for number in range(1, rounds + 1):
        told = np.take(beliefs.T.astype(np.float32), pairs.product, axis=1) - messages
        change = _answers(_normalised(told), shares, pairs, basket, label) - messages
        messages += change if number == 1 else (1 - DAMPING) * change
        evidence = _added(by_product, messages)
        previous, beliefs = beliefs, log_normalised(log_prior + evidence)
        settled = np.abs(np.exp(beliefs) - np.exp(previous)).mean() < SETTLED
        if settled or number == rounds or number % PRIOR_EVERY == 0:
            log_prior = prior.learn(evidence, log_prior)
            beliefs = log_normalised(log_prior + evidence)
        if settled:
            break
    return Beliefs(beliefs, prior.of_unseen())


def first_guess(scores: Matrix) -> Floats:
    """Return log-probabilities that favour the class of the largest score."""
    guessed = np.eye(LABELS)[scores.argmax(axis=1)]
    known = (scores != 0).any(axis=1)
    overall = (guessed[known].sum(axis=0) + 1) / (known.sum() + LABELS)
    share = np.where(known[:, None], FAITH * guessed + (1 - FAITH) * overall, overall)
    return np.asarray(np.log(share))


def log_normalised(logs: Floats) -> Floats:
    """Shift log-weights so that the probabilities of each row sum to 1."""
    shifted = logs - logs.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _answers(
    told: Matrix, shares: Singles, pairs: Pairs, basket: Positions, label: NDArray[np.int8]
) -> Matrix:
    """Return each basket's message to each of its products: log-probabilities, mean 0.

    ``basket``, ``label``: those of each entry.
    """
    parts = ballot(told, shares, pairs.start, basket).stacked()
    total = sums(parts, pairs.start)
    table = count_labels(cells(*total), pairs.label).ravel()
    net, telling, variance = total.take(basket, axis=1) - parts
    np.maximum(variance, 0, out=variance)
    answers = np.empty_like(told)
    deviation = np.sqrt(variance, out=variance)
    # A product of any class that says something leaves the same doubt.
    sure = {tells: doubts(telling + shares * tells, deviation) for tells in set(TELLS)}
    for k in range(LABELS):
        tried = sure[TELLS[k]].cells(net + shares * DIRECTION[k])
        tried *= LABELS
        tried += label
        answers[k] = table.take(tried)
    answers -= answers.mean(axis=0)
    return answers


def _added(by_product: sp.csr_array, messages: Matrix) -> Floats:
    return np.stack([by_product @ row for row in messages], axis=1).astype(np.float64)


def _normalised(logits: Matrix) -> Matrix:
    np.exp(logits - logits.max(axis=0), out=logits)
    logits /= logits.sum(axis=0)
    return logits

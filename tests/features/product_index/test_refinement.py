import numpy as np
import pytest

from basketwise.arrays import Flags, Floats
from basketwise.config import IndexConfig
from basketwise.features.product_index.pairs import Pairs
from basketwise.features.product_index.prior import ClassPrior
from basketwise.features.product_index.propagation import Beliefs
from basketwise.features.product_index.refinement import most_read, refine
from basketwise.features.product_index.shortest import shortest
from tests.features.product_index.synthetic import (
    LABELS,
    NO_GROUPS,
    NO_PRICES,
    PRODUCTS,
    World,
    world,
)


def guessed(made: World, wrong: float, seed: int) -> Floats:
    """Scores that have the wrong class for a share of the products."""
    rng = np.random.default_rng(seed)
    changed = rng.random(PRODUCTS) < wrong
    classes = np.where(changed, rng.integers(0, LABELS, PRODUCTS), made.classes)
    return np.eye(LABELS)[classes]


def refined(
    pairs: Pairs,
    scores: Floats,
    groups: tuple[np.ndarray, ...] = NO_GROUPS,
    others: Flags | None = None,
    **settings: int,
) -> Beliefs:
    others = np.ones(pairs.label.size, np.bool_) if others is None else others
    config = IndexConfig(**settings)
    without = [None, *np.unique(pairs.fold).tolist()]
    return refine(
        pairs,
        others,
        "lines",
        shortest(pairs, without, most_read(config)),
        scores.astype(np.float32),
        ClassPrior(pairs.take(others).baskets_with(PRODUCTS), NO_PRICES, groups),
        config,
    )


@pytest.mark.parametrize("seed", range(4))
def test_hidden_classes_show_from_a_noisy_start(seed: int) -> None:
    made = world(seed)
    scores = guessed(made, 0.3, seed)
    assert (scores.argmax(axis=1) != made.classes).sum() >= 5
    posterior = np.exp(refined(made.pairs, scores).posterior)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    np.testing.assert_array_equal(posterior.argmax(axis=1), made.classes)


def test_long_baskets_tell_too() -> None:
    made = world(7, baskets=6_000, longest=25)
    posterior = refined(made.pairs.take(made.pairs.entries > 8), guessed(made, 0.2, 7)).posterior
    assert (posterior.argmax(axis=1) == made.classes).mean() > 0.8


def test_wrong_labels_are_outvoted() -> None:
    made = world(8, wrong=0.3)
    posterior = refined(made.pairs, guessed(made, 0.2, 8)).posterior
    assert (posterior.argmax(axis=1) == made.classes).mean() > 0.95


def test_a_product_in_no_basket_takes_the_class_of_its_group() -> None:
    made = world(2)
    lonely = int(np.flatnonzero(made.classes == 1)[0])
    groups = made.classes.copy()
    groups[lonely] = 2
    with_it = made.pairs.matrix(made.pairs.lines, PRODUCTS)[:, [lonely]].toarray()[:, 0] > 0
    pairs = made.pairs.take(~with_it)
    beliefs = refined(pairs, guessed(made, 0.1, 2), (groups, groups * 0))
    assert beliefs.posterior[lonely].argmax() == 2
    assert (beliefs.unseen.argmax(axis=1) == groups).mean() > 0.9


def test_products_in_doubt_are_read_with_more_baskets() -> None:
    made = world(9, wrong=0.3)
    few = np.exp(refined(made.pairs, guessed(made, 0.2, 9), refine_max_lines=300).posterior)
    many = np.exp(refined(made.pairs, guessed(made, 0.2, 9), refine_baskets=3).posterior)
    # Three baskets of each product alone would be as doubtful as the few.
    assert many.max(axis=1).mean() > few.max(axis=1).mean() + 0.1


def test_what_is_left_out_is_as_if_it_were_not_there() -> None:
    made = world(5)
    scores = guessed(made, 0.3, 5)
    others = made.pairs.fold != 1
    marked = refined(made.pairs, scores, others=others, refine_baskets=5)
    taken = refined(made.pairs.take(others), scores, refine_baskets=5)
    assert not others.all()
    np.testing.assert_allclose(marked.posterior, taken.posterior)
    assert np.abs(marked.posterior - refined(made.pairs, scores).posterior).max() > 0.01

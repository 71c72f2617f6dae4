import numpy as np
import pytest
from numpy.typing import NDArray

from basketwise.features.product_index.refinement import ShortBaskets, refine
from tests.features.product_index.synthetic import LABELS, PRODUCTS, World, world

NO_GROUPS = (np.full(PRODUCTS, -1),)


def short(made: World, longest: int = 6) -> ShortBaskets:
    order = np.argsort(made.lines.product, kind="stable")
    return ShortBaskets(
        made.lines.product[order].astype(np.int64),
        made.lines.basket[order].astype(np.int64),
        made.lines.label.astype(np.int64),
        PRODUCTS,
        LABELS,
        longest,
    )


def noisy(classes: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    wrong = rng.random(classes.size) < share
    return np.where(wrong, rng.integers(0, LABELS, classes.size), classes)


@pytest.mark.parametrize("seed", range(4))
def test_hidden_classes_are_found_from_a_noisy_start(seed: int) -> None:
    made = world(seed)
    start = noisy(made.classes, 0.3, seed)
    assert (start != made.classes).sum() >= 5
    classes, probabilities = refine(short(made), start, NO_GROUPS, 20)
    np.testing.assert_array_equal(classes, made.classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), classes)


def test_no_rounds_keep_the_start() -> None:
    made = world(1)
    start = noisy(made.classes, 0.3, 1)
    classes, probabilities = refine(short(made), start, NO_GROUPS, 0)
    np.testing.assert_array_equal(classes, start)
    np.testing.assert_array_equal(probabilities, np.eye(LABELS)[start])


def test_a_product_in_no_short_basket_takes_the_class_of_its_group() -> None:
    made = world(2)
    classes = made.classes.copy()
    lonely = int(np.flatnonzero(classes == 1)[0])
    kept = made.lines.product != lonely
    baskets = ShortBaskets(
        np.sort(made.lines.product[kept]).astype(np.int64),
        made.lines.basket[kept][np.argsort(made.lines.product[kept], kind="stable")].astype(
            np.int64
        ),
        made.lines.label.astype(np.int64),
        PRODUCTS,
        LABELS,
        6,
    )
    groups = classes.copy()
    groups[lonely] = 2
    result, _ = refine(baskets, classes, (groups,), 20)
    assert result[lonely] == 2


def test_left_out_baskets_leave_no_trace() -> None:
    made = world(3, baskets=300)
    left_out = made.lines.fold == 1
    baskets = short(made)
    changed = baskets.label.copy()
    changed[left_out] = (changed[left_out] + 1) % LABELS
    other = ShortBaskets(baskets.product, baskets.basket, changed, PRODUCTS, LABELS, 6)
    first, second = baskets.without(left_out), other.without(left_out)
    np.testing.assert_array_equal(first.product, second.product)
    np.testing.assert_array_equal(first.basket, second.basket)
    np.testing.assert_array_equal(first.label, second.label)
    assert first.label.size == (~left_out).sum()
    assert first.product.size == (~left_out[made.lines.basket]).sum()

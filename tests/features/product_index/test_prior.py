import numpy as np
import pytest

from basketwise.arrays import Floats
from basketwise.features.product_index.prior import ClassPrior, common, hats

PRODUCTS = 600
CERTAIN = 8.0


def evidence_of(classes: Floats, known: Floats) -> Floats:
    """Strong evidence for the class of each known product, none for the others."""
    return np.asarray(CERTAIN * np.eye(4)[classes.astype(int)] * known[:, None])


def shown(prior: ClassPrior, evidence: Floats) -> Floats:
    log_prior = np.log(np.full(evidence.shape, 0.25))
    for _ in range(3):
        log_prior = prior.learn(evidence, log_prior)
    return np.asarray(np.exp(log_prior))


def test_the_price_within_a_group_tells_what_it_tells() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(20), 30)
    prices = rng.lognormal(groups / 5, 0.5)
    rank = np.array([(prices[groups == g] < p).mean() for g, p in zip(groups, prices, strict=True)])
    classes = np.where(rank < 0.3, 2.0, np.where(rank > 0.7, 0.0, 1.0))
    known = rng.random(PRODUCTS) < 0.5
    prior = ClassPrior(np.where(known, 9, 1), prices, (groups, groups * 0))
    told = shown(prior, evidence_of(classes, known.astype(float)))
    clear = ~known & (np.abs(rank - 0.3) > 0.1) & (np.abs(rank - 0.7) > 0.1)
    assert (told.argmax(axis=1) == classes)[clear].mean() > 0.95
    np.testing.assert_allclose(told.sum(axis=1), 1)


def test_a_group_tells_what_its_other_products_are() -> None:
    groups = np.repeat(np.arange(30), 20)
    classes = (groups % 3).astype(float)
    known = (np.arange(PRODUCTS) % 20 != 0).astype(float)
    prior = ClassPrior(np.full(PRODUCTS, 5), np.full(PRODUCTS, np.nan), (groups, groups * 0))
    told = shown(prior, evidence_of(classes, known))
    hidden = known == 0
    assert (told.argmax(axis=1) == classes)[hidden].all()
    assert told[hidden].max(axis=1).min() > 0.8


def test_a_part_of_a_large_range_tells_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = np.repeat(np.arange(30), 20)
    classes = np.where(np.random.default_rng(3).random(PRODUCTS) < 0.8, groups % 3, 3).astype(float)
    known = (np.arange(PRODUCTS) % 20 != 0).astype(float)

    def learned() -> Floats:
        levels = (groups, groups * 0)
        prior = ClassPrior(np.full(PRODUCTS, 5), np.full(PRODUCTS, np.nan), levels)
        return shown(prior, evidence_of(classes, known))

    whole = learned()
    monkeypatch.setattr("basketwise.features.product_index.prior.MOST", 200)
    part = learned()
    assert 0 < np.abs(part - whole).max() < 0.2


def test_without_any_clue_it_is_the_share_of_each_class() -> None:
    classes = np.repeat([0.0, 1.0, 1.0, 2.0], PRODUCTS // 4)
    nothing = np.full(PRODUCTS, -1)
    prior = ClassPrior(np.full(PRODUCTS, 5), np.full(PRODUCTS, np.nan), (nothing, nothing))
    told = shown(prior, evidence_of(classes, np.ones(PRODUCTS)))
    np.testing.assert_allclose(told[0], [0.25, 0.5, 0.25, 0], atol=0.03)


def test_rare_products_show_what_unseen_ones_are() -> None:
    rare = np.arange(PRODUCTS) % 2 == 0
    classes = np.where(rare, 3.0, 1.0)
    nothing = np.full(PRODUCTS, -1)
    prior = ClassPrior(np.where(rare, 2, 400), np.full(PRODUCTS, np.nan), (nothing, nothing))
    shown(prior, evidence_of(classes, np.ones(PRODUCTS)))
    assert np.exp(prior.of_unseen())[:, 3].min() > 0.8


def test_knots_share_a_value() -> None:
    weights = hats(np.array([-1.0, 0.25, 1.0, 9.0]), np.array([0.0, 1.0, 2.0]))
    assert weights.tolist() == [[1, 0, 0], [0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]]
    assert common(np.array([0, 1, 2])).tolist() == [[1, 0, 0, 0]] * 3


def test_a_few_prices_tell_nothing() -> None:
    prices = np.full(PRODUCTS, np.nan)
    groups = np.zeros(PRODUCTS, dtype=np.int64)
    seen, classes = np.full(PRODUCTS, 5), np.where(np.arange(PRODUCTS) < 2, 0.0, 1.0)
    evidence = evidence_of(classes, np.ones(PRODUCTS))
    without = shown(ClassPrior(seen, prices, (groups, groups)), evidence)
    prices[:2] = [1.0, 2.0]
    again = shown(ClassPrior(seen, prices, (groups, groups)), evidence)
    np.testing.assert_array_equal(again, without)

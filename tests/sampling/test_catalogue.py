from itertools import pairwise

import numpy as np
import pytest

from basketwise.sampling.catalogue import CLASS_SHARES, make_catalogue


@pytest.mark.parametrize("products", [60, 600, 5_000])
@pytest.mark.parametrize("seed", [1, 42])
def test_classes_have_their_shares_of_the_lines(products: int, seed: int) -> None:
    catalogue = make_catalogue(np.random.default_rng(seed), products)
    sold = np.diff(catalogue.popularity.cumulative, prepend=0.0)
    shares = np.bincount(catalogue.classes, weights=sold, minlength=4)
    assert shares == pytest.approx(np.array(CLASS_SHARES), abs=0.04)


def test_every_level_of_the_hierarchy_nests_in_the_next() -> None:
    codes = make_catalogue(np.random.default_rng(1), 5_000).codes
    assert codes["PROD_CODE"].n_unique() == codes.height == 5_000
    sizes = [codes[name].n_unique() for name in codes.columns]
    assert sizes == [5_000, 250, 84, 28, 10]
    for finer, coarser in pairwise(codes.columns):
        assert codes.select(finer, coarser).n_unique() == codes[finer].n_unique()


def test_popularity_falls_as_in_zipfs_law() -> None:
    catalogue = make_catalogue(np.random.default_rng(1), 600)
    drawn = catalogue.popularity.draw(np.random.default_rng(2), 200_000)
    sold = np.sort(np.bincount(drawn, minlength=600))[::-1]
    assert sold[0] / sold[94:105].mean() == pytest.approx((104 / 5) ** 0.9, rel=0.15)
    assert sold[-1] > 0


def test_prices_are_whole_pence_above_nothing() -> None:
    prices = make_catalogue(np.random.default_rng(1), 600).prices
    assert prices.min() >= 0.05
    assert np.round(prices * 100) / 100 == pytest.approx(prices)
    assert np.median(prices) == pytest.approx(1.2, abs=0.15)

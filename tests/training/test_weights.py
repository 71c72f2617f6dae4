from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from basketwise.arrays import Floats
from basketwise.features.product import SHARE_NEW, band_of
from basketwise.training.examples import Examples
from basketwise.training.weights import ENOUGH, judging_weights, real_or_hidden


def baskets(real: Sequence[float], hidden: Sequence[float] = (), folds: int = 4) -> Examples:
    """Make a basket of each share of new products, first those that are really new."""
    share = np.array([*real, *hidden], dtype=np.float32)
    order = np.arange(share.size)
    fold = (order % folds).astype(np.int8)
    y = (order % 3).astype(np.int8)
    return Examples(pl.Series(order), share[:, None], y, fold, (SHARE_NEW,), len(hidden))


def per_band(rows: Examples, weights: Floats) -> Floats:
    """Return each band's share of the weights."""
    of_band = np.bincount(band_of(rows.X[:, 0].astype(np.float64)), weights, minlength=5)
    return np.asarray(of_band / weights.sum())


def test_without_an_index_and_without_latest_weeks_every_training_basket_counts_once() -> None:
    rows = baskets([0.0] * 80, [0.3] * 20)
    np.testing.assert_array_equal(judging_weights(rows, False, []), [1.0] * 80 + [0.0] * 20)


def test_the_latest_weeks_count_as_much_as_all_other_training_baskets() -> None:
    rows = baskets([0.0] * 80, [0.3] * 20)
    weights = judging_weights(rows, True, [])
    late = (rows.fold == 3) & rows.is_real
    assert weights[late].sum() == pytest.approx(weights[rows.is_real & ~late].sum())
    assert weights[~rows.is_real].sum() == 0
    assert weights.sum() == pytest.approx(80)


@pytest.mark.parametrize("forward", [False, True])
def test_new_products_are_as_frequent_as_in_the_test_set(forward: bool) -> None:
    rows = baskets([0.0] * 80 + [0.05] * 8 + [0.2] * 8, [0.6] * 12)
    wanted = [0.4, 0.3, 0.2, 0.0, 0.1]
    weights = judging_weights(rows, forward, wanted)
    np.testing.assert_allclose(per_band(rows, weights), wanted)
    assert weights.sum() == pytest.approx(96)
    known = np.arange(rows.y.size) < 80
    late = rows.fold == 3
    assert weights[known & late].sum() == pytest.approx(
        weights[known & ~late].sum() * (1 if forward else 1 / 3)
    )


def test_what_no_prediction_can_show_is_left_out() -> None:
    rows = baskets([0.0] * 80 + [0.05] * 20)
    weights = judging_weights(rows, False, [0.4, 0.4, 0.2, 0.0, 0.0])
    np.testing.assert_allclose(per_band(rows, weights), [0.5, 0.5, 0, 0, 0])
    assert weights.sum() == pytest.approx(100)


def test_a_model_without_product_features_is_judged_all_the_same() -> None:
    rows = replace(baskets([0.0] * 40), columns=("total_spend",))
    np.testing.assert_allclose(judging_weights(rows, False, [0.5, 0.5, 0, 0, 0]), 1)


def test_hidden_products_count_less_the_more_baskets_are_really_new() -> None:
    real = [0.0] * 10 + [0.05] * 20 + [0.1] * 20 + [0.6] * 180
    rows = baskets(real, [0.05, 0.1, 0.2, 0.5, 0.51])
    weights = real_or_hidden(rows)
    np.testing.assert_array_equal(weights[: len(real)], 1)
    # 40 really new baskets are up to 0.1, none between 0.1 and 0.5, and 180 above.
    assert ENOUGH == 20
    np.testing.assert_allclose(weights[len(real) :], [(1 / 3) ** 2, (1 / 3) ** 2, 1, 1, 0.1**2])

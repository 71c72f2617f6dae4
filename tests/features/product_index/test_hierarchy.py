import numpy as np
import pytest

from basketwise.features.product_index.hierarchy import STRENGTH, fallback, smooth

# Four products; the finest level has groups {0, 1}, {2}, the coarser one {0, 1, 2}, {3}.
FINE = np.array([0, 0, 1, -1])
COARSE = np.array([0, 0, 0, 1])
VALUES = np.array([[1.0], [0.0], [0.0], [4.0]])
WEIGHTS = np.array([1.0, 1.0, 2.0, 1.0])


def test_each_level_is_smoothed_with_the_one_above_it() -> None:
    result = smooth(VALUES, WEIGHTS, (FINE, COARSE))
    overall = (1 + 0 + 0 + 4) / 5
    coarse = [(1 + STRENGTH * overall) / (4 + STRENGTH), (4 + STRENGTH * overall) / (1 + STRENGTH)]
    fine = [
        (1 + STRENGTH * coarse[0]) / (2 + STRENGTH),
        (0 + STRENGTH * coarse[0]) / (2 + STRENGTH),
    ]
    assert result.overall.tolist() == pytest.approx([overall])
    assert result.levels[1][:, 0].tolist() == pytest.approx(coarse)
    assert result.levels[0][:, 0].tolist() == pytest.approx(fine)


def test_each_product_gets_its_finest_known_group() -> None:
    result = smooth(VALUES, WEIGHTS, (FINE, COARSE))
    fine, coarse = (level[:, 0] for level in result.levels)
    values = fallback(result, (FINE, COARSE))[:, 0]
    assert values.tolist() == [fine[0], fine[0], fine[1], coarse[1]]


def test_a_product_without_groups_gets_the_overall_average() -> None:
    nothing = np.full(4, -1)
    result = smooth(VALUES, WEIGHTS, (nothing, nothing))
    assert fallback(result, (nothing, nothing)).tolist() == [[1.0]] * 4


def test_a_group_without_weight_is_its_parent() -> None:
    result = smooth(VALUES, np.array([1.0, 1.0, 0.0, 1.0]), (FINE, COARSE))
    assert result.levels[0][1, 0] == pytest.approx(result.levels[1][0, 0])


def test_without_any_weight_all_columns_are_alike() -> None:
    result = smooth(np.zeros((4, 2)), np.zeros(4), (FINE, COARSE))
    assert fallback(result, (FINE, COARSE)).tolist() == [[0.5, 0.5]] * 4

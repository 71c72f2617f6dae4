"""Layout of the learning curve."""

from itertools import pairwise

import pytest

from basketwise.report.curve import BOTTOM, TOP, learning_layout
from basketwise.report.types.drivers import LearningPoint


def points(*accuracies: float, error: float = 0.001) -> list[LearningPoint]:
    return [
        {"weeks": 2**k, "baskets": 1_000 * 2**k, "accuracy": accuracy, "error": error}
        for k, accuracy in enumerate(accuracies)
    ]


def test_doublings_are_evenly_spaced_and_better_is_higher() -> None:
    layout = learning_layout(points(0.9, 0.95, 0.97, 0.98))
    across = [mark.x for mark in layout.marks]
    steps = [b - a for a, b in pairwise(across)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.02)
    heights = [mark.y for mark in layout.marks]
    assert heights == sorted(heights, reverse=True)
    assert all(TOP <= mark.high < mark.y < mark.low <= BOTTOM for mark in layout.marks)
    assert [level.text for level in layout.levels] == [
        "0.88",
        "0.90",
        "0.92",
        "0.94",
        "0.96",
        "0.98",
        "1.00",
    ]
    assert layout.line.split()[0] == f"{across[0]},{heights[0]}"


@pytest.mark.parametrize("accuracies", [(1.0, 1.0), (0.99995, 1.0), (0.0, 1.0), (0.3, 0.3)])
def test_any_extent_has_a_few_levels(accuracies: tuple[float, float]) -> None:
    layout = learning_layout(points(*accuracies, error=0.00002))
    assert 2 <= len(layout.levels) <= 7
    assert len({level.text for level in layout.levels}) == len(layout.levels)
    assert layout.levels[0].y == BOTTOM
    assert layout.levels[-1].y == TOP

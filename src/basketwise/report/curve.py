"""Layout of the learning curve: accuracy against weeks of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from basketwise.report.in_words import CERTAIN
from basketwise.report.types.drivers import LearningPoint

WIDTH, HEIGHT = 360.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 344.0, 12.0, 200.0
_INSET = 22.0
"""Between the axis and the first and last point."""
_STEPS = (1, 2, 5, 10)
_TICKS = 5


class Mark(NamedTuple):
    """A point, the ends of its error bar, and its weeks."""

    x: float
    y: float
    low: float
    high: float
    weeks: int


class Level(NamedTuple):
    """A line across the plot and the accuracy it stands for."""

    y: float
    text: str


class CurveLayout(NamedTuple):
    """The learning curve in the units of the picture, ``WIDTH`` by ``HEIGHT``."""

    marks: list[Mark]
    line: str
    levels: list[Level]


def learning_layout(points: Sequence[LearningPoint]) -> CurveLayout:
    """Lay out the curve; a doubling of the weeks is the same distance everywhere.

    The accuracy's axis covers the error bars, of two standard errors each way, and ends at 1.
    """
    low = min(max(point["accuracy"] - CERTAIN * point["error"], 0.0) for point in points)
    high = min(max(point["accuracy"] + CERTAIN * point["error"] for point in points), 1.0)
    step = _step(max(high - low, 1e-6))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    start, end = first * step, last * step
    digits = max(0, -math.floor(math.log10(step) + 1e-9))

    def y(accuracy: float) -> float:
        share = (min(max(accuracy, start), end) - start) / (end - start)
        return round(BOTTOM - (BOTTOM - TOP) * share, 2)

    logs = [math.log2(point["weeks"]) for point in points]
    across = max(logs[-1] - logs[0], 1e-9)
    marks = [
        Mark(
            round(LEFT + _INSET + (RIGHT - LEFT - 2 * _INSET) * (log - logs[0]) / across, 2),
            y(point["accuracy"]),
            y(point["accuracy"] - CERTAIN * point["error"]),
            y(point["accuracy"] + CERTAIN * point["error"]),
            point["weeks"],
        )
        for log, point in zip(logs, points, strict=True)
    ]
    return CurveLayout(
        marks,
        " ".join(f"{mark.x},{mark.y}" for mark in marks),
        [Level(y(k * step), f"{k * step:.{digits}f}") for k in range(first, last + 1)],
    )


def _step(extent: float) -> float:
    """Return a round distance that divides an extent into a handful of parts."""
    power = 10.0 ** math.floor(math.log10(extent / _TICKS))
    return next(k * power for k in _STEPS if extent / (k * power) <= _TICKS)


FILTERS = (learning_layout,)
"""Available to the templates under their names."""

"""Layout of the report's pictures: scales that rows share, the reliability diagram."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from basketwise.report.numbers import measured, position
from basketwise.report.types.calibration import Calibration, Reliability
from basketwise.report.types.scores import Interval, LeaderboardRow, Slice

MOST_BINS = 40

_FAIR_SHARE = 0.01

X_TITLE, Y_TITLE = "Predicted probability", "Share correct"
"""Axes of the reliability diagram."""


class Frame(NamedTuple):
    """Extent of the reliability diagram: a square plot, and bars that stand on ``base``."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    base: float


FRAME = Frame(width=360, height=430, left=46, right=350, top=8, bottom=312, base=386)
_BAR_HEIGHT = 50.0


class Scale(NamedTuple):
    """The two ends of an axis."""

    low: float
    high: float


def scale_of(intervals: Iterable[Interval | None], *marks: float | None) -> Scale:
    """Return a scale that covers all intervals and marks, with a small margin at both ends."""
    ends = [end for span in intervals if span for end in (span["low"], span["high"])]
    known = [end for end in (*ends, *marks) if measured(end)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    air = 0.06 * (high - low) or 0.01
    return Scale(low - air, high + air)


def leaderboard_scales(rows: Sequence[LeaderboardRow]) -> Mapping[str, Scale]:
    """Return a scale for each column of intervals.

    They cover the candidates and the simpler models. An ablation or the baseline is often so far
    away that on a scale with it the others would look alike.
    """
    near = [row for row in rows if row["kind"] in {"candidate", "simpler"}] or rows
    return {
        "accuracy": scale_of(row["accuracy_interval"] for row in near),
        "f1": scale_of(row["f1_interval"] for row in near),
        "accuracy_lead": scale_of((row["accuracy_lead"] for row in near), 0.0),
        "f1_lead": scale_of((row["f1_lead"] for row in near), 0.0),
    }


def slice_scale(rows: Sequence[Slice]) -> Scale:
    """Return a scale for the differences of a table of slices.

    It covers those of at least one percent of the baskets and all that are worse. The interval of a
    handful of baskets is so wide that on a scale with it the others would look alike.
    """
    fair = _FAIR_SHARE * sum(row["baskets"] for row in rows)
    large = [row for row in rows if row["baskets"] >= fair or row["significantly_worse"]]
    return scale_of((row["difference"] for row in large or rows), 0.0)


class Span(NamedTuple):
    """An interval on a scale, as percentages for SVG.

    ``estimate`` is None where it is off the scale; ``beyond`` says on which side the whole
    interval is.
    """

    left: str
    width: str
    estimate: str | None
    beyond: Literal["", "below", "above"]


def span_on(interval: Interval, scale: Scale) -> Span:
    """Lay out an interval, clipped to the scale."""
    low, high, estimate = interval["low"], interval["high"], interval["estimate"]
    if not (measured(low) and measured(high)):
        return Span("0%", "0%", None, "")
    left, right = max(low, scale.low), min(high, scale.high)
    inside = measured(estimate) and scale.low <= estimate <= scale.high
    return Span(
        left=position(left, *scale),
        width=position(right - left, 0.0, scale.high - scale.low),
        estimate=position(estimate, *scale) if inside else None,
        beyond="below" if high < scale.low else "above" if low > scale.high else "",
    )


class Point(NamedTuple):
    """The centre of a mark and half its width."""

    x: float
    y: float
    size: float


class Bar(NamedTuple):
    """A bar of a histogram."""

    x: float
    y: float
    width: float
    height: float


class Tick(NamedTuple):
    """A position on both axes of the diagram."""

    x: float
    y: float
    value: float


@dataclass(frozen=True)
class Curve:
    """One curve of the diagram: ``line`` joins the points, as an SVG polyline wants it."""

    name: str
    points: list[Point]
    line: str
    bars: list[Bar]


@dataclass(frozen=True)
class Diagram:
    """The reliability diagram: a square plot, and below it how many baskets each bin has.

    ``calibrated``: whether the two curves differ. ``most``: baskets of the fullest bin.
    """

    ticks: list[Tick]
    curves: dict[Literal["raw", "shipped"], Curve]
    calibrated: bool
    most: int


def reliability_diagram(calibration: Calibration) -> Diagram:
    """Lay out the reliability diagram, for the page and for the picture, in the units of ``FRAME``.

    Both axes begin at the same round value, below which there is nothing to show. A point's area
    grows with the share of its baskets.
    """
    raw, shipped = calibration["raw"], calibration["shipped"]
    bins = [bin_ for kind in (raw, shipped) for bin_ in kind["bins"][:MOST_BINS]]
    values = [value for bin_ in bins for value in (bin_["confidence"], bin_["accuracy"])]
    lowest = min(filter(measured, values), default=0.0)
    start = min(0.8, math.floor(10 * max(0.0, lowest)) / 10)
    step = 0.2 if start < 0.35 else 0.1 if start < 0.75 else 0.05
    first = math.ceil(round(start / step, 6))
    marks = [round(step * k, 2) for k in range(first, round(1 / step) + 1)]
    most, calibrated = max((bin_["baskets"] for bin_ in bins), default=0), raw != shipped
    middle = 0.5 if calibrated else 0.0
    return Diagram(
        ticks=[Tick(_x(mark, start), _y(mark, start), mark) for mark in marks],
        curves={
            "raw": _curve("before calibration", raw, start, most, (0.0, 0.5)),
            "shipped": _curve(
                "calibrated" if calibrated else "uncalibrated", shipped, start, most, (middle, 1.0)
            ),
        },
        calibrated=calibrated,
        most=most,
    )


def _curve(
    name: str, reliability: Reliability, start: float, most: int, part: tuple[float, float]
) -> Curve:
    """Lay out one curve; its bars fill ``part`` of each bin's width."""
    bins = reliability["bins"][:MOST_BINS]
    total = sum(bin_["baskets"] for bin_ in bins)
    points, bars = [], []
    for bin_ in bins:
        confidence, accuracy = bin_["confidence"], bin_["accuracy"]
        if not bin_["baskets"] or not measured(confidence) or not measured(accuracy):
            continue
        size = 2.2 + 4.5 * math.sqrt(bin_["baskets"] / total)
        points.append(Point(_x(confidence, start), _y(accuracy, start), round(size, 2)))
        left, right = _x(bin_["low"], start), _x(bin_["high"], start)
        height = max(_BAR_HEIGHT * bin_["baskets"] / most, 0.6)
        # A small gap between neighbours.
        x, end = (left + (right - left) * share for share in part)
        width = max(end - x - 0.8, 0.5)
        y = FRAME.base - height
        bars.append(Bar(round(x + 0.4, 2), round(y, 2), round(width, 2), round(height, 2)))
    return Curve(name, points, " ".join(f"{p.x},{p.y}" for p in points), bars)


def _share(value: float, start: float) -> float:
    return min(max((value - start) / (1 - start), 0.0), 1.0)


def _x(value: float, start: float) -> float:
    return round(FRAME.left + (FRAME.right - FRAME.left) * _share(value, start), 2)


def _y(value: float, start: float) -> float:
    return round(FRAME.bottom - (FRAME.bottom - FRAME.top) * _share(value, start), 2)


FILTERS = (leaderboard_scales, reliability_diagram, scale_of, slice_scale, span_on)
"""Available to the templates under their names."""

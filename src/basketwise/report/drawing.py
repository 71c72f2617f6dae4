"""Where things lie in the report's pictures: scales that rows share, the reliability diagram."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeGuard

from basketwise.report.numbers import place
from basketwise.report.types import (
    Calibration,
    Interval,
    LeaderboardRow,
    Reliability,
    Slice,
)

MOST_BINS = 40

_FAIR_SHARE = 0.01

_LEFT, _TOP, _SIDE = 46.0, 8.0, 304.0
_BARS_TOP, _BARS = 336.0, 50.0


class Scale(NamedTuple):
    """The two ends of an axis."""

    low: float
    high: float


def scale_of(intervals: Iterable[Interval | None], *marks: float | None) -> Scale:
    """Return a scale that holds all intervals and marks, with a little air at both ends."""
    ends = [end for one in intervals if one is not None for end in (one["low"], one["high"])]
    known = [end for end in (*ends, *marks) if _known(end)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    air = 0.06 * (high - low) or 0.01
    return Scale(low - air, high + air)


def leaderboard_scales(rows: Sequence[LeaderboardRow]) -> Mapping[str, Scale]:
    """Return a scale for each column of intervals.

    They hold what competes, the candidates and the simpler models. An ablation or the baseline is
    often so far away that on a scale with it nobody would see the others differ.
    """
    near = [row for row in rows if row["kind"] in {"candidate", "rung"}] or rows
    return {
        "accuracy": scale_of(row["accuracy_interval"] for row in near),
        "f1": scale_of(row["f1_interval"] for row in near),
        "accuracy_lead": scale_of((row["accuracy_lead"] for row in near), 0.0),
        "f1_lead": scale_of((row["f1_lead"] for row in near), 0.0),
    }


def slice_scale(rows: Sequence[Slice]) -> Scale:
    """Return a scale for the differences of a table of slices.

    It holds those of a fair size and all that are worse. The interval of a handful of baskets is so
    wide that on a scale with it nobody would see the others differ.
    """
    fair = _FAIR_SHARE * sum(row["baskets"] for row in rows)
    large = [row for row in rows if row["baskets"] >= fair or row["significantly_worse"]]
    return scale_of((row["difference"] for row in large or rows), 0.0)


class Span(NamedTuple):
    """An interval on a scale, as percentages for SVG.

    ``estimate`` is None where it lies off the scale, and ``beyond`` says on which side all of the
    interval does.
    """

    left: str
    width: str
    estimate: str | None
    beyond: Literal["", "below", "above"]


def span_on(interval: Interval, scale: Scale) -> Span:
    """Lay out an interval; what of it lies off the scale is cut off."""
    low, high, estimate = interval["low"], interval["high"], interval["estimate"]
    if not (_known(low) and _known(high)):
        return Span("0%", "0%", None, "")
    left, right = max(low, scale.low), min(high, scale.high)
    inside = _known(estimate) and scale.low <= estimate <= scale.high
    return Span(
        left=place(left, *scale),
        width=place(right - left, 0.0, scale.high - scale.low),
        estimate=place(estimate, *scale) if inside else None,
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
    """A place on both axes of the diagram."""

    x: float
    y: float
    value: float


@dataclass(frozen=True)
class Curve:
    """One curve of the diagram: ``line`` joins the points, as an SVG polyline wants it."""

    points: list[Point]
    line: str
    bars: list[Bar]


@dataclass(frozen=True)
class Diagram:
    """The reliability diagram: a square plot, and below it how many baskets each bin holds."""

    ticks: list[Tick]
    raw: Curve
    shipped: Curve
    most: int


def reliability_diagram(calibration: Calibration) -> Diagram:
    """Lay out the reliability diagram.

    Returns
    -------
    Diagram
        In the units of a drawing 360 wide and 430 high. Both axes begin at the same round value,
        below which there is nothing to show. A point's area grows with the share of its baskets.
    """
    both = [calibration["raw"], calibration["shipped"]]
    seen = [
        value
        for one in both
        for bin_ in one["bins"][:MOST_BINS]
        for value in (bin_["confidence"], bin_["accuracy"])
        if _known(value)
    ]
    start = min(0.8, math.floor(10 * max(0.0, min(seen, default=0.0))) / 10)
    step = 0.2 if start < 0.35 else 0.1 if start < 0.75 else 0.05
    first = math.ceil(round(start / step, 6))
    values = [round(step * k, 2) for k in range(first, round(1 / step) + 1)]
    most = max((bin_["baskets"] for one in both for bin_ in one["bins"][:MOST_BINS]), default=0)
    halves = ((0.0, 0.5), (0.5, 1.0)) if both[0] != both[1] else ((0.0, 1.0), (0.0, 1.0))
    raw, shipped = (_curve(one, start, most, half) for one, half in zip(both, halves, strict=True))
    return Diagram([Tick(_x(v, start), _y(v, start), v) for v in values], raw, shipped, most)


def _curve(measured: Reliability, start: float, most: int, part: tuple[float, float]) -> Curve:
    """Lay out one curve; its bars fill ``part`` of each bin's width."""
    bins = measured["bins"][:MOST_BINS]
    total = sum(bin_["baskets"] for bin_ in bins)
    points, bars = [], []
    for bin_ in bins:
        confidence, accuracy = bin_["confidence"], bin_["accuracy"]
        if not bin_["baskets"] or not _known(confidence) or not _known(accuracy):
            continue
        size = 2.2 + 4.5 * math.sqrt(bin_["baskets"] / total)
        points.append(Point(_x(confidence, start), _y(accuracy, start), round(size, 2)))
        left, right = _x(bin_["low"], start), _x(bin_["high"], start)
        height = max(_BARS * bin_["baskets"] / most, 0.6)
        # A hair's breadth of air between neighbours.
        x, end = (left + (right - left) * share for share in part)
        width = max(end - x - 0.8, 0.5)
        y = _BARS_TOP + _BARS - height
        bars.append(Bar(round(x + 0.4, 2), round(y, 2), round(width, 2), round(height, 2)))
    return Curve(points, " ".join(f"{p.x},{p.y}" for p in points), bars)


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _share(value: float, start: float) -> float:
    return min(max((value - start) / (1 - start), 0.0), 1.0)


def _x(value: float, start: float) -> float:
    return round(_LEFT + _SIDE * _share(value, start), 2)


def _y(value: float, start: float) -> float:
    return round(_TOP + _SIDE * (1 - _share(value, start)), 2)


FILTERS = (leaderboard_scales, reliability_diagram, scale_of, slice_scale, span_on)
"""The templates call them by their names."""

"""The reliability diagram: how far the winner's probabilities can be taken at their word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.report import canvas
from basketwise.report.canvas import ACCENT, AMBER, FONT, INK, LINE, QUIET
from basketwise.report.numbers import shown
from basketwise.report.types import Bin, Reliability

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_SMALLEST, _LARGEST = 10.0, 110.0
"""Areas of the points, in square points of type."""


def reliability_png(raw: Reliability, shipped: Reliability, *, model: str, path: Path) -> None:
    """Draw the share of right answers over the probability they were given with.

    Below it, how many baskets each bin holds. A point stands at its bin's mean probability; its
    area grows with the share of the baskets that it rests on. Both axes begin below the first
    point.

    Parameters
    ----------
    raw, shipped : Reliability
        The probabilities as the algorithm gives them, and as they are shipped. Where they are
        equal there is one curve.
    model : str
        Name of the model, for the title.
    path : Path
        The PNG file to write, whole or not at all.
    """
    figure, (plot, counts) = canvas.figure_of_rows(6.2, 8.3, [1, 0.22])
    corrected = raw != shipped
    start = _start([*_filled(raw), *_filled(shipped)])
    diagonal = plot.axline((1, 1), slope=1, color=QUIET, lw=1, ls=(0, (1, 2)), label="perfect")
    keys: list[Artist] = []
    if corrected:
        keys.append(_curve(plot, raw, AMBER, "as the algorithm gives them", open_=True))
        _bars(counts, raw, AMBER, (0.0, 0.5), open_=True)
    name = "as shipped, calibrated" if corrected else "as the algorithm gives them, and as shipped"
    keys.append(_curve(plot, shipped, ACCENT, name, open_=False))
    _bars(counts, shipped, ACCENT, (0.5 if corrected else 0.0, 1.0), open_=False)
    _frame(plot, counts, start)
    legend = counts.legend(
        handles=[*keys, diagonal],
        loc="upper left",
        bbox_to_anchor=(0, -0.55),
        borderaxespad=0,
        frameon=False,
        prop={"family": FONT, "size": 8.5},
    )
    for words in legend.get_texts():
        words.set_color(QUIET)
    canvas.title(plot, f"Reliability: {model}", "test baskets, by the probability of their answer")
    canvas.save(figure, path)


def _filled(measured: Reliability) -> list[tuple[Bin, float, float]]:
    """Return the bins that hold baskets, with their confidence and accuracy."""
    return [
        (one, one["confidence"], one["accuracy"])
        for one in measured["bins"]
        if one["confidence"] is not None and one["accuracy"] is not None
    ]


def _start(filled: Sequence[tuple[Bin, float, float]]) -> float:
    """Return the round number that the axes begin with."""
    lowest = min((min(one["low"], accuracy) for one, _, accuracy in filled), default=0.0)
    return min(math.floor(lowest * 10) / 10, 0.8)


def _curve(axes: Axes, measured: Reliability, colour: str, name: str, *, open_: bool) -> Artist:
    """Draw one curve, and return its entry for the legend."""
    from matplotlib.lines import Line2D

    filled = _filled(measured)
    baskets = sum(one["baskets"] for one, _, _ in filled)
    x, y = [confidence for _, confidence, _ in filled], [accuracy for _, _, accuracy in filled]
    areas = [_SMALLEST + (_LARGEST - _SMALLEST) * one["baskets"] / baskets for one, _, _ in filled]
    face, dashes = ("white", (0, (5, 3))) if open_ else (colour, "-")
    axes.plot(x, y, color=colour, lw=1.5, ls=dashes, zorder=2.5, clip_on=False)
    axes.scatter(x, y, areas, face, edgecolors=colour, linewidths=1.3, zorder=3, clip_on=False)
    loss, error = shown(measured["log_loss"]), shown(measured["ece"])
    return Line2D(
        [],
        [],
        color=colour,
        ls=dashes,
        marker="o",
        ms=4.5,
        markerfacecolor=face,
        label=f"{name}: log loss {loss}, calibration error {error}",
    )


def _bars(
    axes: Axes, measured: Reliability, colour: str, part: tuple[float, float], *, open_: bool
) -> None:
    """Draw a bar for each bin, over this part of its width."""
    for one, _, _ in _filled(measured):
        width = one["high"] - one["low"]
        left, right = (one["low"] + width * (0.04 + 0.92 * share) for share in part)
        axes.bar(
            left,
            one["baskets"],
            right - left,
            align="edge",
            color="white" if open_ else colour,
            edgecolor=colour,
            lw=0.9,
            zorder=2,
        )


def _frame(plot: Axes, counts: Axes, start: float) -> None:
    """Set limits, ticks and names of both plots."""
    step = 0.2 if start < 0.2 else 0.1 if start < 0.75 else 0.05
    first = math.ceil(round(start / step, 6))
    places = [round(step * k, 2) for k in range(first, round(1 / step) + 1)]
    names = [f"{place:g}" for place in places]
    most = round(counts.get_ylim()[1] / 1.05)
    for axes, aspect in ((plot, 1.0), (counts, 0.22)):
        axes.set_box_aspect(aspect)
        axes.set_xlim(start, 1)
        axes.tick_params("x", pad=6)
        canvas.ticks(axes, "x", places, names)
        axes.grid(color=LINE, lw=0.6, zorder=0)
    plot.set_ylim(start, 1)
    canvas.ticks(plot, "y", places, names)
    counts.set_ylim(0, 1.05 * most)
    canvas.ticks(counts, "y", [0, most], ["0", f"{most:,}"])
    counts.axhline(0, color=INK, lw=0.8, zorder=2.5)
    _name(plot.yaxis.label, "Share that is right")
    _name(counts.yaxis.label, "Baskets")
    _name(counts.xaxis.label, "Probability of the answer given")


def _name(label: Text, words: str) -> None:
    label.set(text=words, fontname=FONT, size=9.5, color=QUIET, parse_math=False)

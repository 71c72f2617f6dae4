"""The two pictures of a training run, as PNG files with 300 dots per inch.

Figures are built without pyplot: nothing global changes, no window opens, and the same numbers
give the same bytes, since neither time nor software is written into the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeGuard

from basketwise.evaluation.metrics import shown
from basketwise.evaluation.report_types import LeaderboardRow

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 300
INK, QUIET, LINE = "#171b21", "#58616d", "#d5d9df"
ACCURACY, MACRO_F1 = "#3451c6", "#8fa3ee"
MISS = "#ce781c"
FONT = "DejaVu Sans"
"""Comes with matplotlib, so the picture is the same on every machine."""
_BAR = 0.36

_Dashes: TypeAlias = tuple[int, tuple[int, int]]
_Metric: TypeAlias = tuple[Literal["test_accuracy", "test_f1"], str, str, _Dashes]
_METRICS: Final[tuple[_Metric, ...]] = (
    ("test_accuracy", "accuracy", ACCURACY, (0, (6, 3))),
    ("test_f1", "macro-F1", MACRO_F1, (0, (1, 2))),
)


def confusion_matrix_png(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], *, model: str, path: Path
) -> None:
    """Draw a confusion matrix: counts, and their share of the row.

    Parameters
    ----------
    matrix : sequence of rows of int
        Baskets; a row is a true class, a column a predicted class, both in the order of
        ``classes``. A row may be all zero: its shares are then shown as ``–``.
    classes : sequence of str
        Names of the classes; the axis titles repeat their order.
    model : str
        Name of the model, for the title.
    path : Path
        The PNG file to write, whole or not at all.

    Raises
    ------
    ValueError
        If the matrix is not square or has another size than ``classes``.
    """
    size = len(classes)
    if [len(row) for row in matrix] != [size] * size:
        shape = [len(row) for row in matrix]
        raise ValueError(
            f"the confusion matrix has rows of {shape} cells; {size} classes "
            f"({', '.join(classes)}) need {size} rows of {size}"
        )
    figure, axes = _figure(1.5 + 1.25 * size, 1.6 + 1.0 * size)
    for true, row in enumerate(matrix):
        total = sum(row)
        for predicted, number in enumerate(row):
            share = number / total if total else 0.0
            _cell(axes, predicted, true, share)
            _text(axes, predicted, true - 0.08, f"{number:,}", size=12, weight="bold")
            below = f"{share:.1%}" if total else "–"
            _text(axes, predicted, true + 0.18, below, size=9)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    order = ", ".join(classes)
    _ticks(axes, "x", range(size), classes)
    _ticks(axes, "y", range(size), classes)
    for label, text in (
        (axes.xaxis.label, f"Predicted class ({order})"),
        (axes.yaxis.label, f"True class ({order})"),
    ):
        label.set(text=text, fontname=FONT, size=9.5, color=QUIET, parse_math=False)
    _title(axes, f"Confusion matrix: {model}", "test baskets, and share of the true class")
    _save(figure, path)


def comparison_png(rows: Sequence[LeaderboardRow], path: Path) -> None:
    """Draw test accuracy and macro-F1 of every model on one axis from 0 to 1.

    Parameters
    ----------
    rows : sequence of LeaderboardRow
        The leaderboard, drawn from top to bottom. The first row of kind ``baseline`` also gives
        the reference lines. A value that is ``None`` has no bar and is shown as ``–``.
    path : Path
        The PNG file to write, whole or not at all.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    from matplotlib.patches import Patch

    if not rows:
        raise ValueError("no models to compare: the leaderboard is empty")
    figure, axes = _figure(8.0, 1.7 + 0.62 * len(rows))
    baseline = next((row for row in rows if row["kind"] == "baseline"), None)
    keys: list[Artist] = []
    for nth, (key, name, colour, dashes) in enumerate(_METRICS):
        for place, row in enumerate(rows):
            faded = row["kind"] != "candidate"
            _bar(axes, place + (nth - 0.5) * _BAR, row[key], colour, faded=faded)
        keys.append(Patch(color=colour, label=f"test {name}"))
        if baseline is not None and _measured(limit := baseline[key]):
            label = f"{name} of always the commonest class"
            keys.append(axes.axvline(limit, color=INK, lw=1, ls=dashes, zorder=2.5, label=label))
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    _ticks(axes, "y", range(len(rows)), [_label(row) for row in rows])
    _ticks(axes, "x", [0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    axes.grid(axis="x", color=LINE, lw=0.6, zorder=0)
    legend = axes.legend(
        handles=keys,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.32 / (0.62 * len(rows))),
        ncols=2,
        frameon=False,
        prop={"family": FONT, "size": 8.5},
    )
    for text in legend.get_texts():
        text.set_color(QUIET)
    _title(axes, "Models on the test part", "F1 is the macro average; the axis goes from 0 to 1")
    _save(figure, path)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    margins = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=margins)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("white")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=INK)
    axes.set_axisbelow(True)
    return figure, axes


def _cell(axes: Axes, column: int, row: int, share: float) -> None:
    from matplotlib.patches import Rectangle

    colour = _paler(ACCURACY if column == row else MISS, 0.05 + 0.50 * share)
    axes.add_patch(
        Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour, linewidth=0)
    )


def _paler(colour: str, strength: float) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    return tuple(1 - strength * (1 - part) for part in to_rgb(colour))


def _bar(axes: Axes, at: float, value: float | None, colour: str, *, faded: bool) -> None:
    if not _measured(value):
        _text(axes, 0.008, at, "–", size=8, ha="left")
        return
    shade = _paler(colour, 0.45 if faded else 1)
    axes.barh(at, value, height=_BAR, color=[shade], lw=0, zorder=2)
    inside = value > 0.9
    _text(
        axes,
        value - 0.008 if inside else value + 0.008,
        at,
        shown(value),
        size=8,
        ha="right" if inside else "left",
        color="white" if inside and colour == ACCURACY and not faded else INK,
        box=not inside,
    )


def _measured(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _label(row: LeaderboardRow) -> str:
    if row["kind"] == "baseline":
        return f"{row['model']}\n(baseline)"
    if row["kind"] == "ablation":
        return f"{row['model']}\n(without products)"
    return f"{row['model']}\n(winner)" if row["winner"] else row["model"]


def _text(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    weight: str = "normal",
    ha: str = "center",
    color: str = INK,
    box: bool = False,
) -> None:
    # The box keeps a reference line from running through the digits.
    axes.text(
        x,
        y,
        text,
        ha=ha,
        va="center",
        size=size,
        weight=weight,
        color=color,
        fontname=FONT,
        parse_math=False,
        zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1} if box else None,
    )


def _ticks(axes: Axes, which: str, places: Sequence[float], names: Sequence[str]) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(list(places))
    axis.set_ticklabels(list(names), fontname=FONT, size=9.5, color=INK, parse_math=False)


def _title(axes: Axes, title: str, below: str) -> None:
    heading = axes.set_title(title, loc="left", color=INK, pad=24, parse_math=False)
    heading.set(fontname=FONT, size=12, weight="bold")
    axes.annotate(
        below,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 8),
        textcoords="offset points",
        fontname=FONT,
        size=9,
        color=QUIET,
    )


def _save(figure: Figure, path: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(buffer.getvalue())
    part.replace(path)

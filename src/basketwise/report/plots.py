"""Pictures of how well the models do: a confusion matrix, and all models side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeGuard

from basketwise.report import canvas
from basketwise.report.canvas import ACCENT, AMBER, FONT, INK, LINE, QUIET
from basketwise.report.numbers import shown
from basketwise.report.types import LeaderboardRow

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MACRO_F1 = "#8fa3ee"
_BAR = 0.36

_Dashes: TypeAlias = tuple[int, tuple[int, int]]
_Metric: TypeAlias = tuple[Literal["test_accuracy", "test_f1"], str, str, _Dashes]
_METRICS: Final[tuple[_Metric, ...]] = (
    ("test_accuracy", "accuracy", ACCENT, (0, (6, 3))),
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
    figure, axes = canvas.figure(1.5 + 1.25 * size, 1.6 + 1.0 * size)
    for true, row in enumerate(matrix):
        total = sum(row)
        for predicted, number in enumerate(row):
            share = number / total if total else 0.0
            _cell(axes, predicted, true, share)
            canvas.text(axes, predicted, true - 0.08, f"{number:,}", size=12, weight="bold")
            below = f"{share:.1%}" if total else "–"
            canvas.text(axes, predicted, true + 0.18, below, size=9)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    order = ", ".join(classes)
    canvas.ticks(axes, "x", range(size), classes)
    canvas.ticks(axes, "y", range(size), classes)
    for label, text in (
        (axes.xaxis.label, f"Predicted class ({order})"),
        (axes.yaxis.label, f"True class ({order})"),
    ):
        label.set(text=text, fontname=FONT, size=9.5, color=QUIET, parse_math=False)
    canvas.title(axes, f"Confusion matrix: {model}", "test baskets, and share of the true class")
    canvas.save(figure, path)


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
    figure, axes = canvas.figure(8.0, 1.7 + 0.62 * len(rows))
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
    canvas.ticks(axes, "y", range(len(rows)), [_label(row) for row in rows])
    canvas.ticks(axes, "x", [0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
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
    canvas.title(
        axes, "Models on the test part", "F1 is the macro average; the axis goes from 0 to 1"
    )
    canvas.save(figure, path)


def _cell(axes: Axes, column: int, row: int, share: float) -> None:
    from matplotlib.patches import Rectangle

    colour = canvas.paler(ACCENT if column == row else AMBER, 0.05 + 0.50 * share)
    axes.add_patch(
        Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour, linewidth=0)
    )


def _bar(axes: Axes, at: float, value: float | None, colour: str, *, faded: bool) -> None:
    if not _measured(value):
        canvas.text(axes, 0.008, at, "–", size=8, ha="left")
        return
    shade = canvas.paler(colour, 0.45 if faded else 1)
    axes.barh(at, value, height=_BAR, color=[shade], lw=0, zorder=2)
    inside = value > 0.9
    canvas.text(
        axes,
        value - 0.008 if inside else value + 0.008,
        at,
        shown(value),
        size=8,
        ha="right" if inside else "left",
        color="white" if inside and colour == ACCENT and not faded else INK,
        box=not inside,
    )


def _measured(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _label(row: LeaderboardRow) -> str:
    if row["kind"] == "baseline":
        return f"{row['model']}\n(baseline)"
    if row["kind"] == "ablation":
        return f"{row['model']}\n(without {row['without']})"
    if row["kind"] == "rung":
        return f"{row['model']}\n({' + '.join(row['groups'])} only)"
    return f"{row['model']}\n(winner)" if row["winner"] else row["model"]

"""Pictures of how well the models do: confusion matrix, all models side by side, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from basketwise.report import canvas
from basketwise.report.canvas import ACCENT, AMBER, FONT, INK, LINE, QUIET
from basketwise.report.drawing import FRAME, X_TITLE, Y_TITLE, Curve, reliability_diagram
from basketwise.report.numbers import measured, shown
from basketwise.report.types.calibration import Calibration, Reliability
from basketwise.report.types.scores import LeaderboardRow

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
    """Draw a confusion matrix: counts, and their share of the row (``–`` where it is empty).

    Rows are true, columns predicted classes, both in the order of ``classes``.

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

    The leaderboard is drawn from top to bottom; its first row of kind ``baseline`` also gives the
    reference lines. A value that is ``None`` has no bar and is shown as ``–``.

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
        for position, row in enumerate(rows):
            faded = row["kind"] != "candidate"
            _bar(axes, position + (nth - 0.5) * _BAR, row[key], colour, faded=faded)
        keys.append(Patch(color=colour, label=f"test {name}"))
        if baseline is not None and measured(limit := baseline[key]):
            label = f"{name} of the majority-class baseline"
            keys.append(axes.axvline(limit, color=INK, lw=1, ls=dashes, zorder=2.5, label=label))
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    canvas.ticks(axes, "y", range(len(rows)), [_label(row) for row in rows])
    canvas.ticks(axes, "x", [0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    axes.grid(axis="x", color=LINE, lw=0.6, zorder=0)
    canvas.legend(axes, keys, below=0.36 / (0.62 * len(rows)), columns=2)
    canvas.title(
        axes, "Models on the test set", "F1 is the macro average; the axis goes from 0 to 1"
    )
    canvas.save(figure, path)


def reliability_png(calibration: Calibration, *, model: str, path: Path) -> None:
    """Draw the report's reliability diagram; one curve where calibration changed nothing."""
    diagram, frame = reliability_diagram(calibration), FRAME
    figure, axes = canvas.figure(6.2, 8.3)
    axes.set_xlim(0, frame.width)
    axes.set_ylim(frame.height, 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    for tick in diagram.ticks:
        axes.plot([tick.x, tick.x], [frame.top, frame.bottom], color=LINE, lw=0.6, zorder=1)
        axes.plot([frame.left, frame.right], [tick.y, tick.y], color=LINE, lw=0.6, zorder=1)
        label = f"{tick.value:.2f}"
        canvas.text(axes, frame.left - 6, tick.y, label, size=8.5, ha="right", color=QUIET)
        canvas.text(axes, tick.x, frame.base + 11, label, size=8.5, color=QUIET)
    keys: list[Artist] = []
    if diagram.calibrated:
        keys.append(_draw(axes, diagram.curves["raw"], calibration["raw"], AMBER, filled=False))
    keys.append(_draw(axes, diagram.curves["shipped"], calibration["shipped"], ACCENT, filled=True))
    ends, dots = [frame.left, frame.right], (0, (1, 2))
    axes.plot(ends, [frame.base, frame.base], color=INK, lw=0.8, zorder=2.5)
    keys += axes.plot(ends, [frame.bottom, frame.top], color=QUIET, lw=1, ls=dots, label="perfect")
    note = f"baskets, at most {diagram.most:,} in a bin"
    canvas.text(axes, frame.left, frame.bottom + 15, note, size=8.5, ha="left", color=QUIET)
    middle = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
    canvas.text(axes, middle[0], frame.base + 29, X_TITLE, size=9.5, color=QUIET)
    canvas.text(axes, 8, middle[1], Y_TITLE, size=9.5, color=QUIET, rotation=90)
    canvas.legend(axes, keys, below=0.01)
    canvas.title(axes, f"Reliability: {model}", "test baskets, by predicted probability")
    canvas.save(figure, path)


def _draw(axes: Axes, curve: Curve, errors: Reliability, colour: str, *, filled: bool) -> Artist:
    """Draw one curve and its bars, and return its entry for the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle, Rectangle

    face, dashes = (colour, "-") if filled else ("white", "--")
    for bar in curve.bars:
        axes.add_patch(
            Rectangle(bar[:2], *bar[2:], facecolor=face, edgecolor=colour, lw=0.8, zorder=2)
        )
    x, y = [point.x for point in curve.points], [point.y for point in curve.points]
    axes.plot(x, y, color=colour, lw=1.5, ls=dashes, zorder=2.5)
    for point in curve.points:
        axes.add_patch(
            Circle(point[:2], point.size, facecolor=face, edgecolor=colour, lw=1.3, zorder=3)
        )
    loss, error = shown(errors["log_loss"]), shown(errors["ece"])
    key = Line2D([], [], color=colour, ls=dashes, marker="o", ms=4.5, markerfacecolor=face)
    key.set_label(f"{curve.name}: log loss {loss}, calibration error {error}")
    return key


def _cell(axes: Axes, column: int, row: int, share: float) -> None:
    from matplotlib.patches import Rectangle

    colour = canvas.paler(ACCENT if column == row else AMBER, 0.05 + 0.50 * share)
    axes.add_patch(
        Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour, linewidth=0)
    )


def _bar(axes: Axes, at: float, value: float | None, colour: str, *, faded: bool) -> None:
    if not measured(value):
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


def _label(row: LeaderboardRow) -> str:
    if row["kind"] == "baseline":
        return f"{row['model']}\n(baseline)"
    if row["kind"] == "ablation":
        return f"{row['model']}\n(without {row['without']})"
    if row["kind"] == "simpler":
        return f"{row['model']}\n({' + '.join(row['groups'])} only)"
    return f"{row['model']}\n(winner)" if row["winner"] else row["model"]

"""How every picture looks: one size of dots, one font, one set of colours.

Figures are built without pyplot: nothing global changes, no window opens, and the same numbers
give the same bytes, since neither time nor software is written into the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basketwise.files import write_whole

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 300
INK, QUIET, LINE = "#171b21", "#58616d", "#d5d9df"
ACCENT, AMBER = "#3451c6", "#ce781c"
FONT = "DejaVu Sans"
"""Comes with matplotlib, so the picture is the same on every machine."""


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a white figure, in inches, with one empty plot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    margins = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    made = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=margins)
    FigureCanvasAgg(made)
    axes = made.subplots()
    axes.set_facecolor("white")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=INK)
    axes.set_axisbelow(True)
    return made, axes


def paler(colour: str, strength: float) -> tuple[float, ...]:
    """Mix a colour with white; strength 1 leaves it as it is."""
    from matplotlib.colors import to_rgb

    return tuple(1 - strength * (1 - part) for part in to_rgb(colour))


def text(
    axes: Axes,
    x: float,
    y: float,
    words: str,
    *,
    size: float,
    weight: str = "normal",
    ha: str = "center",
    color: str = INK,
    box: bool = False,
    rotation: float = 0,
) -> None:
    """Write into a plot, in its units; the text is never read as a formula."""
    # The box keeps a reference line from running through the digits.
    axes.text(
        x,
        y,
        words,
        ha=ha,
        va="center",
        size=size,
        weight=weight,
        color=color,
        fontname=FONT,
        parse_math=False,
        zorder=4,
        rotation=rotation,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1} if box else None,
    )


def ticks(axes: Axes, which: str, positions: Sequence[float], names: Sequence[str]) -> None:
    """Name positions on the axis ``x`` or ``y``."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(list(positions))
    axis.set_ticklabels(list(names), fontname=FONT, size=9.5, color=INK, parse_math=False)


def title(axes: Axes, words: str, below: str) -> None:
    """Write a heading over a plot, and a quieter line below it."""
    heading = axes.set_title(words, loc="left", color=INK, pad=24, parse_math=False)
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


def legend(axes: Axes, handles: Sequence[Artist], *, below: float, columns: int = 1) -> None:
    """Write a legend centred below a plot; ``below`` is in shares of the plot's height."""
    made = axes.legend(
        handles=list(handles),
        loc="upper center",
        bbox_to_anchor=(0.5, -below),
        ncols=columns,
        borderaxespad=0,
        frameon=False,
        prop={"family": FONT, "size": 8.5},
    )
    for words in made.get_texts():
        words.set_color(QUIET)


@contextmanager
def encoding_beside() -> Iterator[None]:
    """Encode the pictures that are saved within the block while the next ones are drawn.

    Drawing keeps Python busy, encoding does not. All files are there when the block ends.
    """
    with ThreadPoolExecutor(1) as pool:
        encoded: list[Future[None]] = []
        token = _BESIDE.set(lambda figure, path: encoded.append(pool.submit(_write, figure, path)))
        try:
            yield
        finally:
            _BESIDE.reset(token)
    for future in encoded:
        future.result()


def save(figure: Figure, path: Path) -> None:
    """Write the PNG file, whole or not at all."""
    # What figure.savefig does, but it draws everything twice: the first time only to lay it out.
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    figure.canvas.draw()
    _BESIDE.get()(figure, path)


def _write(figure: Figure, path: Path) -> None:
    """Encode a figure that has been drawn, and write the file."""
    from matplotlib.image import imsave

    agg: Any = figure.canvas
    # Neither the software nor its version is in the file.
    plain: Any = {"Software": None}
    buffer = BytesIO()
    # As print_png, which would draw it once more.
    imsave(
        buffer,
        agg.buffer_rgba(),
        format="png",
        origin="upper",
        dpi=figure.dpi,
        metadata=plain,
    )
    write_whole(path, buffer.getvalue())


_BESIDE: ContextVar[Callable[[Figure, Path], None]] = ContextVar("_BESIDE", default=_write)
"""What becomes of a figure that has been drawn."""

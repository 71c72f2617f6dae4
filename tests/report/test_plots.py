"""The pictures: resolution, the same bytes for the same numbers, and what is written in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.patches import Circle, Rectangle
from PIL import Image

from basketwise.report import canvas
from basketwise.report.drawing import reliability_diagram
from basketwise.report.plots import comparison_png, confusion_matrix_png, reliability_png
from basketwise.report.types.calibration import Reliability
from tests.report.example import BASELINE, CLASSES, MATRIX, example_report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures as they were when they were saved."""
    figures: list[Figure] = []
    save = canvas.save

    def keep(figure: Figure, path: Path) -> None:
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(canvas, "save", keep)
    return figures


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_matrix_is_300_dpi_and_says_its_order(tmp_path: Path, drawn: list[Figure]) -> None:
    path = tmp_path / "confusion_matrix_x.png"
    confusion_matrix_png(MATRIX, CLASSES, model="random_forest", path=path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert [round(dots) for dots in image.info["dpi"]] == [300, 300]
        assert min(image.size) > 900
    (axes,) = drawn[0].axes
    assert axes.get_xlabel() == "Predicted class (Low, Medium, High)"
    assert axes.get_ylabel() == "True class (Low, Medium, High)"
    assert axes.get_title(loc="left") == "Confusion matrix: random_forest"
    assert [label.get_text() for label in axes.get_yticklabels()] == CLASSES
    assert axes.yaxis_inverted()


def test_cells_hold_counts_and_row_shares(tmp_path: Path, drawn: list[Figure]) -> None:
    confusion_matrix_png([[3, 1], [0, 0]], ["a", "b"], model="m", path=tmp_path / "m.png")
    (axes,) = drawn[0].axes
    places: dict[tuple[int, int], list[str]] = {}
    for text in axes.texts[:8]:
        x, y = text.get_position()
        places.setdefault((round(x), round(y)), []).append(text.get_text())
    assert places == {
        (0, 0): ["3", "75.0%"],
        (1, 0): ["1", "25.0%"],
        (0, 1): ["0", "–"],
        (1, 1): ["0", "–"],
    }


@pytest.mark.parametrize("matrix", [[[1, 2], [3]], [[1, 2]], [[1]]])
def test_matrix_of_another_size_is_refused(tmp_path: Path, matrix: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"2 classes \(a, b\) need 2 rows of 2"):
        confusion_matrix_png(matrix, ["a", "b"], model="m", path=tmp_path / "m.png")
    assert list(tmp_path.iterdir()) == []


def test_comparison_starts_at_zero_and_shows_the_baseline(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    rows = example_report()["leaderboard"]
    comparison_png(rows, tmp_path / "model_comparison.png")
    (axes,) = drawn[0].axes
    assert axes.get_xlim() == (0, 1)
    widths = [patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
    assert widths == [row["test_accuracy"] for row in rows] + [row["test_f1"] for row in rows]
    lines = [list(np.asarray(line.get_xdata())) for line in axes.lines]
    assert lines == [[rows[-1]["test_accuracy"]] * 2, [rows[-1]["test_f1"]] * 2]
    assert f"{BASELINE:.4f}" in words(axes)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "random_forest\n(winner)"
    assert names[-4:] == [
        "random_forest\n(without basket)",
        "random_forest\n(without product)",
        "logistic\n(product only)",
        "majority class\n(baseline)",
    ]


def test_value_not_measured_has_no_bar(tmp_path: Path, drawn: list[Figure]) -> None:
    rows = example_report()["leaderboard"][:2]
    rows[0]["test_f1"] = None
    rows[1]["test_accuracy"] = float("nan")
    comparison_png(rows, tmp_path / "c.png")
    (axes,) = drawn[0].axes
    assert len(axes.patches) == 2
    assert words(axes).count("–") == 2
    assert len(axes.lines) == 0


def test_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leaderboard is empty"):
        comparison_png([], tmp_path / "c.png")


def test_reliability_is_drawn_as_on_the_page(tmp_path: Path, drawn: list[Figure]) -> None:
    calibration = example_report()["calibration"]
    path = tmp_path / "reliability.png"
    reliability_png(calibration, model="random_forest", path=path)
    with Image.open(path) as image:
        assert [round(dots) for dots in image.info["dpi"]] == [300, 300]
    (axes,) = drawn[0].axes
    assert axes.get_title(loc="left") == "Reliability: random_forest"
    diagram = reliability_diagram(calibration)
    curves = list(diagram.curves.values())
    circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert [patch.center for patch in circles] == [
        (point.x, point.y) for curve in curves for point in curve.points
    ]
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in bars] == [
        bar for curve in curves for bar in curve.bars
    ]
    assert {f"{tick.value:.2f}" for tick in diagram.ticks} <= set(words(axes))
    legend = axes.get_legend()
    assert legend is not None
    raw, shipped = calibration["raw"], calibration["shipped"]
    assert [text.get_text() for text in legend.get_texts()] == [
        f"before calibration: log loss 0.4127, calibration error {raw['ece']:.4f}",
        f"calibrated: log loss 0.3689, calibration error {shipped['ece']:.4f}",
        "perfect",
    ]


def test_where_nothing_was_corrected_there_is_one_curve(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    calibration = example_report()["calibration"]
    calibration["shipped"] = calibration["raw"]
    reliability_png(calibration, model="m", path=tmp_path / "r.png")
    (axes,) = drawn[0].axes
    assert len(axes.patches) == 2 * sum(row["baskets"] > 0 for row in calibration["raw"]["bins"])
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text().startswith("uncalibrated: log loss 0.4127")


def test_one_perfect_bin_leaves_room_on_the_axes() -> None:
    perfect: Reliability = {
        "log_loss": 0.0,
        "brier": 0.0,
        "ece": 0.0,
        "bins": [{"low": 14 / 15, "high": 1.0, "baskets": 9, "confidence": 1.0, "accuracy": 1.0}],
    }
    diagram = reliability_diagram(
        {"method": "none", "description": "", "raw": perfect, "shipped": perfect}
    )
    assert [tick.value for tick in diagram.ticks] == [0.8, 0.85, 0.9, 0.95, 1.0]
    assert diagram.most == 9


def test_names_are_not_read_as_formulas(tmp_path: Path) -> None:
    row = example_report()["leaderboard"][0]
    row["model"] = r"$\frac{$ <b>&"
    comparison_png([row], tmp_path / "c.png")
    confusion_matrix_png([[1]], ["$a"], model=r"$\frac{$", path=tmp_path / "m.png")
    calibration = example_report()["calibration"]
    reliability_png(calibration, model=r"$\frac{$", path=tmp_path / "r.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.png", "m.png", "r.png"]


def test_same_numbers_same_bytes_and_no_pyplot(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from basketwise.report.drawing import reliability_diagram
from basketwise.report.plots import comparison_png, confusion_matrix_png, reliability_png
from tests.report.example import CLASSES, MATRIX, example_report
assert "matplotlib" not in sys.modules
folder = Path(sys.argv[1])
confusion_matrix_png(MATRIX, CLASSES, model="xgboost", path=folder / "m.png")
comparison_png(example_report()["leaderboard"], folder / "c.png")
both = example_report()["calibration"]
reliability_png(both, model="xgboost", path=folder / "r.png")
assert "matplotlib.pyplot" not in sys.modules
"""
    other_folder, own_folder = tmp_path / "there", tmp_path / "here"
    other_folder.mkdir()
    own_folder.mkdir()
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(other_folder)],
        check=True,
        cwd=root,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    with canvas.encoding_beside():
        confusion_matrix_png(MATRIX, CLASSES, model="xgboost", path=own_folder / "m.png")
        comparison_png(example_report()["leaderboard"], own_folder / "c.png")
        both = example_report()["calibration"]
        reliability_png(both, model="xgboost", path=own_folder / "r.png")
    for name in ("m.png", "c.png", "r.png"):
        assert (own_folder / name).read_bytes() == (other_folder / name).read_bytes()
        with Image.open(own_folder / name) as image:
            assert set(image.info) == {"dpi"}


def test_a_picture_that_cannot_be_written_beside_the_others_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), canvas.encoding_beside():
        confusion_matrix_png([[1]], ["a"], model="m", path=tmp_path / "absent" / "m.png")

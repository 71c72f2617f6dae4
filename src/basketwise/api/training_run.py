"""What a training in Python returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from basketwise.files import ARCHIVE, REPORT_HTML

if TYPE_CHECKING:
    from basketwise.model.scoring import Model
    from basketwise.report.types.document import Report
    from basketwise.report.types.scores import LeaderboardRow


@dataclass(frozen=True)
class TrainingRun:
    """Result of :func:`basketwise.train`; displayed as the report in notebooks.

    Attributes
    ----------
    run_id
        Name of the run.
    version
        Number of the model version in the registry.
    approved
        Whether the gate approved it, so that it is the champion.
    leaderboard
        One row per model, best first: ``model``, ``kind`` (``candidate``, ``ablation``,
        ``simpler`` or ``baseline``), ``winner``, ``accuracy`` and ``macro_f1`` on the test set
        with their intervals (``…_low``, ``…_high``), ``cv_macro_f1`` (cross-validated, null for
        the baseline), ``fit_seconds``.
    report
        The content of ``report.json``.
    folder
        Folder of the run's artifacts: ``report.html``, ``model.tar.gz`` and others.

    Examples
    --------
    >>> import basketwise as bw
    >>> run = bw.train(bw.sample(baskets=3_000), workspace="ws", split="customer")
    >>> run.leaderboard["kind"].unique().sort().to_list()
    ['ablation', 'baseline', 'candidate', 'simpler']
    >>> run.model.predict(bw.sample(baskets=100, seed=7)).height
    100
    """

    run_id: str
    version: str
    approved: bool
    leaderboard: pl.DataFrame
    report: Report
    folder: Path

    @property
    def model(self) -> Model:
        """The winning model."""
        from basketwise.serving.versions import open_archive

        return open_archive(self.folder / ARCHIVE)

    def __repr__(self) -> str:
        winner = self.report["winner"]
        accuracy, state = winner["accuracy"], "approved" if self.approved else "not approved"
        return (
            f"<TrainingRun {self.run_id}: {winner['model']}, accuracy {accuracy['estimate']:.4f} "
            f"[{accuracy['low']:.4f}, {accuracy['high']:.4f}], version {self.version}, {state}>"
        )

    def _repr_html_(self) -> str:
        """Show the report in a notebook, in a frame of its own."""
        from html import escape

        page = (self.folder / REPORT_HTML).read_text(encoding="utf-8")
        return (
            f'<iframe title="Report of {escape(self.run_id)}" srcdoc="{escape(page)}" '
            'style="width: 100%; height: 40em; border: 1px solid #ccc"></iframe>'
        )


def leaderboard(report: Report) -> pl.DataFrame:
    """Return the models of a report as a table; columns as in :class:`TrainingRun`."""
    return pl.DataFrame([_leaderboard_row(row) for row in report["leaderboard"]])


def _leaderboard_row(row: LeaderboardRow) -> dict[str, Any]:
    name, without = row["model"], row["without"]
    shown: dict[str, Any] = {
        "model": f"{name} without {without}" if without else name,
        "kind": row["kind"],
        "winner": row["winner"],
    }
    for score, value, interval in (
        ("accuracy", row["test_accuracy"], row["accuracy_interval"]),
        ("macro_f1", row["test_f1"], row["f1_interval"]),
    ):
        ends = (interval["low"], interval["high"]) if interval else (None, None)
        shown |= {score: value, f"{score}_low": ends[0], f"{score}_high": ends[1]}
    return shown | {"cv_macro_f1": row["cv_f1_mean"], "fit_seconds": row["fit_seconds"]}

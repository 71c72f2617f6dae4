"""An archive of format 1, as version 0.1.0 wrote it: every later version opens it and scores alike.

``frozen/model-format-1.tar.gz`` is the decision tree of ``basketwise run --models decision_tree
--set training.folds=3 --set training.calibration=isotonic`` on 700 baskets with 5 % noise;
``scores.csv`` is what ``basketwise predict`` gave for ``lines.csv.gz`` then. None is to be changed:
a new format gets an archive of its own beside them.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from tests.cli.calling import call

FROZEN = Path(__file__).with_name("frozen")


def test_an_archive_of_format_1_scores_as_it_did(tmp_path: Path) -> None:
    archive, out = FROZEN / "model-format-1.tar.gz", tmp_path / "scores.csv"
    done = call(
        *("predict", "--data", FROZEN / "lines.csv.gz", "--model", archive, "--out", out),
    )
    assert done.code == 0, done.err
    expected = pl.read_csv(FROZEN / "scores.csv")
    assert_frame_equal(
        pl.read_csv(out).select(expected.columns), expected, abs_tol=1e-12, rel_tol=0
    )
    assert expected.height == 234
    assert expected["predicted_sensitivity"].n_unique() == 3

"""Gold rows as the arrays that models take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Labels, Matrix
from basketwise.errors import InputError
from basketwise.schema import CLASSES, FOLD, KEY, TARGET


@dataclass(frozen=True)
class Examples:
    """Labelled baskets."""

    ids: pl.Series
    """BASKET_ID, Int64 or String."""
    X: Matrix
    y: Labels
    fold: NDArray[np.int8]
    """Empty for the test set."""
    columns: tuple[str, ...]
    """Names of the columns of ``X``."""

    def only(self, columns: Sequence[str]) -> Examples:
        """Select some of the columns."""
        positions = [self.columns.index(column) for column in columns]
        selected = np.ascontiguousarray(self.X[:, positions])
        return Examples(self.ids, selected, self.y, self.fold, tuple(columns))


def class_numbers(labels: pl.Series) -> Labels:
    """Return the positions of labels in ``CLASSES``; every label must be one of them."""
    return labels.replace_strict(CLASSES, range(len(CLASSES)), return_dtype=pl.Int8).to_numpy()


def read_examples(path: Path, columns: Sequence[str]) -> Examples:
    """Read a gold file.

    Raises
    ------
    InputError
        If the file is absent or lacks a column.
    """
    if not path.is_file():
        raise InputError(
            f"There is no {path.name} in {str(path.parent)!r}.", "Run 'basketwise etl' first."
        )
    frame = pl.read_parquet(path, glob=False)
    missing = [column for column in (KEY, TARGET, *columns) if column not in frame.columns]
    if missing:
        raise InputError(
            f"{path.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.",
            "It was made with other feature groups; run 'basketwise etl' again.",
        )
    fold = frame[FOLD].to_numpy() if FOLD in frame.columns else np.empty(0, dtype=np.int8)
    X = np.ascontiguousarray(frame.select(pl.col(*columns).cast(pl.Float32)).to_numpy())
    return Examples(frame[KEY], X, class_numbers(frame[TARGET]), fold, tuple(columns))

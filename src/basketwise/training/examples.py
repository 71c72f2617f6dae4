"""Gold rows as the arrays that models take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Counts, Flags, Floats, Labels, Matrix, spaced
from basketwise.errors import InputError
from basketwise.etl.gold.tables import class_numbers
from basketwise.features.product import SHARE_NEW
from basketwise.schema import FOLD, KEY, TARGET
from basketwise.tables import matrix

RARE = 0.05
"""Share of the training baskets with new products up to which candidates learn without them."""


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
    hidden: int = 0
    """The last rows: baskets with hidden products, see :mod:`basketwise.etl.gold.hidden`."""

    @property
    def is_real(self) -> Flags:
        """Mark the rows without hidden products."""
        marked = np.ones(self.y.size, dtype=np.bool_)
        marked[self.y.size - self.hidden :] = False
        return marked

    @property
    def real(self) -> Examples:
        """The rows without hidden products."""
        return self.take(slice(0, self.y.size - self.hidden))

    def take(self, rows: Counts | slice) -> Examples:
        """Select rows by their numbers, in ascending order."""
        numbers = np.arange(self.y.size)[rows]
        return replace(
            self,
            ids=self.ids[rows],
            X=self.X[rows],
            y=self.y[rows],
            fold=self.fold[rows],
            hidden=int((numbers >= self.y.size - self.hidden).sum()),
        )

    def evenly(self, most: int) -> Examples:
        """Select evenly spaced rows, at most so many, and all with hidden products."""
        real = self.y.size - self.hidden
        if real <= most:
            return self
        rows = np.arange(self.y.size)
        return self.take(np.concatenate([rows[:real][spaced(real, most)], rows[real:]]))

    def only(self, columns: Sequence[str]) -> Examples:
        """Select some of the columns."""
        if tuple(columns) == self.columns:
            return self
        return replace(self, X=self.values(columns), columns=tuple(columns))

    def values(self, columns: Sequence[str], rows: slice = slice(None)) -> Matrix:
        """Return some of the columns of ``X``, for some of its rows."""
        X = self.X[rows]
        if tuple(columns) == self.columns:
            return X
        # An index of columns would be eight times slower: it gathers column by column.
        return X.take([self.columns.index(column) for column in columns], axis=1)

    @cached_property
    def new_shares(self) -> Floats:
        """Each basket's share of lines with new products; 0 for a model that cannot tell."""
        if SHARE_NEW not in self.columns:
            return np.zeros(self.y.size)
        return self.X[:, self.columns.index(SHARE_NEW)].astype(np.float64)


def read_examples(path: Path, columns: Sequence[str], more: Path | None = None) -> Examples:
    """Read a gold file, and behind it, where it exists, a second one, of the same columns.

    Raises
    ------
    InputError
        If the file is absent or lacks a column.
    """
    if not path.is_file():
        raise InputError(
            f"There is no {path.name} in {str(path.parent)!r}.", "Run 'basketwise etl' first."
        )
    frame, hidden = pl.read_parquet(path, glob=False), 0
    if more is not None and more.is_file():
        second = pl.read_parquet(more, glob=False).select(frame.columns)
        hidden = second.height
        frame = pl.concat([frame, second])
    missing = [column for column in (KEY, TARGET, *columns) if column not in frame.columns]
    if missing:
        raise InputError(
            f"{path.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.",
            "It was made with other feature groups; run 'basketwise etl' again.",
        )
    fold = frame[FOLD].to_numpy() if FOLD in frame.columns else np.empty(0, dtype=np.int8)
    X = matrix(frame, columns)
    y = class_numbers(frame[TARGET])
    return Examples(frame[KEY], X, y, fold, tuple(columns), hidden)


def learned_from(rows: Examples) -> Flags:
    """Mark the rows that candidates learn from: real ones; without new products if those are rare.

    Examples
    --------
    >>> X = np.array([[0.0], [0.5]], dtype=np.float32)
    >>> y = np.array([0, 1], dtype=np.int8)
    >>> rows = Examples(pl.Series([1, 2]), X, y, y, (SHARE_NEW,), hidden=1)
    >>> learned_from(rows).tolist()
    [True, False]
    """
    real = rows.is_real
    return real & (rows.new_shares == 0) if leaves_out_new(rows) else real


def leaves_out_new(rows: Examples) -> bool:
    """Whether real rows with new products are so rare that candidates learn without them."""
    real = rows.is_real
    new = real & (rows.new_shares > 0)
    return bool(new.sum() <= RARE * real.sum())

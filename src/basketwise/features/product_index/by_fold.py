"""The product index of all folds, ready to answer for lines that know the fold of their basket."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Flags, Floats
from basketwise.features.product_index.lookup import score_by_fold
from basketwise.schema import FOLD, PROD_CODE

Rows = NDArray[np.int32]

GRID = 2.0**-44
"""Sums of its multiples are exact, in whatever order and way they are added up, below ``EXACT``."""
EXACT = GRID * 2**53

_KNOWN = "_known"
_MISSING = -(2**30)
"""Makes the row of an unknown product, of an unknown fold and of both negative."""


class Said(NamedTuple):
    """Numbers that follow from the answers, one row for each of these; 0 where there are none.

    ``names``: of the columns, of which the first so many (``means``) are averaged, and the others
    counted. ``odd`` marks rows whose sums with others may be rounded, or lose the sign of a zero:
    all other numbers are multiples of ``GRID``, and none exceeds ``largest``.
    """

    names: list[str]
    numbers: Floats
    means: int
    odd: Flags
    largest: float


class FoldLookup:
    """What the folds' indexes say, by number: lines are looked up without a join.

    Parameters
    ----------
    index : DataFrame
        PROD_CODE, ``fold`` (Int8) and answers, one row per product of each fold; see
        :func:`basketwise.features.product_index.lookup.score_by_fold`.
    """

    def __init__(self, index: pl.DataFrame) -> None:
        self._index = index
        self._folds = index[FOLD].unique().sort()
        self._codes = pl.Enum(index[PROD_CODE].unique().sort())
        self._said: tuple[list[pl.Expr], Said] | None = None
        self._added: tuple[list[pl.Expr], list[str], Floats] | None = None

    @cached_property
    def _every(self) -> pl.DataFrame:
        """All products of one fold, then those of the next; at last an unknown one."""
        codes = self._codes.categories
        fold = np.repeat(self._folds.to_numpy(), codes.len())
        every = pl.DataFrame({FOLD: fold, PROD_CODE: pl.concat([codes] * self._folds.len())})
        own = self._index.with_columns(pl.lit(True).alias(_KNOWN))
        answers = every.join(own, on=[FOLD, PROD_CODE], how="left", maintain_order="left")
        return pl.concat([answers, answers.clear(1)])

    @cached_property
    def answers(self) -> pl.DataFrame:
        """The answers by row; null where a fold does not know a product."""
        return self._every.drop(FOLD, PROD_CODE, _KNOWN)

    @cached_property
    def known(self) -> Flags:
        """Whether the fold of each row knows its product."""
        return self._every[_KNOWN].fill_null(False).to_numpy()

    @cached_property
    def _first(self) -> Rows:
        """The row of each fold's first product, by the fold as a number without a sign."""
        first = np.full(2**8, _MISSING, dtype=np.int32)
        number = self._codes.categories.len()
        first[self._folds.to_numpy().view(np.uint8)] = np.arange(self._folds.len()) * number
        return first

    def said(self, means: list[pl.Expr], counts: list[pl.Expr]) -> Said:
        """Return what follows from the answers; that of the last expressions is kept."""
        if self._said is None or self._said[0] is not means:
            names, numbers = self._numbers([*means, *counts])
            steps = numbers / GRID
            odd = (steps != np.rint(steps)) | ((numbers == 0) & np.signbit(numbers))
            largest = float(np.abs(numbers).max(initial=0))
            said = Said(names, numbers, len(means), odd.any(axis=1), largest)
            self._said = means, said
        return self._said[1]

    def added(self, sums: list[pl.Expr]) -> tuple[list[str], Floats]:
        """Return numbers that follow from the answers, as :meth:`said`, and their names."""
        if self._added is None or self._added[0] is not sums:
            self._added = sums, *self._numbers(sums)
        return self._added[1:]

    def _numbers(self, expressions: list[pl.Expr]) -> tuple[list[str], Floats]:
        own = [expression.cast(pl.Float64) for expression in expressions]
        values = self.answers.select(own).fill_null(0.0)
        return values.columns, np.ascontiguousarray(values.to_numpy())

    def __call__(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Add the answers to lines with PROD_CODE and ``fold``, which stay in their order."""
        return score_by_fold(self._index, lines)

    def rows(self, lines: pl.DataFrame) -> Rows:
        """Return the row of :attr:`answers` for each line with PROD_CODE and ``fold``."""
        code = lines[PROD_CODE].cast(self._codes, strict=False).to_physical().cast(pl.Int32)
        rows: Rows = self._first.take(lines[FOLD].to_numpy().view(np.uint8))
        rows += code.fill_null(_MISSING).to_numpy()
        rows[rows < 0] = self.answers.height - 1
        return rows

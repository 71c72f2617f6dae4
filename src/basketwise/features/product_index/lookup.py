"""Looking products up in the index: known ones by their code, new ones by their hierarchy.

What a line gets depends on that line alone, so a basket is scored the same in any company.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from basketwise.arrays import Counts
from basketwise.features.product_index.hierarchy import smooth
from basketwise.features.product_index.table import (
    BASKETS,
    CLASS,
    GROUP_PRICE,
    NEW,
    POSTERIORS,
    PRICES,
    PRIORS,
    PROBABILITY,
    SCORES,
    UNIT_PRICE,
    completed,
    levels_of,
)
from basketwise.schema import FOLD, HIERARCHY, INDEX_LABELS, PROD_CODE, PROD_NAME

FEW = 2_000
"""Up to this number of lines, a dictionary is faster than a cast."""


class IndexLookup:
    """A product index, ready to answer.

    Parameters
    ----------
    index : DataFrame
        Columns :data:`basketwise.features.product_index.table.COLUMNS`, one row per product.
        Models that were trained earlier lack some of them.
    """

    def __init__(self, index: pl.DataFrame) -> None:
        self.index = completed(index)
        groups, values = _group_answers(self.index)
        known = self.index.select(
            *SCORES,
            CLASS,
            PROBABILITY,
            *POSTERIORS,
            *PRICES,
            (pl.col(BASKETS) == 0).alias(NEW),
        )
        self.answers = pl.concat([known, values])
        """One row per product, then one per group of each level, then one for all products."""
        self._groups = groups

    @cached_property
    def _rows(self) -> dict[str, int]:
        return dict(zip(self.index[PROD_CODE], range(self.index.height), strict=True))

    @cached_property
    def _codes(self) -> pl.Enum:
        """The products as categories, whose numbers are their rows: their hashes are kept."""
        return pl.Enum(self.index[PROD_CODE])

    @cached_property
    def names(self) -> pl.DataFrame:
        """The products that have a name: PROD_CODE, PROD_NAME."""
        return self.index.select(PROD_CODE, PROD_NAME).drop_nulls()

    def score(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Add what the index says of each line's product.

        Parameters
        ----------
        lines : DataFrame
            One row per line: PROD_CODE and its hierarchy; a level that is absent is unknown.

        Returns
        -------
        DataFrame
            The same lines in the same order with the columns ``score_<label>`` (Float32),
            ``class`` (String), ``probability``, ``posterior_<label>``, ``unit_price`` and
            ``group_price`` (Float32; null where unknown) and ``new`` (Boolean: not in the training
            data, so it has the scores and the class of its finest known group, at last those of
            all products). Columns of these names are replaced.
        """
        # For a single basket each query costs more than its work: columns are chosen without one.
        kept = [name for name in lines.columns if name not in self.answers.columns]
        return lines[kept].hstack(self.answers[self._row_numbers(lines)])

    def row_of(self, product: str, levels: Sequence[str], codes: Sequence[str | None]) -> int:
        """Return the row of :attr:`answers` for one product with some levels of its hierarchy."""
        row = self._rows.get(product)
        return self._row_of_group(levels, codes) if row is None else row

    def _row_of_group(self, levels: Sequence[str], codes: Sequence[str | None]) -> int:
        """Return the row of the finest known group, at last that of all products."""
        for level, code in zip(levels, codes, strict=True):
            if code is not None and (level, code) in self._groups:
                return self._groups[level, code]
        return self.answers.height - 1

    def _row_numbers(self, lines: pl.DataFrame) -> Counts:
        if lines.height <= FEW:
            rows = [self._rows.get(code, -1) for code in lines[PROD_CODE]]
            numbers = np.asarray(rows, dtype=np.int64)
        else:
            known = lines[PROD_CODE].cast(self._codes, strict=False).to_physical()
            numbers = known.cast(pl.Int64).fill_null(-1).to_numpy(writable=True)
        unknown = np.flatnonzero(numbers < 0)
        if unknown.size:
            numbers[unknown] = self._by_hierarchy(lines[unknown])
        return numbers

    def _by_hierarchy(self, lines: pl.DataFrame) -> Counts:
        levels = [name for name in HIERARCHY if name in lines.columns]
        if not levels:
            return np.full(lines.height, self.answers.height - 1, dtype=np.int64)
        distinct = lines.select(levels).unique()
        rows = [self._row_of_group(levels, codes) for codes in distinct.iter_rows()]
        return (
            lines.select(levels)
            .join(
                distinct.with_columns(pl.Series("row", rows, pl.Int64)),
                on=levels,
                how="left",
                nulls_equal=True,
                maintain_order="left",
            )["row"]
            .to_numpy()
        )


def score_by_fold(index: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Add what the index of its own fold says of each line's product, out of fold.

    ``index`` has PROD_CODE, ``fold`` and, of what :meth:`IndexLookup.score` adds, what is needed:
    per fold, learned from the other folds. ``lines`` have PROD_CODE and the ``fold`` of their
    basket; they come back in the same order with the columns of the index.
    """
    return lines.join(index, on=[PROD_CODE, FOLD], how="left", maintain_order="left")


def _group_answers(index: pl.DataFrame) -> tuple[dict[tuple[str, str], int], pl.DataFrame]:
    """Smooth the index over its hierarchy: one row per group of each level, then one for all.

    Returns the row of the answers by level and code (the index's own rows come before them), and
    the answers: ``score_<label>``, ``class``, ``probability``, ``posterior_<label>``, prices,
    ``new``. The probabilities are the average of what they would be for the group's products if no
    basket contained them.
    """
    levels = levels_of(index)
    # Products that took their own scores from the hierarchy add nothing to it.
    weight = (index[BASKETS].to_numpy() > 0).astype(np.float64)
    votes = smooth(index.select(PRIORS).to_numpy().astype(np.float64), weight, levels)
    scores = smooth(index.select(SCORES).to_numpy().astype(np.float64), weight, levels)
    rows: dict[tuple[str, str], int] = {}
    all_votes, all_scores, all_prices, height = [], [], [], index.height
    price = index[GROUP_PRICE].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    finer = np.zeros(index.height, dtype=np.bool_)
    for name, numbers, vote, score in zip(
        HIERARCHY, levels, votes.levels, scores.levels, strict=True
    ):
        codes = index[name].to_list()
        rows |= {
            (name, code): height + int(n)
            for code, n in zip(codes, numbers, strict=True)
            if code is not None
        }
        all_votes.append(vote)
        all_scores.append(score)
        # The index has the price of a product's finest group only.
        own = (numbers >= 0) & ~finer
        of_groups = np.full(vote.shape[0], np.nan)
        of_groups[numbers[own]] = price[own]
        all_prices.append(of_groups)
        finer |= own
        height += vote.shape[0]
    vote = np.vstack([*all_votes, votes.overall])
    score = np.vstack([*all_scores, scores.overall]).astype(np.float32)
    best = vote.argmax(axis=1)
    prices = np.concatenate([*all_prices, [np.nan]])
    answers = pl.DataFrame(
        [
            *(pl.Series(name, column) for name, column in zip(SCORES, score.T, strict=True)),
            pl.Series(CLASS, np.asarray(INDEX_LABELS)[best], dtype=pl.String),
            pl.Series(PROBABILITY, vote[np.arange(best.size), best].astype(np.float32)),
            *(
                pl.Series(name, column.astype(np.float32))
                for name, column in zip(POSTERIORS, vote.T, strict=True)
            ),
            pl.Series(UNIT_PRICE, np.full(best.size, np.nan, np.float32)).fill_nan(None),
            pl.Series(GROUP_PRICE, prices.astype(np.float32)).fill_nan(None),
            pl.Series(NEW, np.ones(best.size, dtype=np.bool_)),
        ]
    )
    return rows, answers

"""What the product index says of single products, as numbers that features are added up from."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import polars as pl

from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.table import CLASS, NEW, POSTERIORS, PRICES, SCORES
from basketwise.model.compiled.plain import Columns
from basketwise.schema import HIERARCHY, INDEX_LABELS, PROD_CODE


class Said(NamedTuple):
    """What the index says of one line's product; probabilities and scores as Float64."""

    scores: tuple[float, ...]
    label: int
    """Number of its class in ``INDEX_LABELS``."""
    posterior: tuple[float, ...]
    own_price: float | None
    group_price: float | None
    new: bool


REMEMBERED = 10_000
"""Products: what most of the lines are of."""


class Products:
    """An index that answers one product at a time.

    Parameters
    ----------
    lookup : IndexLookup
        The same index for frames.
    """

    def __init__(self, lookup: IndexLookup) -> None:
        self._lookup = lookup
        answers = lookup.answers
        labels = {name: number for number, name in enumerate(INDEX_LABELS)}
        self._scores = answers.select(SCORES).to_numpy().astype(float)
        self._labels = [labels[name] for name in answers[CLASS]]
        self._posterior = answers.select(POSTERIORS).to_numpy().astype(float)
        self._prices = answers.select(pl.col(PRICES).cast(pl.Float64)).to_numpy()
        self._new = answers[NEW].to_numpy()
        self._said = lru_cache(maxsize=REMEMBERED)(self._of_row)

    def say(self, columns: Columns) -> list[Said]:
        """Return what the index says of each line."""
        levels = zip(*(columns[name] for name in HIERARCHY), strict=True)
        return [
            self._said(self._lookup.row_of(product, HIERARCHY, codes))
            for product, codes in zip(columns[PROD_CODE], levels, strict=True)
        ]

    def _of_row(self, row: int) -> Said:
        own, group = (None if p != p else p for p in self._prices[row].tolist())
        return Said(
            tuple(self._scores[row].tolist()),
            self._labels[row],
            tuple(self._posterior[row].tolist()),
            own,
            group,
            bool(self._new[row]),
        )

"""What a feature group is: what it adds up over a basket's lines, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

Encoders = Mapping[str, Sequence[str]]
"""``store_format`` and ``store_region``: the categories of the training data, in order."""


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are switched on and off together.

    ``columns`` are what it adds to a row, in the order that models see them, never null; ``reads``
    the columns of the typed lines it needs. ``aggregates`` makes one value per basket from its
    lines, outliers treated, ``derived`` the features that follow from these. ``needs_index``: each
    line must carry the scores and the class of its product. ``needs_history``: a
    history of customers adds its columns to each basket. ``always_written``: gold has its columns
    though the models do not see them, so that training shows what a model without the other groups
    could do.
    """

    name: str
    columns: tuple[str, ...]
    reads: tuple[str, ...]
    aggregates: Callable[[], list[pl.Expr]]
    derived: Callable[[Encoders], list[pl.Expr]]
    needs_index: bool = False
    needs_history: bool = False
    always_written: bool = False

"""The feature groups: an entry of ``GROUPS`` is all that gold, training and scoring know of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl

from basketwise.config import GroupName
from basketwise.features.basket import BASKET_FEATURES, basket_features
from basketwise.features.product import PRODUCT_FEATURES, product_features
from basketwise.schema import BASKET_ID, PROD_CODE


@dataclass(frozen=True)
class Learned:
    """What features rest on besides the lines; learned from the training set.

    Attributes
    ----------
    encoders
        Categories by name, see :func:`basketwise.features.basket.basket_features`.
    index
        The product index, completed for every product of the lines; None: there is none.
    on
        Columns the lines and the index are joined on.
    """

    encoders: Mapping[str, Sequence[str]]
    index: pl.DataFrame | None = None
    on: Sequence[str] = (PROD_CODE,)


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are switched on and off together.

    Attributes
    ----------
    name
        As in the settings, ``features.groups``.
    columns
        What it adds to a row, in the order that models see them.
    compute
        Returns one row per basket with BASKET_ID and ``columns``, without nulls, from lines with
        outliers treated.
    needs_index
        Whether it rests on the product index.
    always_written
        Whether gold has its columns though the models do not see them: training shows with them
        what a model without the other groups could do.
    """

    name: GroupName
    columns: tuple[str, ...]
    compute: Callable[[pl.LazyFrame, Learned], pl.LazyFrame]
    needs_index: bool = False
    always_written: bool = False


def _basket(lines: pl.LazyFrame, learned: Learned) -> pl.LazyFrame:
    return basket_features(lines, learned.encoders)


def _product(lines: pl.LazyFrame, learned: Learned) -> pl.LazyFrame:
    if learned.index is None:
        raise ValueError("the group product needs the index")
    return product_features(lines, learned.index.lazy(), on=learned.on)


GROUPS: Mapping[str, FeatureGroup] = {
    group.name: group
    for group in (
        FeatureGroup("basket", BASKET_FEATURES, _basket, always_written=True),
        FeatureGroup("product", PRODUCT_FEATURES, _product, needs_index=True),
    )
}
"""By name, in the order in which models see their columns."""

ALWAYS_WRITTEN = tuple(name for name, group in GROUPS.items() if group.always_written)


def compute_groups(lines: pl.LazyFrame, learned: Learned) -> pl.LazyFrame:
    """Join every group that what was learned suffices for: one row per basket, in any order."""
    tables = [
        group.compute(lines, learned)
        for group in GROUPS.values()
        if learned.index is not None or not group.needs_index
    ]
    return reduce(lambda left, right: left.join(right, on=BASKET_ID), tables)


def columns_of(groups: Sequence[str]) -> list[str]:
    """Return the feature columns of some groups, in the order that models see them.

    Examples
    --------
    >>> columns_of(["product"])[-1]
    'product_balance'
    """
    return [column for name in GROUPS if name in groups for column in GROUPS[name].columns]


def group_of(column: str) -> str:
    """Return the group that a feature column belongs to."""
    return next(name for name, group in GROUPS.items() if column in group.columns)


def of_index(groups: Sequence[str]) -> tuple[str, ...]:
    """Return those of some groups that rest on the product index.

    Examples
    --------
    >>> of_index(["basket", "product"])
    ('product',)
    """
    return tuple(name for name in groups if GROUPS[name].needs_index)

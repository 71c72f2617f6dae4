"""The feature groups: an entry of ``GROUPS`` is all that gold, training and scoring know of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from basketwise.config import GroupName
from basketwise.features import basket, product

Encoders = Mapping[str, Sequence[str]]
"""``store_format`` and ``store_region``: the categories of the training data, in order."""


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are switched on and off together.

    ``columns`` are what it adds to a row, in the order that models see them, never null; ``reads``
    the columns of the typed lines it needs. ``aggregates`` makes one value per basket from its
    lines, outliers treated, ``derived`` the features that follow from these. ``needs_index``: each
    line must carry the scores and the class of its product. ``always_written``: gold has its
    columns though the models do not see them, so that training shows what a model without the other
    groups could do.
    """

    name: GroupName
    columns: tuple[str, ...]
    reads: tuple[str, ...]
    aggregates: Callable[[], list[pl.Expr]]
    derived: Callable[[Encoders], list[pl.Expr]]
    needs_index: bool = False
    always_written: bool = False


GROUPS: Mapping[str, FeatureGroup] = {
    group.name: group
    for group in (
        FeatureGroup(
            "basket",
            basket.COLUMNS,
            basket.READS,
            basket.aggregates,
            basket.derived,
            always_written=True,
        ),
        FeatureGroup(
            "product",
            product.COLUMNS,
            product.READS,
            product.aggregates,
            product.derived,
            needs_index=True,
        ),
    )
}
"""By name, in the order in which models see their columns."""

ALWAYS_WRITTEN = tuple(name for name, group in GROUPS.items() if group.always_written)


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

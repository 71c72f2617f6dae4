"""The feature groups: all that gold, training and scoring know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from basketwise.features.group import FeatureGroup
from basketwise.schema import FEATURE_GROUPS

GROUPS: Mapping[str, FeatureGroup] = {
    name: import_module(f"basketwise.features.{name}").GROUP for name in FEATURE_GROUPS
}
"""By name, in the order in which models see their columns."""

ALWAYS_WRITTEN = tuple(name for name, group in GROUPS.items() if group.always_written)


def columns_of(groups: Sequence[str]) -> list[str]:
    """Return the feature columns of some groups, in the order that models see them.

    Examples
    --------
    >>> columns_of(["product"])[-1]
    'product_share_new'
    """
    return [column for name in GROUPS if name in groups for column in GROUPS[name].columns]


def group_of(column: str) -> str:
    """Return the group that a feature column belongs to."""
    return next(name for name, group in GROUPS.items() if column in group.columns)


def of_index(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the groups that need the product index.

    Examples
    --------
    >>> of_index(["basket", "product"])
    ('product',)
    """
    return tuple(name for name in groups if GROUPS[name].needs_index)


def of_history(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the groups that need the customers' history.

    Examples
    --------
    >>> of_history(["basket", "product", "customer"])
    ('customer',)
    """
    return tuple(name for name in groups if GROUPS[name].needs_history)

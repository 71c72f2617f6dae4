"""The feature groups, and the columns each brings."""

from __future__ import annotations

from collections.abc import Sequence

from basketwise.features.basket import BASKET_FEATURES
from basketwise.features.product import PRODUCT_FEATURES

GROUPS: dict[str, tuple[str, ...]] = {"basket": BASKET_FEATURES, "product": PRODUCT_FEATURES}


def columns_of(groups: Sequence[str]) -> list[str]:
    """Return the feature columns of some groups, in the order that models see them.

    Examples
    --------
    >>> columns_of(["product"])[-1]
    'product_balance'
    """
    return [column for name, columns in GROUPS.items() if name in groups for column in columns]


def group_of(column: str) -> str:
    """Return the group that a feature column belongs to."""
    return next(name for name, columns in GROUPS.items() if column in columns)

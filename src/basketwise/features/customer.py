"""Group ``customer``: what the customer's earlier baskets say.

They are looked up in a history, see :mod:`basketwise.features.history`, by the customer's code and
the time of the basket: only what is strictly earlier counts, so never the basket's own label.
"""

from __future__ import annotations

import polars as pl

from basketwise.features.group import Encoders, FeatureGroup
from basketwise.schema import CLASSES, CUST_CODE, SHOP_DATE, SHOP_HOUR, SHOP_WEEK

SHARES = tuple(f"customer_{name.lower()}" for name in CLASSES)
BALANCE = "customer_balance"
KNOWN_BASKETS = "customer_baskets"
LATEST = "customer_latest"
SINCE = "customer_weeks"

COLUMNS: tuple[str, ...] = (*SHARES, BALANCE, KNOWN_BASKETS, LATEST, SINCE)
READS = (CUST_CODE, SHOP_WEEK, SHOP_DATE, SHOP_HOUR)


def aggregates() -> list[pl.Expr]:
    """Take the basket's customer and time; what is known of them, the history adds."""
    return [pl.col(name).max().alias(f"_{name}") for name in READS]


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Nothing follows from these."""
    return []


GROUP = FeatureGroup("customer", COLUMNS, READS, aggregates, derived, needs_history=True)

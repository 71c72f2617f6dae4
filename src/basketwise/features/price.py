"""Group ``price``: how cheap a basket's lines are, for their product and within their group.

The price of a line is SPEND per unit of QUANTITY. It is compared with two medians of the training
lines: that of its product (is it cheaper or dearer than usual?) and that of the product's finest
known group (is it a cheap or a dear kind?). Neither knows any label.
"""

from __future__ import annotations

import polars as pl

from basketwise.features.group import Encoders, FeatureGroup
from basketwise.features.product_index.table import GROUP_PRICE, UNIT_PRICE
from basketwise.schema import PROD_CODE, QUANTITY, SPEND

USUAL = {"own_price": UNIT_PRICE, "group_price": GROUP_PRICE}
CHEAP = 0.8
"""Up to this share of the group's median a line is cheap."""
BELOW = 0.98
"""Up to this share of its product's median a line is cheaper than usual."""

_STATISTICS = ("mean", "min", "max", "std")
COLUMNS: tuple[str, ...] = (
    *(f"{prefix}_{statistic}" for prefix in USUAL for statistic in _STATISTICS),
    "own_price_below",
    "group_price_cheap",
    "group_price_ratio",
)
READS = (PROD_CODE, SPEND, QUANTITY)


def _ratio(usual: str) -> pl.Expr:
    """Return price over median; null where either is unknown."""
    sold = (pl.col(SPEND) > 0) & (pl.col(QUANTITY) > 0)
    return pl.when(sold).then(pl.col(SPEND) / pl.col(QUANTITY) / pl.col(usual).cast(pl.Float64))


def aggregates() -> list[pl.Expr]:
    """Describe the ratios of a basket's lines; 0 (for ratios 1) where no line has one.

    - ``own_price_…``: mean, lowest, highest and sample standard deviation of the logarithm of
      price over the product's median; ``group_price_…``: over its group's;
    - ``own_price_below``: share of lines cheaper than usual, among those with a ratio;
    - ``group_price_cheap``: share of cheap lines; ``group_price_ratio``: mean ratio itself.
    """
    described = []
    for prefix, usual in USUAL.items():
        logarithm = _ratio(usual).log()
        described += [
            logarithm.mean().fill_null(0.0).alias(f"{prefix}_mean"),
            logarithm.min().fill_null(0.0).alias(f"{prefix}_min"),
            logarithm.max().fill_null(0.0).alias(f"{prefix}_max"),
            logarithm.std(ddof=1).fill_null(0.0).alias(f"{prefix}_std"),
        ]
    own, group = (_ratio(usual) for usual in USUAL.values())
    return [
        *described,
        (own <= BELOW).mean().fill_null(0.0).alias("own_price_below"),
        (group <= CHEAP).mean().fill_null(0.0).alias("group_price_cheap"),
        group.mean().fill_null(1.0).alias("group_price_ratio"),
    ]


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Nothing follows from these."""
    return []


GROUP = FeatureGroup("price", COLUMNS, READS, aggregates, derived, needs_index=True)

"""Group ``season``: the week of the year, so that December is next to January."""

from __future__ import annotations

import math

import polars as pl

from basketwise.features.group import Encoders, FeatureGroup
from basketwise.schema import SHOP_WEEK

WEEKS = 365.25 / 7

COLUMNS: tuple[str, ...] = ("season_sin", "season_cos")


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Put the week on a circle of one year; 0 and 0 where it is unknown."""
    week = pl.col("_season") % 100
    angle = (week - 1).cast(pl.Float64) * (2 * math.pi / WEEKS)
    known = pl.col("_season").is_not_null() & (week > 0)
    return [
        pl.when(known).then(value).otherwise(0.0).alias(name)
        for name, value in zip(COLUMNS, (angle.sin(), angle.cos()), strict=True)
    ]


GROUP = FeatureGroup("season", COLUMNS, (SHOP_WEEK,), list, derived, shared={"_season": SHOP_WEEK})

"""Computing a single group of features in tests."""

from collections.abc import Mapping, Sequence

import polars as pl

from basketwise.features.groups import columns_of
from basketwise.features.recipe import Recipe, ScoreLines, features

ENCODERS: dict[str, list[str]] = {"store_format": [], "store_region": []}


def scored_by(index: pl.DataFrame, *on: str) -> ScoreLines:
    """Score lines by a plain join with an index of a few columns."""
    keys = list(on or ("PROD_CODE",))
    return lambda lines: lines.join(index, on=keys, how="left", maintain_order="left")


def basket_features(
    lines: pl.DataFrame,
    encoders: Mapping[str, Sequence[str]] = ENCODERS,
    how: str = "keep",
    limit: float = 0.0,
) -> pl.DataFrame:
    return features(lines, Recipe(["basket"], encoders, how, limit))


def product_features(lines: pl.DataFrame, index: pl.DataFrame, *on: str) -> pl.DataFrame:
    recipe = Recipe(["product"], ENCODERS, "keep", 0.0)
    return features(lines, recipe, scored_by(index, *on))


BASKET_FEATURES, PRODUCT_FEATURES = columns_of(["basket"]), columns_of(["product"])

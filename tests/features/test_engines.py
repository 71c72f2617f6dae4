"""The same expressions give the same numbers on every engine."""

from __future__ import annotations

import math

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.features.basket import basket_features, treat_outliers
from basketwise.features.product import product_features

ENCODERS = {"store_format": ["LS", "MS"], "store_region": ["E01"]}
LABELS = ("Low", "Medium", "High", "Unclassified")
PRODUCTS = [f"PRD{number}" for number in range(8)]
INDEX = pl.DataFrame(
    {
        "PROD_CODE": PRODUCTS,
        **{
            f"score_{label.lower()}": [math.sin(place * 4 + number) for number in range(8)]
            for place, label in enumerate(LABELS)
        },
        "class": [LABELS[number % 4] for number in range(8)],
    }
)

_LINE = st.fixed_dictionaries(
    {
        "BASKET_ID": st.integers(1, 5),
        "PROD_CODE": st.sampled_from(PRODUCTS),
        "SPEND": st.integers(-200, 3_000).map(lambda pence: pence / 100),
        "QUANTITY": st.integers(1, 9),
    }
)
LINES = st.lists(_LINE, min_size=1, max_size=25).map(
    lambda rows: pl.DataFrame(rows).with_columns(
        (200_607 + pl.col("BASKET_ID") % 2).alias("SHOP_WEEK"),
        (1 + pl.col("BASKET_ID") % 7).alias("SHOP_WEEKDAY"),
        (8 + pl.col("BASKET_ID")).alias("SHOP_HOUR"),
        pl.col("BASKET_ID")
        .replace_strict({1: "LS", 2: "MS", 3: "XLS"}, default=None, return_dtype=pl.String)
        .alias("STORE_FORMAT"),
        pl.lit("E01").alias("STORE_REGION"),
    )
)


def numbers(table: pl.DataFrame | pd.DataFrame) -> dict[str, list[float]]:
    frame = table if isinstance(table, pl.DataFrame) else pl.DataFrame(table.to_dict("list"))
    return {name: list(map(float, frame.sort("BASKET_ID")[name])) for name in frame.columns}


def agree(one: dict[str, list[float]], other: dict[str, list[float]]) -> None:
    assert list(one) == list(other)
    for name, values in one.items():
        assert other[name] == pytest.approx(values, rel=1e-12, abs=1e-9), name


@settings(max_examples=20)
@given(LINES, st.sampled_from(["clip", "drop", "keep"]), st.sampled_from([5.0, 40.0]))
def test_group_basket(lines: pl.DataFrame, how: str, limit: float) -> None:
    eager = numbers(basket_features(treat_outliers(lines, how, limit), ENCODERS))
    lazy = basket_features(treat_outliers(lines.lazy(), how, limit), ENCODERS)
    agree(eager, numbers(lazy.collect()))
    agree(eager, numbers(lazy.collect(engine="streaming")))
    plain = pd.DataFrame(lines.to_dict(as_series=False))
    treated = treat_outliers(plain, how, limit)
    if len(treated):
        agree(eager, numbers(basket_features(treated, ENCODERS)))


@settings(max_examples=20)
@given(LINES)
def test_group_product(lines: pl.DataFrame) -> None:
    eager = numbers(product_features(lines, INDEX))
    lazy = product_features(lines.lazy(), INDEX.lazy())
    agree(eager, numbers(lazy.collect()))
    agree(eager, numbers(lazy.collect(engine="streaming")))
    plain, index = (pd.DataFrame(frame.to_dict(as_series=False)) for frame in (lines, INDEX))
    agree(eager, numbers(product_features(plain, index)))


@settings(max_examples=20)
@given(LINES)
def test_the_order_of_lines_does_not_matter(lines: pl.DataFrame) -> None:
    turned = lines.reverse()
    agree(numbers(basket_features(lines, ENCODERS)), numbers(basket_features(turned, ENCODERS)))
    agree(numbers(product_features(lines, INDEX)), numbers(product_features(turned, INDEX)))

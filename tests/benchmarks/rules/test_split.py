"""The split of the peers is that of Basketwise."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketwise.config import SplitConfig
from basketwise.etl.gold.split import assign_folds
from basketwise.schema import CLASSES, DEFAULT_LABELS
from benchmarks.rules.lines import Made, Source
from benchmarks.rules.rows import rows_of
from benchmarks.rules.split import first_test_week, required_test_size, split


def chosen_by_basketwise(made: Made) -> list[int]:
    """Return the ids of the test baskets that Basketwise chooses."""
    label = pl.col("BASKET_PRICE_SENSITIVITY")
    baskets = (
        made.lines.with_columns(label.replace_strict(dict(DEFAULT_LABELS), return_dtype=pl.String))
        .group_by("BASKET_ID")
        .agg(pl.col("SHOP_WEEK", "BASKET_PRICE_SENSITIVITY").first())
        .sort("BASKET_ID")
    )
    share = required_test_size(made)
    config = SplitConfig() if share is None else SplitConfig(test_size=share)
    chosen = assign_folds(baskets, config, 5).filter(
        (pl.col("fold") == -1) & (label != "Unclassified")
    )
    return chosen["BASKET_ID"].to_list()


@pytest.mark.parametrize("name", ["default", "weeks-2", "weeks-16", "noise-20", "f1", "h"])
def test_test_sets_are_the_same(source: Source, name: str) -> None:
    made = rows_of(None)[name].make(source)
    training, test = split(made)
    assert test.ids.to_list() == chosen_by_basketwise(made)
    assert not set(training.ids) & set(test.ids)


def test_one_test_week_is_enough(source: Source) -> None:
    made = Made(source.block(3, 200733, 200733), 200733)
    assert split(made)[1].ids.to_list() == chosen_by_basketwise(made)


def test_baskets_become_rows_and_products_of_the_training_set_columns() -> None:
    lines = pl.DataFrame(
        [
            (1, "b", 200601, "UM", 2.0, 1.0, "LS"),
            (1, "a", 200601, "UM", 3.0, 1.0, "LS"),
            (1, "b", 200601, "UM", 2.0, 4.0, "LS"),
            (2, "a", 200601, "XX", 1.0, 1.0, "LS"),
            (3, "a", 200601, "LA", 1.0, 1.0, None),
            (4, "b", 200602, "MM", 1.0, 1.0, "SS"),
            (4, "new", 200602, "MM", 1.0, 1.0, "SS"),
        ],
        schema=[
            "BASKET_ID",
            "PROD_CODE",
            "SHOP_WEEK",
            "BASKET_PRICE_SENSITIVITY",
            "SPEND",
            "QUANTITY",
            "STORE_FORMAT",
        ],
        orient="row",
    )
    made = Made(lines, 200602)
    assert first_test_week(made) == 200602
    training, test = split(made)
    assert training.ids.to_list() == [1, 3]
    assert [CLASSES[number] for number in training.y] == ["Low", "High"]
    assert training.counts.toarray().tolist() == [[1, 2], [1, 0]]
    assert training.facts[0].tolist() == [3, 7, 6, 0]
    assert np.isnan(training.facts[1, 3])
    assert test.shares.toarray().tolist() == [[0, 0.5]]
    assert test.facts[0].tolist() == [2, 2, 2, 1]
    assert training.take(np.array([1])).ids.to_list() == [3]

"""Frames whose columns have names that no server of Spark takes in SQL."""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl
import pytest

from basketwise.config import OwnColumns
from basketwise.engines.spark.reading import lines_of
from basketwise.engines.spark.survey import collected
from basketwise.engines.spark.tables import open_frame
from basketwise.errors import InputError
from basketwise.etl.lines.rules import Rules
from tests.engines.spark.conftest import Spark

LINE = {"BASKET_ID": "1", "PROD_CODE": "A", "SPEND": "1.5", "QUANTITY": "1"}


def line(**renamed: str) -> pl.DataFrame:
    return pl.DataFrame([LINE]).rename(renamed)


def read(frame: Any, rules: Rules) -> list[dict[str, list[str]]]:
    """Return the columns that tasks read of a frame."""
    tables = open_frame(frame, rules)

    # Sent as it is: tasks do not have the modules of tests.
    def columns(reader: Any, batches: Any) -> Any:
        for piece in reader(batches):
            yield piece.raw.frame.to_dict(as_series=False)

    return collected(tables.frame, partial(columns, tables.reader))


@pytest.mark.parametrize(
    ("name", "own"),
    [
        (" SPEND ", {}),
        ("spend\n", {}),
        ("shop.spend", {"SPEND": "shop.spend"}),
        ("shop`spend", {"SPEND": "SHOP`SPEND"}),
        ("", {}),
    ],
)
def test_columns_have_any_names(spark: Spark, name: str, own: OwnColumns) -> None:
    rules = Rules(columns=own)
    lines = line(SPEND=name) if name else line().with_columns(pl.lit("x").alias(name))
    (columns,) = read(spark.frame(lines, 1), rules)
    assert columns == {own: values for own, values in lines.to_dict(as_series=False).items() if own}


def test_other_columns_may_have_one_name(spark: Spark) -> None:
    lines = line().with_columns(pl.lit("x").alias("a"), pl.lit("y").alias("b"))
    joined = spark.frame(lines, 1).toDF(*LINE, "note", "note")
    (columns,) = read(joined, Rules())
    assert columns == {name: [value] for name, value in LINE.items()}
    with pytest.raises(InputError, match="'table' has the column SPEND more than once"):
        lines_of(joined.toDF(*LINE, "note", " spend"), Rules())

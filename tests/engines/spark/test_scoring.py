"""A Spark frame's baskets get the scores that they get on one machine, to the last bit."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from basketwise.errors import InputError
from basketwise.model.scoring import Model
from tests.engines.spark import conftest
from tests.engines.spark.conftest import Spark

pytestmark = pytest.mark.filterwarnings("ignore:.*lines rejected|.*never seen")

HOSTILE = bool(os.environ.get("BASKETWISE_TEST_HOSTILE"))


def collected(frame: Any) -> pl.DataFrame:
    return conftest.collected(frame).sort("basket_id")


def with_rules(model: Model, **rules: str) -> Model:
    metadata = model.metadata
    changed = metadata.rules.model_copy(update=rules)
    return replace(model, metadata=metadata.model_copy(update={"rules": changed}))


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_scores_are_those_of_one_machine(
    spark: Spark, model: Model, damaged_lines: pl.DataFrame, partitions: int
) -> None:
    expected = model.predict(damaged_lines)
    assert expected.schema["basket_id"] == pl.String
    assert collected(model.predict(spark.frame(damaged_lines, partitions))).equals(expected)


def typed(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(
        pl.col("BASKET_ID").cast(pl.Int64),
        pl.col("SPEND").cast(pl.Float64),
        pl.col("QUANTITY").cast(pl.Int32),
        pl.col("SHOP_DATE").str.to_date("%Y%m%d"),
    )


def pieces(lines: pl.DataFrame) -> pl.DataFrame:
    """Every line three times, each of one piece: they are kept, where no line has two."""
    return pl.concat([lines.with_columns(pl.lit("1").alias("QUANTITY"))] * 3)


def without_weeks(lines: pl.DataFrame) -> pl.DataFrame:
    """Dates of which few tell the day from the month, and no weeks."""
    date = pl.col("SHOP_DATE").str.to_date("%Y%m%d").dt.strftime("%d/%m/%Y")
    return lines.drop("SHOP_WEEK", "SHOP_WEEKDAY").with_columns(date.alias("SHOP_DATE"))


def number_codes(lines: pl.DataFrame) -> pl.DataFrame:
    """Codes as floats, one of which has a fraction."""
    number = pl.int_range(pl.len()).cast(pl.Float64)
    code = pl.when(number == 3).then(1.5).otherwise(number % 40).alias("PROD_CODE")
    return lines.with_columns(code)


DELIVERIES = {f.__name__: f for f in (typed, pieces, without_weeks, number_codes)}


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_what_all_lines_decide_is_decided_once(
    request: pytest.FixtureRequest, model: Model, plain_lines: pl.DataFrame, delivery: str
) -> None:
    for name in ("sail", "classic", "connect") if HOSTILE else ("sail",):
        spark: Spark = request.getfixturevalue(name)
        lines = DELIVERIES[delivery](plain_lines)
        expected = model.predict(lines)
        assert expected.schema["basket_id"] == pl.Int64
        assert collected(model.predict(spark.frame(lines, 7))).equals(expected)


def test_returns_are_netted_in_any_order(
    sail: Spark, model: Model, plain_lines: pl.DataFrame
) -> None:
    back = plain_lines.gather_every(5).with_columns(
        (pl.col("QUANTITY").cast(pl.Float64) * -0.3).cast(pl.String).alias("QUANTITY"),
        (pl.col("SPEND").cast(pl.Float64) * -0.1).cast(pl.String).alias("SPEND"),
    )
    lines = pl.concat([plain_lines, back, back, plain_lines.gather_every(7)])
    netting = with_rules(model, returns="net", duplicates="keep")
    expected = netting.predict(lines)
    assert not expected.equals(with_rules(model, duplicates="keep").predict(lines))
    assert collected(netting.predict(sail.frame(lines, 7))).equals(expected)
    assert netting.predict(lines.reverse()).equals(expected)


def test_probabilities_have_their_columns(
    sail: Spark, model: Model, plain_lines: pl.DataFrame
) -> None:
    frame = model.predict_proba(sail.frame(plain_lines))
    assert collected(frame).equals(model.predict_proba(plain_lines))


def test_a_group_of_refused_lines_has_no_basket(
    sail: Spark, model: Model, plain_lines: pl.DataFrame
) -> None:
    twice = pl.concat([plain_lines, plain_lines.with_columns(pl.lit("200652").alias("SHOP_WEEK"))])
    good = plain_lines["BASKET_ID"][0]
    lines = twice.filter((pl.col("BASKET_ID") != good) | (pl.col("SHOP_WEEK") != "200652"))
    assert collected(model.predict(sail.frame(lines))).equals(model.predict(lines))


def test_rejected_lines_are_warned_of(
    sail: Spark, model: Model, damaged_lines: pl.DataFrame
) -> None:
    with pytest.warns(UserWarning, match=r"lines rejected: .* spend_not_a_number") as caught:
        model.predict(sail.frame(damaged_lines))
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("SPEND", None, "'table' lacks the required column SPEND. Found: "),
        ("BASKET_ID", pl.lit(1.0), "'table' has BASKET_ID as Float64: floats cannot carry"),
        ("PROD_CODE", pl.lit([1]), "'table' has the column PROD_CODE as array<"),
        ("QUANTITY", pl.lit("x"), "None of the 10 lines can be used: 10 quantity_not_a_number."),
        ("BASKET_ID", pl.lit("1.2E+11"), "'table' has the BASKET_ID '1.2E+11': spread"),
        ("SHOP_DATE", pl.lit("03/04/2025"), "The dates in SHOP_DATE, such as '03/04/2025', can"),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused(
    sail: Spark,
    model: Model,
    plain_lines: pl.DataFrame,
    column: str,
    value: pl.Expr | None,
    message: str,
) -> None:
    lines = plain_lines.head(10).drop("SHOP_WEEK")
    lines = lines.drop(column) if value is None else lines.with_columns(value.alias(column))
    with pytest.raises(InputError) as refused:
        model.predict(sail.frame(lines, 1))
    assert refused.value.headline.startswith(message)

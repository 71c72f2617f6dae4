"""What is read of a frame, whatever its columns are called, is what is read of it here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl
import pytest

from basketwise.config import OwnColumns
from basketwise.engines.spark.frame_reading import lines_of
from basketwise.engines.spark.survey import collected
from basketwise.engines.spark.tables import frame_digest, open_frame
from basketwise.errors import InputError
from basketwise.etl.lines.cleaning import clean
from basketwise.etl.lines.rules import Rules
from tests.engines.spark.conftest import Spark

LINE = {"BASKET_ID": "1", "PROD_CODE": "A", "SPEND": "1.5", "QUANTITY": "1"}


def line(**renamed: str) -> pl.DataFrame:
    return pl.DataFrame([LINE]).rename(renamed)


def codes(*values: Any, dtype: Any) -> pl.DataFrame:
    ids = [str(number) for number in range(len(values))]
    column = pl.Series("PROD_CODE", values, dtype=dtype, strict=False)
    return pl.DataFrame([LINE] * len(values)).with_columns(pl.Series("BASKET_ID", ids), column)


def told(frame: Any, rules: Rules, function: Callable[[pl.DataFrame], Any]) -> list[Any]:
    """Return what a function says of the lines that tasks read of a frame."""
    tables = open_frame(frame, rules)

    # Sent as it is: tasks do not have the modules of tests.
    def each(reader: Any, batches: Any) -> Any:
        for piece in reader(batches):
            yield {"of": function(piece.raw.frame)}

    return [document["of"] for document in collected(tables.frame, partial(each, tables.reader))]


def columns_of(frame: Any, rules: Rules) -> list[dict[str, list[str]]]:
    return told(frame, rules, lambda lines: lines.to_dict(as_series=False))


def codes_of(lines: pl.DataFrame) -> list[str]:
    return clean(lines, Rules(), source="table").lines["PROD_CODE"].to_list()


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
    (columns,) = columns_of(spark.frame(lines, 1), rules)
    assert columns == {own: values for own, values in lines.to_dict(as_series=False).items() if own}


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((7.0, float("nan"), None, 8.0), pl.Float64),
        ((7.0, float("nan"), -7.5, 8.0), pl.Float64),
        ((7.0, 0.5, None), pl.Float32),
        (("7", "8.00"), pl.Decimal(18, 2)),
        # As floats, both would be whole.
        (("12345678901234567890.0000000001", "7"), pl.Decimal(38, 10)),
    ],
)
def test_codes_that_are_numbers_are_written_alike(
    sail: Spark, values: tuple[Any, ...], dtype: Any
) -> None:
    lines = codes(*values, dtype=dtype)
    written = told(sail.frame(lines, len(values)), Rules(), lambda part: codes_of(part))
    assert sorted(code for part in written for code in part) == sorted(codes_of(lines))


@pytest.mark.parametrize("other", [7.0, 7.5])
@pytest.mark.parametrize("number", [2.0**60, float("inf")])
def test_codes_that_lost_digits_are_refused(sail: Spark, number: float, other: float) -> None:
    lines = codes(number, other, dtype=pl.Float64)
    with pytest.raises(InputError, match="'table' has the column PROD_CODE as Float64, which"):
        open_frame(sail.frame(lines, 2), Rules())


def test_the_digest_tells_what_the_clock_of_the_session_makes_of_a_timestamp(
    connect: Spark,
) -> None:
    frame = connect.frame(line(), 1).selectExpr("*", "TIMESTAMP'2025-01-01 00:30:00Z' AS SHOP_DATE")
    digests, zone = [], connect.session.conf.get("spark.sql.session.timeZone")
    for other in ("UTC", "Europe/Berlin", "UTC"):
        connect.session.conf.set("spark.sql.session.timeZone", other)
        digests.append(frame_digest(lines_of(frame, Rules())))
    connect.session.conf.set("spark.sql.session.timeZone", zone)
    assert digests[0] == digests[2] != digests[1]


def test_times_of_day_are_no_values(sail: Spark) -> None:
    frame = sail.frame(line(), 1).selectExpr("*", "make_time(13, 30, 0) AS SHOP_HOUR")
    with pytest.raises(InputError, match=r"'table' has the column SHOP_HOUR as time\(6\)"):
        lines_of(frame, Rules())


def test_other_columns_may_have_one_name(spark: Spark) -> None:
    lines = line().with_columns(pl.lit("x").alias("a"), pl.lit("y").alias("b"))
    joined = spark.frame(lines, 1).toDF(*LINE, "note", "note")
    (columns,) = columns_of(joined, Rules())
    assert columns == {name: [value] for name, value in LINE.items()}
    with pytest.raises(InputError, match="'table' has the column SPEND more than once"):
        lines_of(joined.toDF(*LINE, "note", " spend"), Rules())

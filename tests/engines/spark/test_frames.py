from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from basketwise.engines.spark import frames
from basketwise.errors import DependencyError
from tests.engines.spark.conftest import Spark


def counting() -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return a function that is sent as it is: tasks do not have the modules of tests."""
    group = frames.GROUP

    def count(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.group_by(group).agg(pl.len().cast(pl.Int64).alias("rows"))

    return count


FORMS = {
    "sail": [frames.mapped_groups],
    "classic": [frames.mapped_groups, frames.mapped_sorted_groups],
    "connect": [frames.mapped_groups, frames.mapped_sorted_groups],
}
"""What Spark 3.5 is asked for needs partitions to stay in order, which Sail does not promise."""


def test_groups_are_whole_though_batches_end_within_them(spark: Spark) -> None:
    numbers = spark.session.range(0, 25_000, numPartitions=3)
    grouped = numbers.selectExpr(f"id % 3 AS `{frames.GROUP}`")
    columns = {frames.GROUP: "bigint", "rows": "bigint"}
    for form in FORMS[spark.name]:
        rows = form(grouped, counting(), columns).collect()
        assert sorted((row[0], row[1]) for row in rows) == [(0, 8_334), (1, 8_333), (2, 8_333)]


def test_without_whole_groups_spark_connect_is_refused(
    sail: Spark, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = sail.session.range(0, 9).selectExpr(f"id % 3 AS `{frames.GROUP}`")
    monkeypatch.delattr(type(numbers.groupBy(frames.GROUP)), "applyInArrow")
    with pytest.raises(DependencyError, match="keep a basket's lines together"):
        frames.mapped_groups(numbers, counting(), {frames.GROUP: "bigint", "rows": "bigint"})


def test_a_group_of_a_sorted_partition_may_end_in_another_batch() -> None:
    table = pl.DataFrame({frames.GROUP: [0] * 5 + [1] * 4 + [2] * 3}).to_arrow()
    made = list(frames._of_sorted(counting(), iter(table.to_batches(max_chunksize=2))))
    assert [frame.rows() for frame in made] == [[(0, 5)], [(1, 4)], [(2, 3)]]
    assert list(frames._of_sorted(counting(), iter([]))) == []


def test_tiny_batches_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "ROWS", 4)
    batches = pl.DataFrame({"a": range(9)}).to_arrow().to_batches(max_chunksize=2)
    assert [frame["a"].to_list() for frame in frames.gathered(iter(batches))] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8],
    ]
    assert [frame.height for frame in frames.gathered(iter(batches[:2]))] == [4]
    assert list(frames.gathered(iter([]))) == []


def test_types_of_columns_are_those_of_polars(sail: Spark, tmp_path: Path) -> None:
    lines = pl.DataFrame(
        {"a": ["x"], "b": [1], "c": [1.5], "d": [b"x"], "e": [True], "f": [None], "odd `name": [1]}
    ).with_columns(
        pl.col("c").cast(pl.Decimal(10, 2)).alias("g"), pl.lit("2025-01-01").str.to_date()
    )
    empty = frames.empty_frame(sail.frame(lines))
    assert empty.schema == lines.schema
    quoted = sail.frame(lines).selectExpr(frames.quoted("odd `name"))
    assert quoted.columns == ["odd `name"]

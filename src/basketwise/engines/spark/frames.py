"""Between Spark's frames and the core's: batches in, documents and tables out, groups kept whole.

Whatever runs in a task is a function of the standard library's kind, with what it needs bound to
it: Spark sends it to the executors, which have the package installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from uuid import uuid4

import polars as pl

from basketwise.errors import DependencyError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

Batches: TypeAlias = "Iterator[pa.RecordBatch]"
Columns = dict[str, str]
"""Columns of a Spark frame: type (``string``, ``int``, ``bigint``, ``double`` …) by name; see
:func:`arrow_table`."""

GROUP = "group"
"""The column whose values tell groups apart."""

ROWS = 100_000
"""So many rows make up for what a call of the core costs."""

_POLARS: dict[str, Any] = {
    "string": pl.String,
    "tinyint": pl.Int8,
    "smallint": pl.Int16,
    "int": pl.Int32,
    "bigint": pl.Int64,
    "float": pl.Float32,
    "double": pl.Float64,
    "boolean": pl.Boolean,
    "binary": pl.Binary,
    "date": pl.Date,
    "timestamp": pl.Datetime("us"),
    "timestamp_ntz": pl.Datetime("us"),
    "void": pl.Null,
}


def empty_frame(frame: DataFrame) -> pl.DataFrame:
    """Return a Polars frame without rows that has a Spark frame's columns and types."""
    return pl.DataFrame([pl.Series(name, [], dtype=_dtype(kind)) for name, kind in frame.dtypes])


def _dtype(name: str) -> Any:
    if name.startswith(("varchar", "char", "string")):
        return pl.String
    if name.startswith("decimal"):
        precision, _, scale = name.removeprefix("decimal").strip("()").partition(",")
        return pl.Decimal(int(precision or 10), int(scale or 0))
    # Nothing that a line could have.
    return _POLARS.get(name, pl.Struct({}))


def quoted(name: str) -> str:
    """Quote a column's name for SQL."""
    return "`" + name.replace("`", "``") + "`"


def polars_frame(batch: pa.RecordBatch | pa.Table) -> pl.DataFrame:
    """Return Arrow data as a Polars frame."""
    return cast(pl.DataFrame, pl.from_arrow(batch))


def gathered(batches: Batches) -> Iterator[pl.DataFrame]:
    """Put batches together, which may be tiny, until there are :data:`ROWS` rows."""
    parts: list[pl.DataFrame] = []
    rows = 0
    for batch in batches:
        parts.append(polars_frame(batch))
        rows += batch.num_rows
        if rows >= ROWS:
            yield pl.concat(parts)
            parts, rows = [], 0
    if parts:
        yield pl.concat(parts)


def arrow_table(frame: pl.DataFrame, columns: Columns) -> pa.Table:
    """Return a Polars frame as the Arrow table that Spark expects of ``columns``."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "boolean": pa.bool_(),
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "binary": pa.binary(),
        "array<float>": pa.list_(pa.float32()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    table = frame.select(list(columns)).to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(schema)


def schema_of(columns: Columns) -> str:
    """Return columns as Spark's functions want them described."""
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())


@contextmanager
def view(frame: DataFrame) -> Iterator[str]:
    """Give a frame a name for SQL, which is its session's alone; what uses it must end within."""
    name = f"basketwise_{uuid4().hex}"
    frame.createOrReplaceTempView(name)
    try:
        yield name
    finally:
        frame.sparkSession.catalog.dropTempView(name)


def documents(
    frame: DataFrame, function: Callable[[Batches], Iterable[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Run a function on each partition, and collect the few documents that it makes of it."""
    rows = frame.mapInArrow(partial(_as_documents, function), "document string").collect()
    return [json.loads(row[0]) for row in rows]


def _as_documents(
    function: Callable[[Batches], Iterable[dict[str, Any]]], batches: Batches
) -> Batches:
    texts = [json.dumps(document) for document in function(batches)]
    yield from arrow_table(
        pl.DataFrame({"document": texts}, schema={"document": pl.String}), {"document": "string"}
    ).to_batches()


def mapped(
    frame: DataFrame, function: Callable[[Batches], Iterable[pl.DataFrame]], columns: Columns
) -> DataFrame:
    """Make other rows of each partition's; which rows come in one batch has no meaning."""
    return frame.mapInArrow(partial(_as_batches, function, columns), schema_of(columns))


def _as_batches(
    function: Callable[[Batches], Iterable[pl.DataFrame]], columns: Columns, batches: Batches
) -> Batches:
    for frame in function(batches):
        yield from arrow_table(frame, columns).to_batches()


def mapped_groups(
    frame: DataFrame, function: Callable[[pl.DataFrame], pl.DataFrame], columns: Columns
) -> DataFrame:
    """Make other rows of each group's, of which a function gets all, in no certain order.

    Parameters
    ----------
    frame : DataFrame
        With the column :data:`GROUP`. A group has to fit into a task's memory.
    function : callable
        Gets one group's rows, gives those of ``columns``.
    columns : dict
        The columns of the result.

    Raises
    ------
    DependencyError
        If the frame is of Spark Connect by pyspark 3.5: some servers cut sorted partitions.
    """
    groups = frame.groupBy(GROUP)
    if hasattr(groups, "applyInArrow"):
        # Without annotations, from which Spark would take what kind of function it is.
        whole = lambda table: _of_group(function, columns, table)  # noqa: E731
        return groups.applyInArrow(whole, schema_of(columns))
    if ".connect." in type(frame).__module__:
        raise DependencyError(
            "With pyspark 3.5, Spark Connect does not promise to keep a basket's lines together.",
            'Install pyspark 4 here (pip install "pyspark>=4"), or use a classic session.',
        )
    return mapped_sorted_groups(frame, function, columns)


def _of_group(
    function: Callable[[pl.DataFrame], pl.DataFrame], columns: Columns, table: pa.Table
) -> pa.Table:
    return arrow_table(function(polars_frame(table)), columns)


def mapped_sorted_groups(
    frame: DataFrame, function: Callable[[pl.DataFrame], pl.DataFrame], columns: Columns
) -> DataFrame:
    """Do the same with what Spark 3.5 has: partitions by group, sorted, read from end to end."""
    partitions = frame.repartition(GROUP).sortWithinPartitions(GROUP)
    return mapped(partitions, partial(_of_sorted, function), columns)


def _of_sorted(
    function: Callable[[pl.DataFrame], pl.DataFrame], batches: Batches
) -> Iterator[pl.DataFrame]:
    """Gather the groups of a sorted partition: one may begin in a batch and end in another."""
    parts: list[pl.DataFrame] = []
    for batch in batches:
        for part in polars_frame(batch).partition_by(GROUP, maintain_order=True):
            if parts and part[GROUP][0] != parts[0][GROUP][0]:
                yield function(pl.concat(parts))
                parts = []
            parts.append(part)
    if parts:
        yield function(pl.concat(parts))

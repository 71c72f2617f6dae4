"""The second pass of ETL: each part of a week meets in one task, is settled and written.

A task writes into a folder that all machines reach, under a name that no other attempt has, and
tells which. The driver moves what it was told of, and nothing else, to where it belongs: so it does
not matter how often a task is tried, or whether two attempts run at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl

from basketwise.disk import write_parquet
from basketwise.engines.spark.counting import (
    DISPUTED,
    DOCUMENT,
    cleaned,
)
from basketwise.engines.spark.frames import (
    GROUP,
    Batches,
    Columns,
    gathered,
    mapped,
    mapped_groups,
    view,
)
from basketwise.engines.spark.parts import Parts
from basketwise.engines.spark.reading import FrameReader, Piece, Reader, type_of
from basketwise.engines.spark.tables import Tables
from basketwise.etl.cleaning import Cleaned, none_rejected, settle
from basketwise.etl.partitions import write_lines
from basketwise.etl.reasons import REASON, ROW, SOURCE
from basketwise.etl.rules import Rules
from basketwise.etl.survey import survey_week, write_survey
from basketwise.schema import BASKET_ID, COLUMN_NAMES, COLUMNS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE, PIECE = "table", "piece"
"""Where a line was read: with its row, the order of delivery."""

DISPUTE = -1
"""The table of a row that is no line: of a basket that contradicts itself."""

REFUSED_LINES = 200_000
"""Lines of a frame that are refused for themselves, in one file, on average."""

TRAVELLING: Columns = {
    **{column.name: type_of(column.kind) for column in COLUMNS},
    SOURCE: "string",
    ROW: "bigint",
    REASON: "string",
    TABLE: "int",
    PIECE: "bigint",
    GROUP: "bigint",
}
"""A clean line on its way to its part; a refused one, whose group is negative; or a dispute."""

REPORT: Columns = {DOCUMENT: "string"}


@dataclass(frozen=True)
class Settling:
    """Settles the lines of a part.

    ``folder`` is where files go, on every machine; ``parts`` tells the types of ids.
    """

    folder: Path
    rules: Rules
    parts: Parts

    def __call__(self, group: pl.DataFrame) -> pl.DataFrame:
        """Write a group's files, and tell which they are, in one row of :data:`REPORT`."""
        number, name = int(group[GROUP][0]), uuid4().hex
        own = self._refused(group, name) if number < 0 else self._settled(group, name)
        document = {"group": number, "name": name, **own}
        return pl.DataFrame({DOCUMENT: [json.dumps(document)]})

    def _refused(self, group: pl.DataFrame, name: str) -> dict[str, Any]:
        """Write lines that were refused for themselves."""
        rows = group.sort(ROW, maintain_order=True)
        self._reject(rows.select(_of(none_rejected())), name)
        return {"lines": 0, "rejected": rows.height, "reasons": {}}

    def _settled(self, group: pl.DataFrame, name: str) -> dict[str, Any]:
        """Settle a part's lines, in the order of delivery."""
        disputed = group[TABLE] == DISPUTE
        ids = self.parts.ids(group).alias(BASKET_ID)
        refused = group.filter(disputed).select(ids.filter(disputed), REASON)
        lines = group.with_columns(ids).filter(~disputed).sort(TABLE, PIECE, ROW)
        lines = lines.select(
            *COLUMN_NAMES, pl.col(SOURCE).cast(pl.Categorical), pl.col(ROW).cast(pl.UInt32)
        )
        done = settle(Cleaned(lines, none_rejected()), self.rules, refused)
        if done.lines.height:
            write_lines(done.lines, self.folder / f"{name}.parquet")
            write_survey(survey_week(done.lines), self.folder / name)
        if done.rejected.height:
            self._reject(done.rejected, name)
        return {
            "lines": done.lines.height,
            "rejected": done.rejected.height,
            "reasons": done.reasons,
        }

    def _reject(self, lines: pl.DataFrame, name: str) -> None:
        write_parquet(lines, self.folder / f"{name}.rejected.parquet")


def _of(frame: pl.DataFrame) -> list[pl.Expr]:
    """Return a frame's columns, cast to its types."""
    return [pl.col(name).cast(dtype) for name, dtype in frame.schema.items()]


def settled(
    tables: Tables, facts: DataFrame, parts: Parts, rules: Rules, refused: int, folder: Path
) -> list[dict[str, Any]]:
    """Settle all lines.

    Parameters
    ----------
    tables : Tables
        The lines.
    facts : DataFrame
        What the first pass made of them.
    parts : Parts
        How they are divided.
    rules : Rules
        How they are judged; nothing is left open.
    refused : int
        How many lines are refused for themselves.
    folder : Path
        Where tasks write.

    Returns
    -------
    list of dict
        One document per group that has lines, in order: ``group`` (negative: lines refused for
        themselves; else the number of a part), ``name`` of its files, ``lines`` accepted and
        ``rejected`` (int), and ``reasons`` of those refused with their basket in view.
    """
    spread = -(-refused // REFUSED_LINES)
    lines = mapped(
        tables.frame, partial(_travelling, tables.reader, rules, parts, spread), TRAVELLING
    )
    with view(facts) as name:
        disputed = facts.sparkSession.sql(DISPUTED.format(facts=name))
        markers = mapped(disputed, partial(_markers, parts), TRAVELLING)
        done = mapped_groups(lines.unionByName(markers), Settling(folder, rules, parts), REPORT)
        told = [json.loads(row[0]) for row in done.collect()]
    return sorted(told, key=lambda document: (document["group"] >= 0, abs(document["group"])))


def _travelling(
    reader: Reader, rules: Rules, parts: Parts, spread: int, batches: Batches
) -> Iterator[pl.DataFrame]:
    """Clean lines one by one, and send each to its part."""
    for piece in reader(batches):
        done = cleaned(piece, rules)
        lines, rejected = done.lines, done.rejected
        ordered = not isinstance(reader, FrameReader)
        if lines.height:
            yield _addressed(
                lines.with_columns(pl.lit(None, pl.String).alias(REASON)),
                piece.table,
                piece.number,
                parts.of(lines),
                ordered=ordered,
            )
        if rejected.height:
            yield _addressed(
                rejected,
                piece.table,
                piece.number,
                _refused_groups(rejected, piece, 0 if ordered else spread),
                ordered=ordered,
            )


def _refused_groups(rejected: pl.DataFrame, piece: Piece, spread: int) -> pl.Series:
    """Return the groups of refused lines: one per piece of a file; a frame's are spread evenly."""
    if not spread:
        group = -1 - (piece.table << 24 | piece.number)
        return pl.Series([group], dtype=pl.Int64).new_from_index(0, rejected.height)
    values = rejected.drop(ROW).with_columns(pl.col(SOURCE).cast(pl.String))
    return -1 - (values.hash_rows(seed=0) % spread).cast(pl.Int64)


def _addressed(
    lines: pl.DataFrame, table: int, piece: int, group: pl.Series, *, ordered: bool
) -> pl.DataFrame:
    """Add where lines come from and where they go; those of a frame have no number."""
    return lines.with_columns(
        pl.col(BASKET_ID, SOURCE).cast(pl.String),
        pl.col(ROW) if ordered else pl.lit(0, pl.UInt32).alias(ROW),
        pl.lit(table, pl.Int32).alias(TABLE),
        pl.lit(piece if ordered else 0, pl.Int64).alias(PIECE),
        group.alias(GROUP),
    )


def _markers(parts: Parts, batches: Batches) -> Iterator[pl.DataFrame]:
    """Send each dispute to the parts that have lines of its basket."""
    for disputed in gathered(batches):
        yield disputed.select(
            *(pl.col(n) if n in disputed.columns else pl.lit(None).alias(n) for n in COLUMN_NAMES),
            pl.lit(None, pl.String).alias(SOURCE),
            pl.lit(None, pl.Int64).alias(ROW),
            REASON,
            pl.lit(DISPUTE, pl.Int32).alias(TABLE),
            pl.lit(0, pl.Int64).alias(PIECE),
            parts.of(disputed).alias(GROUP),
        )

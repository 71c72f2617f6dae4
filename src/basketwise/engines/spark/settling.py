"""The second pass of ETL: each part of a week meets in one task, is settled and written.

Lines travel as the core has them: those of a piece that go to one part are one value, a compressed
Arrow file. Spark moves a few large values instead of many rows of twenty columns, which would take
it several times as long as all that is done with them.

A task hands over files under a name that no other attempt has, and tells which, see
:mod:`basketwise.engines.spark.exchange`. The driver moves what it was told of, and nothing else, to
where it belongs: so it does not matter how often a task is tried, or whether two attempts run at
once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl

from basketwise.engines.spark.counting import (
    DISPUTED,
    DOCUMENT,
    THEIR_WEEKS,
)
from basketwise.engines.spark.exchange import Exchange, put_frame, put_survey
from basketwise.engines.spark.frame_reading import FrameReader
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
from basketwise.engines.spark.reading import Reader
from basketwise.engines.spark.tables import Tables
from basketwise.engines.spark.tally import cleaned
from basketwise.errors import DependencyError
from basketwise.etl.lines.cleaned import Cleaned, none_rejected
from basketwise.etl.lines.cleaning import settle
from basketwise.etl.lines.rules import Rules
from basketwise.etl.silver.partitions import write_lines
from basketwise.etl.silver.survey import survey_week
from basketwise.schema import BASKET_ID, REASON, ROW, SOURCE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE, PIECE = "table", "piece"
"""Where lines were read: the order of delivery."""

LINES = "lines"
"""Lines as an Arrow file."""

DISPUTE = -1
"""The table of what are no lines: BASKET_ID and reason of baskets that contradict themselves."""

DISPUTES = 1_000_000
"""Baskets that contradict themselves, in one task, on average."""

REFUSED_LINES = 200_000
"""Lines of a frame that are refused for themselves, in one file, on average."""

TRAVELLING: Columns = {GROUP: "bigint", TABLE: "int", PIECE: "bigint", LINES: "binary"}
"""Clean lines on their way to their part, refused ones, whose group is negative, or disputes."""

REPORT: Columns = {DOCUMENT: "string"}


@dataclass(frozen=True)
class Settling:
    """Settles the lines of a part.

    ``parts`` tells the types of ids.
    """

    exchange: Exchange
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
        rows = _unpacked(group)
        self._reject(rows, name)
        return {"lines": 0, "rejected": rows.height, "reasons": {}}

    def _settled(self, group: pl.DataFrame, name: str) -> dict[str, Any]:
        """Settle a part's lines, in the order of delivery."""
        disputed = group[TABLE] == DISPUTE
        refused = none_rejected().select(BASKET_ID, REASON)
        if disputed.any():
            refused = _unpacked(group.filter(disputed))
        given = _unpacked(group.filter(~disputed))
        lines, refused = (f.with_columns(self.parts.ids(f)) for f in (given, refused))
        done = settle(Cleaned(lines, none_rejected()), self.rules, refused)
        if done.lines.height:
            with self.exchange.writing(f"{name}.parquet") as path:
                write_lines(done.lines, path)
            put_survey(self.exchange, name, survey_week(done.lines))
        if done.rejected.height:
            self._reject(done.rejected, name)
        return {
            "lines": done.lines.height,
            "rejected": done.rejected.height,
            "reasons": done.reasons,
        }

    def _reject(self, lines: pl.DataFrame, name: str) -> None:
        put_frame(self.exchange, f"{name}.rejected.parquet", lines)


def _unpacked(group: pl.DataFrame) -> pl.DataFrame:
    """Return the lines of a group, in the order of delivery."""
    ordered = group.sort(TABLE, PIECE)
    frames = [pl.read_ipc(BytesIO(value), use_pyarrow=False) for value in ordered[LINES]]
    return pl.concat(frames, how="vertical")


def settled(
    tables: Tables, facts: DataFrame, parts: Parts, rules: Rules, refused: int, exchange: Exchange
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
    exchange : Exchange
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
    session = facts.sparkSession
    with view(facts) as name, view(session.sql(DISPUTED.format(facts=name))) as disputed:
        # Mostly few, or none: they need no task each of as many as Spark makes by default.
        if number := session.table(disputed).count():
            weeks = session.sql(THEIR_WEEKS.format(facts=name, disputed=disputed))
            few = weeks.repartition(-(-number // DISPUTES))
            lines = lines.unionByName(mapped(few, partial(_markers, parts), TRAVELLING))
        done = mapped_groups(lines, Settling(exchange, rules, parts), REPORT)
        told = [json.loads(row[0]) for row in done.collect()]
    _refuse_cut_groups(told)
    return sorted(told, key=lambda document: (document["group"] >= 0, abs(document["group"])))


def _refuse_cut_groups(told: list[dict[str, Any]]) -> None:
    """Refuse what a service made of parts of groups: baskets would be there several times."""
    if len({document["group"] for document in told}) < len(told):
        raise DependencyError(
            "This Spark service cuts groups of lines where pyspark is older than version 4.0.",
            "Install pyspark 4.0 or newer here.",
        )


def _travelling(
    reader: Reader, rules: Rules, parts: Parts, spread: int, batches: Batches
) -> Iterator[pl.DataFrame]:
    """Clean lines one by one, and send each to its part."""
    for piece in reader(batches):
        done = cleaned(piece, rules)
        where = (piece.table, piece.number)
        lines, rejected = (frame.with_columns(_ID) for frame in (done.lines, done.rejected))
        if isinstance(reader, FrameReader):
            # A frame's lines have no order.
            where = (0, 0)
        else:
            rejected = rejected.sort(ROW, maintain_order=True)
            spread = 0
        if lines.height:
            yield _packed(lines, parts.of(lines), *where)
        if rejected.height:
            yield _packed(rejected, _refused_groups(rejected, *where, spread), *where)


_ID = pl.col(BASKET_ID).cast(pl.String)


def _refused_groups(rejected: pl.DataFrame, table: int, piece: int, spread: int) -> pl.Series:
    """Return the groups of refused lines: one per piece of a file; a frame's are spread evenly."""
    if not spread:
        group = -1 - (table << 24 | piece)
        return pl.Series([group], dtype=pl.Int64).new_from_index(0, rejected.height)
    values = rejected.with_columns(pl.col(SOURCE).cast(pl.String))
    return -1 - (values.hash_rows(seed=0) % spread).cast(pl.Int64)


def _packed(lines: pl.DataFrame, group: pl.Series, table: int, piece: int) -> pl.DataFrame:
    """Pack the lines of each group into one value."""
    parted = lines.with_columns(group.alias(GROUP)).partition_by(
        GROUP, as_dict=True, include_key=False, maintain_order=True
    )
    columns = {
        GROUP: pl.Series([number for (number,) in parted], dtype=pl.Int64),
        TABLE: pl.Series([table], dtype=pl.Int32).new_from_index(0, len(parted)),
        PIECE: pl.Series([piece], dtype=pl.Int64).new_from_index(0, len(parted)),
        LINES: pl.Series([_arrow_file(own) for own in parted.values()], dtype=pl.Binary),
    }
    return pl.DataFrame(columns)


def _arrow_file(lines: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    lines.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def _markers(parts: Parts, batches: Batches) -> Iterator[pl.DataFrame]:
    """Send each dispute to the parts that have lines of its basket."""
    for disputed in gathered(batches):
        yield _packed(disputed.select(BASKET_ID, REASON), parts.of(disputed), DISPUTE, 0)

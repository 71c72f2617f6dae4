"""The first pass of ETL: what must be known of all lines before a basket is judged.

Every line is cleaned where it lies, and forgotten again. What is left is one row per basket of
each piece that was read, from which Spark finds the baskets that contradict themselves; one row per
named product; and one document per table, with what is counted of it. Only documents and names get
to the driver.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from basketwise.engines.spark.exchange import Exchange
from basketwise.engines.spark.frames import Batches, Columns, mapped, view
from basketwise.engines.spark.parts import Marks, marks
from basketwise.engines.spark.reading import Reader
from basketwise.engines.spark.survey import raise_errors
from basketwise.engines.spark.tables import Tables
from basketwise.engines.spark.tally import Tally, cleaned, shown
from basketwise.errors import InputError
from basketwise.etl.lines.cleaning import NO_WEEK
from basketwise.etl.lines.product_names import first_names
from basketwise.etl.lines.repeats import has_repeats
from basketwise.etl.lines.rules import Rules
from basketwise.etl.silver.intake import Intake
from basketwise.schema import BASKET_ID, LABEL, PROD_CODE, PROD_NAME, SHOP_WEEK

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LOWEST, HIGHEST = "lowest", "highest"
"""The first and the last label of a basket's lines, in the order of their bytes."""

DOCUMENT = "document"

FACTS: Columns = {
    BASKET_ID: "string",
    SHOP_WEEK: "int",
    LOWEST: "string",
    HIGHEST: "string",
    PROD_CODE: "string",
    PROD_NAME: "string",
    DOCUMENT: "string",
}
"""A row is a basket of a piece, a named product of one, or a document: the rest is null."""

DISPUTED = """
SELECT BASKET_ID, CASE WHEN min(lowest) <> max(highest) THEN 'basket_labels_disagree'
                       ELSE 'basket_in_two_weeks' END AS reason
FROM {facts} WHERE BASKET_ID IS NOT NULL GROUP BY BASKET_ID
HAVING min(lowest) <> max(highest) OR min(SHOP_WEEK) <> max(SHOP_WEEK)
"""
"""What :func:`basketwise.etl.lines.cleaning.contradictions` finds."""

THEIR_WEEKS = """
SELECT DISTINCT facts.BASKET_ID, facts.SHOP_WEEK, disputed.reason
FROM {facts} AS facts JOIN {disputed} AS disputed ON facts.BASKET_ID = disputed.BASKET_ID
"""
"""The same, once for each week of a basket."""

NAMES = """
SELECT min(SHOP_WEEK) AS SHOP_WEEK, PROD_CODE, PROD_NAME FROM {facts}
WHERE PROD_NAME IS NOT NULL GROUP BY PROD_CODE, PROD_NAME
"""
"""The earliest week of each name of a product."""


@dataclass
class Counted(Intake):
    """What the first pass tells; ``rejected`` are lines that are refused for themselves.

    ``whole_ids``: every accepted line's BASKET_ID is a whole number. ``marks``: see
    :mod:`basketwise.engines.spark.parts`; a week without accepted lines has none. ``repeated``: a
    product is more than once in a basket of one piece.
    """

    whole_ids: bool = True
    marks: Marks = field(default_factory=dict)
    repeated: bool = False

    @property
    def repeats(self) -> bool:
        """Whether a product is more than once in a basket of one piece."""
        return self.repeated

    @property
    def undated(self) -> bool:
        """Whether some lines have no week."""
        return NO_WEEK in self.marks


def facts_of(tables: Tables, exchange: Exchange) -> DataFrame:
    """Clean all lines, when the result is used; its rows are :data:`FACTS`.

    Every task must reach the exchange, which is seen on this occasion.
    """
    task = partial(_facts, tables.reader, tables.rules, exchange)
    return mapped(tables.frame, task, FACTS)


def count(tables: Tables, facts: DataFrame) -> Counted:
    """Add up what the tables tell.

    Raises
    ------
    InputError
        If a table cannot be read.
    """
    rows = facts.filter(f"{DOCUMENT} IS NOT NULL").selectExpr(DOCUMENT).collect()
    told = [json.loads(row[0]) for row in rows]
    raise_errors(told)
    counted = Counted(rules=tables.rules)
    lines, tally = Counter[str](), Tally()
    for document in told:
        # Tables without lines tell nothing but that.
        name = document["source"]
        lines[name] += document["lines"]
        tally.add(document)
        counted.repeated |= document["repeats"]
        for week, own in document["marks"]:
            counted.marks.setdefault(week, []).extend((id_, weight) for id_, weight in own)
    # A calendar gives no frame at all, and so is not empty.
    present = {document["source"] for document in told}
    for record in tables.records:
        counted.files.append(record.model_copy(update={"lines": lines[record.name]}))
        if record.name in present and not lines[record.name]:
            counted.empty.append(record.name)
    counted.lines, counted.rejected = tally.lines, tally.rejected
    counted.whole_ids, counted.rules = tally.whole_ids, tally.settled(tables.rules)
    if any(document["named"] for document in told):
        counted.names = _names(facts)
    return counted


def _names(facts: DataFrame) -> pl.DataFrame:
    with view(facts) as name:
        rows = facts.sparkSession.sql(NAMES.format(facts=name)).collect()
    columns = {SHOP_WEEK: pl.Int32, PROD_CODE: pl.String, PROD_NAME: pl.String}
    return first_names([pl.DataFrame(list(map(tuple, rows)), columns, orient="row")])


def _facts(
    reader: Reader, rules: Rules, exchange: Exchange, batches: Batches
) -> Iterator[pl.DataFrame]:
    """Yield the facts of a partition; an InputError is a document as well."""
    try:
        if not exchange.is_reached():
            raise InputError(
                f"An executor does not reach the workspace's {exchange.location!r}.",
                "Give a --workspace on a file system that every machine has at the same path, or "
                "in a bucket that every machine may write to.",
            )
        yield from _all_facts(reader, rules, batches)
    except InputError as error:
        yield _document({"error": [error.headline, error.hint]})


def _all_facts(reader: Reader, rules: Rules, batches: Batches) -> Iterator[pl.DataFrame]:
    told: dict[str, _Table] = {}
    for piece in reader(batches):
        done = cleaned(piece, rules)
        lines = done.lines
        baskets = lines.group_by(BASKET_ID, SHOP_WEEK).agg(
            pl.len().alias("lines"),
            pl.col(LABEL).min().alias(LOWEST),
            pl.col(LABEL).max().alias(HIGHEST),
        )
        yield _rows(baskets.with_columns(pl.col(BASKET_ID).cast(pl.String)))
        if done.names is not None:
            yield _rows(done.names)
        source = shown(piece.source)
        own = told.setdefault(source, _Table(source=source))
        own.take(piece, done)
        own.repeats |= has_repeats(lines)
        own.named |= done.names is not None
        own.marks += marks(baskets).items()
    for table in told.values():
        yield _document(table.document())


@dataclass
class _Table(Tally):
    """What a partition tells of a table."""

    source: str = ""
    repeats: bool = False
    named: bool = False
    marks: list[Any] = field(default_factory=list)


def _document(document: dict[str, Any]) -> pl.DataFrame:
    return _rows(pl.DataFrame({DOCUMENT: [json.dumps(document)]}))


def _rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Give some facts all columns."""
    return frame.select(
        pl.col(name) if name in frame.columns else pl.lit(None).alias(name) for name in FACTS
    )

"""The silver stage on Spark: the local engine's folder, made by its own functions in tasks."""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from basketwise.config import Config
from basketwise.engines.spark.counting import Counted, count, facts_of
from basketwise.engines.spark.exchange import Exchange, read_survey
from basketwise.engines.spark.parts import Parts, divided
from basketwise.engines.spark.settling import settled
from basketwise.engines.spark.tables import Tables
from basketwise.errors import InputError
from basketwise.etl.silver.chunks import LINES, part_name
from basketwise.etl.silver.intake import refuse_nothing
from basketwise.etl.silver.partitions import REJECTED
from basketwise.etl.silver.stage import product_file, write_intake
from basketwise.etl.silver.survey import Survey, merge, merge_parts
from basketwise.progress import Tick


def run_silver(
    tables: Tables, silver: Path, exchange: Exchange, config: Config, tick: Tick
) -> None:
    """Clean raw tables on Spark; what is left is that of :func:`basketwise.etl.silver.run_silver`.

    Parameters
    ----------
    tables : Tables
        The raw tables.
    silver : Path
        An empty folder of the driver.
    exchange : Exchange
        Where tasks hand over what they write.
    config : Config
        All settings.
    tick : callable
        Called with the progress.

    Raises
    ------
    InputError
        If a table cannot be read, or no line can be used; if an executor does not reach the
        exchange.
    """
    file = product_file(config, tables.rules)
    facts = facts_of(tables, exchange)
    # Where a service keeps nothing, the same is computed again.
    with suppress(Exception):
        facts = facts.persist()
    try:
        counted = count(tables, facts)
        tick("reading", 1, 1)
        refuse_nothing(counted, bool(counted.marks))
        parts = divided(counted.marks, whole_ids=counted.whole_ids)
        refused = counted.rejected.total()
        told = settled(tables, facts, parts, counted.rules, refused, exchange)
        tick("cleaning", 1, 1)
    finally:
        with suppress(Exception):
            facts.unpersist()
    survey = _put_together(told, counted, parts, exchange, silver)
    write_intake(silver, counted, survey, tables.skipped, file)


def _put_together(
    told: list[dict[str, Any]], counted: Counted, parts: Parts, exchange: Exchange, silver: Path
) -> Survey:
    """Move what tasks wrote to where it belongs, and combine their surveys."""
    lines = sum(document["lines"] + document["rejected"] for document in told)
    if lines != counted.lines:
        raise InputError(
            f"{counted.lines:,} lines were read at first, and {lines:,} when they were read again.",
            "Nothing of them was used. Run again once the data does not change any more.",
        )
    (silver / REJECTED).mkdir(parents=True)
    for document in told:
        counted.rejected.update(document["reasons"])
        if document["rejected"]:
            counted.rejected_files += 1
            name = f"part-{counted.rejected_files:06d}.parquet"
            exchange.take(f"{document['name']}.rejected.parquet", silver / REJECTED / name)
    filled = [document for document in told if document["lines"]]
    refuse_nothing(counted, bool(filled))
    surveys = []
    for week, group in groupby(filled, lambda document: parts.all[document["group"]].week):
        own = list(group)
        partition = silver / f"shop_week={week:06d}"
        partition.mkdir()
        for number, document in enumerate(own):
            name = LINES if len(own) == 1 else part_name(number)
            exchange.take(f"{document['name']}.parquet", partition / name)
        surveys.append(merge_parts([read_survey(exchange, document["name"]) for document in own]))
    return merge(surveys)

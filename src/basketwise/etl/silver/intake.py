"""From raw files to the silver partitions: read, clean, land, settle, survey."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from basketwise.concurrency import side_by_side
from basketwise.config import DataConfig
from basketwise.digests import known_digest
from basketwise.disk import write_parquet
from basketwise.errors import InputError
from basketwise.etl.lines.cleaning import DISAGREE, NO_WEEK, contradictions
from basketwise.etl.lines.numbers import BOTH
from basketwise.etl.lines.product_names import first_names
from basketwise.etl.lines.reasons import none_usable
from basketwise.etl.lines.repeats import duplicates_policy
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.amount import many, text_size
from basketwise.etl.raw.sources import FileRecord, Source
from basketwise.etl.silver.id_ranges import by_id_range
from basketwise.etl.silver.partitions import REJECTED, Part, settle_week
from basketwise.etl.silver.survey import Survey, merge_stored
from basketwise.etl.silver.table_reader import Numbered, Observer, ReadTable, TableReader
from basketwise.processes import in_processes
from basketwise.progress import Tick
from basketwise.schema import BASKET_ID, LABEL, REASON, SHOP_WEEK


@dataclass
class Intake:
    """What was read, and where it went; accepted + rejected = read.

    ``files`` has one record per raw table, in reading order; ``rejected`` counts refused lines by
    reason; ``parts`` are those landed of each week.
    """

    files: list[FileRecord] = field(default_factory=list)
    lines: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    rejected_files: int = 0
    empty: list[str] = field(default_factory=list)
    """Tables without lines, as Spark writes for empty partitions."""
    names: pl.DataFrame = field(default_factory=lambda: first_names([]))
    """One name per product, see :func:`basketwise.etl.lines.product_names.first_names`."""
    rules: Rules = field(default_factory=Rules)
    """How lines were judged; the policy on duplicates is known when all have been read."""

    @property
    def repeats(self) -> bool:
        """Whether a product is more than once in a basket of one part."""
        return any(part.repeats for own in self.parts.values() for part in own)

    @property
    def undated(self) -> bool:
        """Whether some lines have no week."""
        return NO_WEEK in self.parts

    def warnings(self) -> list[str]:
        """Say what is odd about the files, though they could be used."""
        seen: dict[str, str] = {}
        warnings = []
        for file in self.files:
            # Members of one zip share its digest; they are no copies of each other.
            first = seen.setdefault(file.sha256, file.name)
            if file.name.partition("/")[0] != first.partition("/")[0]:
                warnings.append(f"{file.name} has the same content as {first}")
        if self.empty:
            warnings.append(f"{_first_of(self.empty)}: no lines")
        if self.rules.duplicates == "pieces" and self.repeats:
            warnings.append(
                "every QUANTITY is 1: repeated lines are kept, one per piece (etl.duplicates)"
            )
        marks = self.rules.decimal_by_table
        if mixed := [name for name, own in marks.items() if BOTH in own.values()]:
            warnings.append(
                f"{_first_of(mixed)}: amounts have decimal points and decimal commas; those that "
                "can be read in two ways, such as 1.234 and 1,234, are rejected (data.decimal)"
            )
        if self.undated:
            warnings.append(f"some files have no column {SHOP_WEEK}: their lines share a partition")
        return warnings


def _first_of(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def build_silver(
    sources: list[Source],
    silver: Path,
    scratch: Path,
    rules: Rules,
    tick: Tick,
    *,
    data: DataConfig | None = None,
) -> tuple[Intake, Survey]:
    """Write the partitions of clean lines, and the refused lines beside them, into empty folders.

    Parameters and errors are those of :func:`read_tables` and :func:`settle_tables`.
    """
    read = read_tables(sources, silver, scratch, rules, tick, data=data)
    return read, settle_tables(read, silver, tick)


def read_tables(
    sources: list[Source],
    silver: Path,
    scratch: Path,
    rules: Rules,
    tick: Tick,
    *,
    data: DataConfig | None = None,
    observe: Observer | None = None,
) -> Intake:
    """Judge lines one by one: those accepted land in ``scratch``, the others in ``silver``.

    ``observe`` gets each frame that was read, with its position (number of the table, of the frame
    in the table) and its lines as they were judged one by one; several threads call it.

    Raises
    ------
    InputError
        If a table cannot be read.
    """
    landing, rejected = scratch / "landing", silver / REJECTED
    landing.mkdir(parents=True)
    rejected.mkdir(parents=True)
    reader = TableReader(landing, rules, data, observe)
    # Whoever observes does so here. Each table that is being read brings one partition into memory.
    sizes = (text_size(source.size, plain=source.is_plain) for source in sources)
    apart = observe is None and many(sizes)
    numbered = (Numbered(n, own, known_digest(own.path)) for n, own in enumerate(sources))
    tables = (in_processes if apart else side_by_side)(reader, numbered)
    read = Intake(rules=rules)
    for done, table in enumerate(tables, start=1):
        _gather(read, table, rejected)
        tick("reading", done, len(sources))
    pieces = all(part.pieces for own in read.parts.values() for part in own)
    policy = duplicates_policy(rules, pieces=pieces)
    read.rules = rules.model_copy(update={"duplicates": policy})
    return read


def _gather(read: Intake, table: ReadTable, folder: Path) -> None:
    read.files.append(table.record)
    read.lines += table.record.lines
    if table.empty:
        read.empty.append(table.record.name)
    if table.names:
        read.names = first_names([read.names, *table.names])
    for part in table.parts:
        read.parts.setdefault(part.week, []).append(part)
    for rejected in table.rejected:
        _reject(read, rejected, folder)


def _reject(read: Intake, lines: pl.DataFrame, folder: Path) -> None:
    if lines.is_empty():
        return
    read.rejected_files += 1
    write_parquet(lines, folder / f"part-{read.rejected_files:06d}.parquet")
    read.rejected.update(dict(lines[REASON].value_counts().iter_rows()))


def settle_tables(read: Intake, silver: Path, tick: Tick) -> Survey:
    """Judge the lines that have landed by basket, and write the partitions.

    Raises
    ------
    InputError
        If no line can be used. What was rejected, and why, is in ``read`` all the same.
    """
    parts = [part for own in read.parts.values() for part in own]
    refuse_nothing(read, bool(parts))
    # One text id anywhere makes all ids text: a column has one type.
    integer_ids = all(part.integer_ids for part in parts)
    ids = pl.Int64 if integer_ids else pl.String
    surveyed = [
        part.survey.baskets(ids).select(BASKET_ID, SHOP_WEEK, LABEL, DISAGREE) for part in parts
    ]
    refused = pl.concat([contradictions(baskets) for baskets in by_id_range(surveyed)])
    surveys = []
    for done, (_, own) in enumerate(sorted(read.parts.items()), start=1):
        survey, rejected = settle_week(
            own, refused, silver, rules=read.rules, integer_ids=integer_ids
        )
        _reject(read, rejected, silver / REJECTED)
        if survey is not None:
            surveys.append(survey)
        tick("cleaning", done, len(read.parts))
    refuse_nothing(read, bool(surveys))
    return merge_stored(surveys, ids)


def refuse_nothing(read: Intake, usable: bool) -> None:
    """Refuse tables without lines, or without a line that is ``usable``.

    Raises
    ------
    InputError
        If there is none.
    """
    if read.empty and not read.lines:
        raise InputError(
            f"There are no lines in {', '.join(map(repr, read.empty[:3]))}.",
            "Deliver the data again.",
        )
    if not usable:
        raise none_usable(read.lines, dict(read.rejected.most_common()))

"""From raw files to the silver partitions: read, clean, land, settle, survey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.cleaning import NO_WEEK, REASON, clean
from basketwise.etl.partitions import REJECTED, Landing, Part, contradictions, land, settle_week
from basketwise.etl.reading import RawFrame, read_raw
from basketwise.etl.sources import FileRecord, Source
from basketwise.etl.survey import DISAGREE, Survey, merge
from basketwise.progress import Tick
from basketwise.provenance import sha256
from basketwise.schema import BASKET_ID, LABEL, SHOP_WEEK

READERS = 4
"""Files read at a time: each brings one partition into memory."""

"""Told (what is being done, pieces done, pieces in all)."""


@dataclass(frozen=True)
class Rules:
    """How lines are read and judged.

    Attributes
    ----------
    labels
        What each label of the input means.
    labelled
        Whether a line needs a label (to train); without, labels are not looked at.
    encoding
        Of CSV files.
    keep_duplicates
        Whether a line that repeats another in every column is accepted.
    """

    labels: Mapping[str, str]
    labelled: bool
    encoding: str
    keep_duplicates: bool


@dataclass
class Intake:
    """What was read, and where it went; accepted + rejected = read.

    Attributes
    ----------
    files
        One record per raw table, in reading order.
    lines
        Lines read.
    rejected
        Refused lines by reason.
    survey
        Of the accepted lines.
    """

    files: list[FileRecord] = field(default_factory=list)
    lines: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    rejected_files: int = 0

    def warnings(self) -> list[str]:
        """Say what is odd about the files, though they could be used."""
        seen: dict[str, str] = {}
        warnings = []
        for file in self.files:
            # Members of one zip share its digest; they are no copies of each other.
            first = seen.setdefault(file.sha256, file.name)
            if file.name.partition("/")[0] != first.partition("/")[0]:
                warnings.append(f"{file.name} has the same content as {first}")
        if NO_WEEK in self.parts:
            warnings.append(f"some files have no column {SHOP_WEEK}: their lines share a partition")
        return warnings


def build_silver(
    sources: list[Source], silver: Path, scratch: Path, rules: Rules, tick: Tick
) -> tuple[Intake, Survey]:
    """Write the partitions of clean lines, and the refused lines beside them.

    Parameters
    ----------
    sources : list of Source
        Raw tables, at least one.
    silver, scratch : Path
        Empty folders.
    rules : Rules
        How lines are judged.
    tick : callable
        Told of progress.

    Raises
    ------
    InputError
        If a table cannot be read, or no line can be used.
    """
    read = _read_all(sources, silver, scratch, rules, tick)
    return read, _settle_all(read, silver, rules, tick)


def _read_all(
    sources: list[Source], silver: Path, scratch: Path, rules: Rules, tick: Tick
) -> Intake:
    landing, rejected = scratch / "landing", silver / REJECTED
    landing.mkdir(parents=True)
    rejected.mkdir(parents=True)

    def read_one(number: int, source: Source) -> tuple[FileRecord, list[Landing]]:
        landings = [
            land(
                clean(raw, rules.labels, source_name=source.name, labelled=rules.labelled),
                landing,
                source=source.name,
                number=number,
                piece=piece,
            )
            for piece, raw in enumerate(_frames(source, scratch, rules))
        ]
        lines = sum(landed.read for landed in landings)
        return FileRecord(
            name=source.name, sha256=sha256(source.path), bytes=source.size, lines=lines
        ), landings

    read = Intake()
    with ThreadPoolExecutor(READERS) as pool:
        work = [pool.submit(read_one, n, source) for n, source in enumerate(sources)]
        try:
            for done, future in enumerate(work, start=1):
                record, landings = future.result()
                _gather(read, record, landings, rejected)
                tick("reading", done, len(work))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _refuse_if_nothing_is_left(read)
    return read


def _gather(read: Intake, record: FileRecord, landings: list[Landing], rejected: Path) -> None:
    read.files.append(record)
    for landed in landings:
        for part in landed.parts:
            read.parts.setdefault(part.week, []).append(part)
        read.lines += landed.read
        _reject(read, landed.rejected, rejected)


def _reject(read: Intake, lines: pl.DataFrame, folder: Path) -> None:
    if lines.is_empty():
        return
    read.rejected_files += 1
    lines.write_parquet(folder / f"part-{read.rejected_files:06d}.parquet")
    read.rejected.update(dict(lines[REASON].value_counts().iter_rows()))


def _refuse_if_nothing_is_left(read: Intake) -> None:
    if read.parts:
        return
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in read.rejected.most_common())
    raise InputError(
        f"None of the {read.lines:,} lines can be used: {reasons or 'there are no lines'}.",
        "Look at the columns that the reasons name; data.labels in the config maps the labels.",
    )


def _settle_all(read: Intake, silver: Path, rules: Rules, tick: Tick) -> Survey:
    parts = [part for own in read.parts.values() for part in own]
    # One text id anywhere makes all ids text: a column has one type.
    integer_ids = all(part.integer_ids for part in parts)
    refused = _contradictions(parts, integer_ids)
    surveys = []
    for done, (_, own) in enumerate(sorted(read.parts.items()), start=1):
        survey, rejected = settle_week(
            own,
            refused,
            silver,
            keep_duplicates=rules.keep_duplicates,
            integer_ids=integer_ids,
        )
        _reject(read, rejected, silver / REJECTED)
        if survey is not None:
            surveys.append(survey)
        tick("cleaning", done, len(read.parts))
    if not surveys:
        read.parts.clear()
        _refuse_if_nothing_is_left(read)
    return merge(surveys)


def _contradictions(parts: list[Part], integer_ids: bool) -> pl.DataFrame:
    dtype = pl.Int64 if integer_ids else pl.String
    return contradictions(
        pl.concat(
            part.survey.baskets.select(pl.col(BASKET_ID).cast(dtype), SHOP_WEEK, LABEL, DISAGREE)
            for part in parts
        )
    )


def _frames(source: Source, scratch: Path, rules: Rules) -> Iterator[RawFrame]:
    return read_raw(source, scratch, encoding=rules.encoding, labelled=rules.labelled)

"""One raw table read, cleaned and landed, whichever thread or process does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from basketwise.config import DataConfig
from basketwise.digests import (
    Fingerprint,
    InputDigest,
    fingerprint,
    learn_digest,
    sha256_of_input,
)
from basketwise.errors import InputError
from basketwise.etl.lines.cleaned import Cleaned
from basketwise.etl.lines.cleaning import clean
from basketwise.etl.lines.product_names import first_names
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import FileRecord, Source
from basketwise.etl.silver.partitions import Part, land

Observer = Callable[[tuple[int, int], RawFrame, Cleaned], None]


@dataclass(frozen=True)
class ReadTable:
    """What was read of one raw table: its parts by week, its rejected lines and names by frame."""

    record: FileRecord
    empty: bool
    parts: list[Part]
    rejected: list[pl.DataFrame]
    names: list[pl.DataFrame]


class Numbered(NamedTuple):
    """A table with its number among all, and its digest if it was read for that before."""

    number: int
    source: Source
    digest: InputDigest | None = None


@dataclass(frozen=True)
class TableReader:
    """Reads tables: what is accepted of each, line by line, lands in a folder."""

    landing: Path
    rules: Rules
    data: DataConfig | None
    observe: Observer | None

    def __call__(self, numbered: Numbered) -> ReadTable:
        """Read a table.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        number, source, digest = numbered
        if digest is not None:
            # In this process, it may not be known yet.
            learn_digest(source.path, digest)
        parts, rejected, lines, empty = [], [], 0, False
        names: list[pl.DataFrame] = []
        before = _fingerprint(source)
        # A decimal comma is seen in text alone, and whoever observes is to see what was delivered.
        rules = self.rules.of_table(source.name)
        numbers = not rules.has_commas and self.observe is None
        frames = read_raw(source, self.data, labelled=rules.labelled, numbers=numbers)
        for piece, raw in enumerate(frames):
            cleaned = clean(
                raw.frame,
                self.rules,
                source=source.name,
                rows=raw.rows,
                malformed=raw.malformed,
                blanks=raw.blanks,
            )
            if self.observe is not None:
                self.observe((number, piece), raw, cleaned)
            lines += raw.records
            raw.release()
            parts += land(cleaned, self.landing, number=number, piece=piece)
            rejected.append(cleaned.rejected)
            if cleaned.names is not None:
                names = [first_names([*names, cleaned.names])]
            empty = not lines
        if _fingerprint(source) != before:
            raise changed_file(source.name)
        record = FileRecord(
            name=source.name, sha256=sha256_of_input(source.path), bytes=source.size, lines=lines
        )
        return ReadTable(record, empty, parts, rejected, names)


def changed_file(name: str) -> InputError:
    """Return the error for a file that is not what it was when the run began."""
    return InputError(
        f"{name} was changed while it was read.",
        "Nothing of it was used. Run again once the file is complete; whoever writes it should use "
        "another name until then.",
    )


def _fingerprint(source: Source) -> Fingerprint:
    try:
        return fingerprint(source.path)
    except FileNotFoundError:
        raise changed_file(source.name) from None

"""The names of the columns as the files write them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import BasketwiseError
from basketwise.etl.raw.header import CALENDAR, read_header, standard_names
from basketwise.etl.raw.reading import BROKEN
from basketwise.etl.raw.sources import Source, open_bytes
from basketwise.etl.raw.text import blocks
from basketwise.schema import LABEL, READ_NAMES

OBJECTS = 100
"""So many objects of a JSON Lines file show its keys."""

_HEADER_BYTES = 2**16


@dataclass(frozen=True)
class Names:
    """The columns of all files.

    ``own`` are the names of a known column in the files, by the standard name; ``ignored`` are the
    names of all others; ``calendars``: there are no files but dunnhumby's calendar.
    """

    own: dict[str, tuple[str, ...]]
    ignored: tuple[str, ...]
    calendars: bool

    @property
    def labelled(self) -> bool:
        """Whether some file has a column of labels."""
        return LABEL in self.own


def column_names(sources: Sequence[Source], data: DataConfig) -> Names:
    """Read the names of the columns of all files; a file that cannot be read has none."""
    own: dict[str, dict[str, None]] = {}
    ignored: dict[str, None] = {}
    calendars = True
    for source in sources:
        names = [*source.partitions, *_names(source, data)]
        standard = standard_names(names, data.own_columns)
        if set(standard) == CALENDAR:
            continue
        calendars = False
        for name, ours in zip(names, standard, strict=True):
            if ours in READ_NAMES:
                own.setdefault(ours, {})[name.strip()] = None
            else:
                ignored[name.strip()] = None
    return Names(
        {ours: tuple(names) for ours, names in own.items()}, tuple(sorted(ignored)), calendars
    )


def _names(source: Source, data: DataConfig) -> list[str]:
    # The reader explains errors better than could be done here.
    try:
        if source.is_parquet:
            return pl.scan_parquet(source.path, glob=False).collect_schema().names()
        with open_bytes(source) as stream:
            if source.kind == "jsonl":
                keys: dict[str, None] = {}
                for line in islice(stream, OBJECTS):
                    text = line.decode("utf-8-sig").strip()
                    document = json.loads(text) if text else {}
                    keys |= dict.fromkeys(document if isinstance(document, dict) else ())
                return list(keys)
            block = next(blocks(stream, source.name, data.encoding, _HEADER_BYTES))
            header, end, _ = read_header(block, source.name, data.own_columns)
            first = block.text[:end].decode().strip("\r\n").rpartition("\n")[2]
            return next(csv.reader([first], delimiter=header.separator))
    except (BasketwiseError, pl.exceptions.PolarsError, ValueError, csv.Error, *BROKEN):
        return []

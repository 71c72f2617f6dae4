"""Whether a value of a table may contain a comma, told without parsing it."""

from __future__ import annotations

from basketwise.config import DataConfig
from basketwise.etl.raw.header import read_header
from basketwise.etl.raw.reading import BROKEN
from basketwise.etl.raw.sources import Source, open_bytes
from basketwise.etl.raw.text import blocks


def commas_possible(source: Source, data: DataConfig) -> bool:
    """Whether a value of a table may contain a comma.

    Parameters
    ----------
    source : Source
        The table.
    data : DataConfig
        Encoding and column names.

    Returns
    -------
    bool
        False for a CSV that is separated by commas and has no quotes; True where only a reader
        could tell.
    """
    if source.kind != "text":
        return True
    start = -1
    try:
        with open_bytes(source) as stream:
            for part in blocks(stream, source.name, data.encoding):
                if start < 0:
                    header, start, _ = read_header(part, source.name, data.own_columns)
                    if header.separator != ",":
                        return True
                if part.text.find(b'"', start) >= 0:
                    return True
                start = 0
    except BROKEN:
        # Its reader says what is wrong with it.
        return True
    return False

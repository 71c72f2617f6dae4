"""How much a Parquet file expands to, from its footer and page headers, before it is read.

A reader allocates what a page header states, and repeats a value as often as a run states; a file
of two megabytes can so take gigabytes. The headers are of Thrift's compact protocol (Apache Thrift,
2007; Parquet format, ``parquet.thrift``), of which the little that is needed is read here.
"""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

MAGIC = b"PAR1"
TAIL = 8
"""Length of the footer, and ``PAR1``."""
MAX_FOOTER = 512 * 2**10
MAX_DEPTH = 16
MAX_ROWS = 1_000_000
MAX_BYTES = 128 * 2**20
"""Of all pages, uncompressed."""
MAX_HEADER = 64 * 2**10
MAX_GROUPS = 1_000
LEAST_PAGE = 4_096
"""A page counts as so many bytes at least: to look at a hundred million empty ones takes hours."""
CODECS = (0, 6)
"""None, and Zstandard, in which Polars writes."""
HEADERS = {0: 5, 2: 7, 3: 8}
"""Which field of a page header describes it, by its type: data, dictionary, data of version 2."""
DICTIONARY = 2

Record: TypeAlias = dict[int, Any]
"""A Thrift struct: values by the numbers of its fields."""


def check_parquet(data: bytes, *, most_rows: int = MAX_ROWS, most_bytes: int = MAX_BYTES) -> int:
    """Return the number of rows of a Parquet file that is plain and small enough to be read.

    ``most_bytes`` are those of all its pages, uncompressed.

    Raises
    ------
    ValueError
        If it is damaged, its pages expand to too much, or its columns are nested.
    """
    length = struct.unpack("<L", data[-TAIL:-4])[0] if len(data) > 2 * TAIL else 0
    if data[:4] != MAGIC or data[-4:] != MAGIC or not 0 < length <= len(data) - TAIL - 4:
        raise ValueError("it is no Parquet file")
    if length > MAX_FOOTER:
        raise ValueError(f"its footer has more than {MAX_FOOTER:,} bytes")
    start = len(data) - TAIL - length
    try:
        footer = _Thrift(data, start, start + length).record()
        columns = sum(1 for column in footer[2] if 5 not in column)
        if len(footer[2]) != columns + 1 or len(footer[4]) > MAX_GROUPS:
            raise ValueError("it has nested columns, or too many groups of rows")
        rows, expanded = 0, 0
        for group in footer[4]:
            if len(group[1]) != columns:
                raise ValueError("a group of rows lacks columns")
            rows += group[3]
            if not 0 <= group[3] <= most_rows or not rows <= most_rows:
                raise ValueError(f"it has more than {most_rows:,} rows")
            for chunk in group[1]:
                expanded = _expanded(data, chunk[3], group[3], start, expanded, most_bytes)
        if rows != footer[3]:
            raise ValueError("its groups do not have as many rows as it states")
    except (LookupError, TypeError, struct.error) as error:
        raise ValueError("its footer is damaged") from error
    return rows


def _expanded(data: bytes, column: Record, rows: int, end: int, expanded: int, most: int) -> int:
    """Add what the pages of a column in one group of rows expand to, together at most so much."""
    if column[4] not in CODECS:
        raise ValueError("a column is compressed otherwise than by Zstandard")
    at = min(column[9], column.get(11) or column[9])
    stop, values = at + column[7], 0
    if not len(MAGIC) <= at <= stop <= end:
        raise ValueError("a column is outside of the file")
    while at < stop:
        reader = _Thrift(data, at, min(stop, at + MAX_HEADER))
        page = reader.record()
        kind, size, packed = page[1], page[2], page[3]
        expanded += max(size, LEAST_PAGE)
        if size < 0 or packed < 0 or expanded > most:
            raise ValueError(f"its pages expand to more than {most:,} bytes")
        head = page[HEADERS[kind]]
        if not 0 <= head[1] <= MAX_ROWS:
            raise ValueError("a page states more values than there may be")
        values += head[1] if kind != DICTIONARY else 0
        at = reader.at + packed
    if at != stop or values != rows:
        raise ValueError("a column does not have as many values as there are rows")
    return expanded


class _Thrift:
    """Reads structs of Thrift's compact protocol between two places of some bytes."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.at = at
        self._data, self._end = data, end

    def record(self, depth: int = 0) -> Record:
        """Read a struct."""
        fields: Record = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError("its footer is nested too deeply")
        match kind:
            case 1 | 2:
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._unsigned())
            case 9 | 10:
                return self._list(depth)
            case 12:
                return self.record(depth)
        raise ValueError("its footer contains a type that Parquet does not have")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._unsigned()
        if count > self._end - self.at:
            raise ValueError("its footer states more than it contains")
        # The values of a list are bytes, even true and false.
        return [self._value(3 if kind in (1, 2) else kind, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        (value,) = self._bytes(1)
        return value

    def _bytes(self, size: int) -> bytes:
        if size > self._end - self.at:
            raise ValueError("its footer is cut off")
        self.at += size
        return self._data[self.at - size : self.at]

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("its footer contains a number that is too large")

    def _integer(self) -> int:
        """Read a signed number in zigzag order."""
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

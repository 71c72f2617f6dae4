"""Whether the raw files allow the chosen split: found out before they are cleaned.

What the weeks and customers are is known for sure when every line has been read. Mostly the first
lines of the first files show that the split is possible. Only where they do not are the files gone
through, and then only the column that decides.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any
from zipfile import BadZipFile

import polars as pl

from basketwise.config import DataConfig, SplitStrategy
from basketwise.errors import BasketwiseError, InputError
from basketwise.etl.cleaning import Rules, clean
from basketwise.etl.header import (
    MAX_HEADER_BYTES,
    Header,
    check_columns,
    read_csv_header,
    standard_names,
)
from basketwise.etl.reading import RawFrame
from basketwise.etl.sources import Source, open_bytes
from basketwise.etl.split import no_customers, one_week
from basketwise.schema import BASKET_ID, CUST_CODE, PROD_CODE, QUANTITY, SHOP_WEEK, SPEND

FIRST_BYTES = 2**16
"""Of each table's text, so much is looked at first: some 450 of dunnhumby's lines."""

FIRST_LINES = 500
"""The same of a Parquet file."""

PIECE_BYTES = 2**23
"""How much text is looked at together after that."""

LONGEST_LINE = 2**23
"""Bytes; what goes on for longer is a quote that nobody closed."""

_GOOD = {BASKET_ID: "1", PROD_CODE: "1", SPEND: "1", QUANTITY: "1"}
"""The rest of a line, so that cleaning judges it by the one column alone."""

_UNREADABLE = (
    BasketwiseError,
    pl.exceptions.PolarsError,
    OSError,
    EOFError,
    UnicodeError,
    zlib.error,
    BadZipFile,
)


def check_split(sources: Sequence[Source], strategy: SplitStrategy, data: DataConfig) -> None:
    """Refuse a split (``split.strategy``) that the raw files cannot allow.

    Nothing is refused here that would be possible after cleaning. The reverse can happen: a week or
    customer that is seen here may have no line that can be used. ``stratified`` needs neither:
    nothing is read. A table that cannot be read ends the check without a word: the reader that
    comes next explains what is wrong with it.

    Raises
    ------
    ConfigError
        If all lines are of one week, or of none, and are to be split by time; if no line has a
        customer code, and they are to be split by customer.
    """
    if strategy == "stratified":
        return
    column = SHOP_WEEK if strategy == "time" else CUST_CODE
    try:
        seen = _seen(sources, column, data)
    except _UNREADABLE:
        return
    # Without a single line there is no verdict on the split: cleaning says that there is none.
    if seen and not _suffices(seen, column):
        raise one_week(seen.pop()) if column == SHOP_WEEK else no_customers()


def _suffices(seen: set[Any], column: str) -> bool:
    return len(seen) >= 2 if column == SHOP_WEEK else any(code is not None for code in seen)


def _seen(sources: Sequence[Source], column: str, data: DataConfig) -> set[Any]:
    """Gather different values of the column, until they suffice or all lines have been seen."""
    seen: set[Any] = set()
    for first_lines_only in (True, False):
        for source in sources:
            for raw in _pieces(source, column, data):
                seen |= _values(raw, column)
                if _suffices(seen, column):
                    return seen
                if first_lines_only:
                    break
    return seen


def _values(raw: RawFrame, column: str) -> set[Any]:
    """Clean the column alone; two different values, null among them, tell all there is to know."""
    lines = raw.frame.unique().with_columns(
        pl.lit(value).alias(name) for name, value in _GOOD.items()
    )
    cleaned = clean(lines, Rules(), source="the first lines", decimal_comma=raw.decimal_comma)
    return set(cleaned.lines[column].unique().head(2))


def _pieces(source: Source, column: str, data: DataConfig) -> Iterator[RawFrame]:
    """Read one column of a table: first a few lines, then larger pieces to the end.

    A table without the column gives a frame without it, as reading it in earnest does.
    """
    if source.is_parquet:
        yield from _parquet_pieces(source, column, data)
        return
    header = read_csv_header(source, data)
    if header.is_calendar:
        return
    check_columns(source.name, header.names, labelled=True)
    position = header.positions().get(column)
    with open_bytes(source) as stream:
        stream.readline(MAX_HEADER_BYTES)
        for text in _whole_lines(source, stream):
            if position is None:
                frame = pl.DataFrame({BASKET_ID: ["1"]})
            else:
                frame = _parse(text.decode(data.encoding).encode(), header, position).rename(
                    {str(position): column}
                )
            yield RawFrame(frame, 1, decimal_comma=header.separator == ";")
            if position is None:
                return


def _whole_lines(source: Source, stream: IO[bytes]) -> Iterator[bytes]:
    """Cut a CSV's text after ends of lines, but not inside of quotes."""
    size = FIRST_BYTES
    while text := stream.read(size) + stream.readline(LONGEST_LINE):
        quotes, more, longer = text.count(b'"'), [], 0
        while quotes % 2 and (line := stream.readline(LONGEST_LINE)):
            more.append(line)
            quotes, longer = quotes + line.count(b'"'), longer + len(line)
            if longer > LONGEST_LINE:
                raise InputError(f"{source.name!r} contains a quote that is not closed.")
        yield text + b"".join(more)
        size = PIECE_BYTES


def _parse(text: bytes, header: Header, position: int) -> pl.DataFrame:
    return pl.read_csv(
        text,
        has_header=False,
        separator=header.separator,
        schema={str(number): pl.String for number in range(len(header.names))},
        columns=[position],
        raise_if_empty=False,
    )


def _parquet_pieces(source: Source, column: str, data: DataConfig) -> Iterator[RawFrame]:
    lazy = pl.scan_parquet(source.path, glob=False)
    names = lazy.collect_schema().names()
    header = Header(",", standard_names(names, data.columns))
    if header.is_calendar:
        return
    check_columns(source.name, header.names, labelled=True)
    position = header.positions().get(column)
    if position is None:
        lines = lazy.select(pl.int_range(pl.len()).alias(BASKET_ID)).head(1)
    else:
        lines = lazy.select(pl.col(names[position]).alias(column))
    for piece in (lines.head(FIRST_LINES), lines.unique()):
        yield RawFrame(piece.collect(), 1, decimal_comma=False)

"""CSV files as frames: the records of a block of text, parsed once they are told apart.

Values come as text, so that nothing is lost before cleaning has looked at it; numbers may come as
such where all of them are plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import IO

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.raw.header import Header, check_columns, read_header
from basketwise.etl.raw.hive import added_columns, with_added
from basketwise.etl.raw.raw_frame import MALFORMED_SCHEMA, RawFrame, row_numbers
from basketwise.etl.raw.record_splitting import split_records
from basketwise.etl.raw.records import Malformed, Records
from basketwise.etl.raw.text import blocks, check_utf8
from basketwise.schema import QUANTITY, REASON, ROW, SHOP_WEEK, SHOP_WEEKDAY, SPEND

PLAIN: Mapping[str, type[pl.DataType]] = {
    SPEND: pl.Float64,
    QUANTITY: pl.Float64,
    SHOP_WEEK: pl.Int32,
    SHOP_WEEKDAY: pl.Int32,
}
"""Columns whose numbers may be read as such; where one is absent, others may follow from text.

SHOP_HOUR is none of them: 0012 is a time of day.
"""


def read_csv(
    stream: IO[bytes],
    name: str,
    data: DataConfig,
    *,
    labelled: bool = True,
    required: Sequence[str] = (),
    block: int | None = None,
    partitions: Mapping[str, str | None] = MappingProxyType({}),
    own_names: bool = False,
    numbers: bool = False,
) -> Iterator[RawFrame]:
    """Read a CSV from a stream of its uncompressed bytes; see :func:`read_raw`.

    ``partitions`` are columns that its folders give.
    """
    header: Header | None = None
    added: Mapping[str, str | None] = {}
    pending, accepted, first_refused = b"", 0, None
    header_line = line = 0
    for part in blocks(stream, name, data.encoding, block):
        text = part.text
        if header is None:
            header, end, header_line = read_header(part, name, data.own_columns)
            if header.is_calendar:
                return
            if own_names:
                added = {n: value for n, value in partitions.items() if n not in header.own}
            else:
                added = added_columns(partitions, header.names, data.own_columns)
                check_columns(
                    name,
                    (*header.names, *added),
                    labelled=labelled,
                    columns=data.own_columns,
                    required=required,
                    given=(*header.own, *partitions),
                )
            line = header_line + 1
        else:
            end = 0
        if pending:
            text = pending + text
        records = split_records(
            text, header.separator, len(header.names), final=part.final, start=end
        )
        pending = records.pending
        if not records.height:
            continue
        if records.malformed and first_refused is None:
            first_refused = records.malformed[0]._replace(line=records.malformed[0].line + line)
        accepted += records.count
        try:
            typed = _parse_numbers(records, header) if numbers else None
            numbers = typed is not None
            frame = typed if typed is not None else _parse(records, header, own_names=own_names)
        except pl.exceptions.PolarsError as error:
            check_utf8(text, name, line - text.count(b"\n", 0, end))
            raise InputError(f"{name!r} cannot be read: {error}.", "Save it again.") from error
        if frame.height != records.count:
            raise InputError(
                f"{name!r} cannot be read between lines {line:,} and {line + records.height:,}: "
                f"{records.count:,} records are there, and not as many were parsed.",
                "Save the file again as UTF-8 with one record per line.",
            )
        frame = with_added(frame, added)
        first_row, line = line - header_line, line + records.height
        yield _raw_frame(
            records,
            frame,
            first_row,
            decimal_comma=header.separator == ";",
            blanks=records.blanks or bool(added),
        )
    if header is None or accepted:
        return
    if first_refused is not None:
        raise _refused(name, first_refused, header)
    yield RawFrame(
        with_added(_parse(Records(b"", None, 0), header, own_names=own_names), added),
        row_numbers(0),
    )


def _parse_numbers(records: Records, header: Header) -> pl.DataFrame | None:
    """Parse records whose numbers are all plain; None if some may not be."""
    if records.blanks or not PLAIN.keys() <= header.positions().keys():
        return None
    try:
        frame = _parse(records, header, own_names=False, types=PLAIN)
    except pl.exceptions.PolarsError:
        # Some number is written in another way, or missing in words.
        return None
    finite = all(frame[name].is_finite().all() for name in PLAIN if frame[name].dtype.is_float())
    return frame if finite else None


def _parse(
    records: Records,
    header: Header,
    *,
    own_names: bool,
    types: Mapping[str, type[pl.DataType]] = MappingProxyType({}),
) -> pl.DataFrame:
    positions = header.own_positions() if own_names else header.positions()
    columns = {str(position): types.get(name) for name, position in positions.items()}
    if not records.count:
        return pl.DataFrame(schema=dict.fromkeys(positions, pl.String))
    quotes = b'"' in records.text
    frame = pl.read_csv(
        records.text,
        has_header=False,
        separator=header.separator,
        quote_char='"' if quotes else None,
        schema={n: columns.get(n) or pl.String for n in map(str, range(len(header.names)))},
        columns=list(positions.values()),
        skip_lines=records.text.count(b"\n", 0, records.start),
        # Without quotes, an empty value is null anyway.
        null_values="" if quotes else None,
    )
    return frame.select(pl.col(str(i)).alias(name) for name, i in positions.items())


def _raw_frame(
    records: Records,
    frame: pl.DataFrame,
    first_row: int,
    *,
    decimal_comma: bool,
    blanks: bool,
) -> RawFrame:
    if records.lines is None:
        rows = row_numbers(frame.height, first_row)
    else:
        rows = pl.Series(ROW, records.lines + first_row, dtype=pl.UInt32)
    malformed = pl.DataFrame(
        {
            ROW: [record.line + first_row for record in records.malformed],
            REASON: [record.reason for record in records.malformed],
        },
        schema=MALFORMED_SCHEMA,
    )
    return RawFrame(frame, rows, malformed, decimal_comma, blanks)


def _refused(name: str, record: Malformed, header: Header) -> InputError:
    """Say why a table is refused of which every record is malformed."""
    if record.fields:
        return InputError(
            f"{name!r} has {record.fields} fields in line {record.line:,} where its header has "
            f"{len(header.names)}, and no other line fits either.",
            f"Quote values that contain {header.separator!r}.",
        )
    return InputError(
        f"{name!r} has no line that can be read; line {record.line:,}: "
        f"{record.reason.replace('_', ' ')}.",
        "Check the quotes; a quote within a quoted value is written twice.",
    )

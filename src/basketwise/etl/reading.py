"""Raw tables as frames: every known column, values as they were delivered.

A CSV's values come as text, so that nothing is lost before cleaning has looked at it; a Parquet
file's values keep their types. Large files come in several frames, so that memory stays bounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from lzma import LZMAError
from types import MappingProxyType
from typing import IO
from zipfile import BadZipFile

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.header import Header, check_columns, read_header, standard_names
from basketwise.etl.hive import added_columns, with_added
from basketwise.etl.jsonl import jsonl_frames
from basketwise.etl.reasons import REASON, ROW, row_numbers
from basketwise.etl.records import Malformed, Records, split_records
from basketwise.etl.sources import Source, open_bytes
from basketwise.etl.text import blocks, check_utf8
from basketwise.schema import QUANTITY, SHOP_HOUR, SHOP_WEEK, SHOP_WEEKDAY, SPEND

BATCH_ROWS = 3_000_000
WHOLE_BELOW = 16 * 2**20
"""Parquet files of fewer bytes are read in one piece."""

BROKEN = (OSError, EOFError, zlib.error, LZMAError, BadZipFile, NotImplementedError)
"""What reading a file raises that is damaged or cut off."""

PLAIN: Mapping[str, type[pl.DataType]] = {
    SPEND: pl.Float64,
    QUANTITY: pl.Float64,
    SHOP_WEEK: pl.Int32,
    SHOP_WEEKDAY: pl.Int32,
    SHOP_HOUR: pl.Int32,
}
"""Columns whose numbers may be read as such; where one is absent, others may follow from text."""

_MALFORMED = {ROW: pl.UInt32, REASON: pl.String}


@dataclass(frozen=True)
class RawFrame:
    """Some records of one table: the known columns that are present.

    Attributes
    ----------
    frame
        One row per record that can be parsed.
    rows
        Of each of them, the number of its line within the table (UInt32): from 1, the header not
        counted.
    malformed
        One row per record that cannot be parsed: ``row``, ``reason``.
    decimal_comma
        Whether numbers may be written ``0,93`` (in files separated by ``;``).
    blanks
        Whether a value may have blanks around it.
    """

    frame: pl.DataFrame
    rows: pl.Series
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_MALFORMED))
    decimal_comma: bool = False
    blanks: bool = True

    @property
    def records(self) -> int:
        """How many records there are, malformed ones included."""
        return self.frame.height + self.malformed.height


def read_raw(
    source: Source,
    data: DataConfig | None = None,
    *,
    labelled: bool = True,
    required: Sequence[str] = (),
    block: int | None = None,
    own_names: bool = False,
    numbers: bool = False,
    first_rows: int | None = None,
) -> Iterator[RawFrame]:
    """Read one table in frames of bounded size.

    Parameters
    ----------
    source : Source
        What to read.
    data : DataConfig, optional
        How files are laid out: encoding and column names.
    labelled : bool
        Whether the label column is required.
    required : sequence of str
        Required columns of a table that is none of lines; empty: those of lines.
    block : int, optional
        About how many bytes of a text are read at once.
    own_names : bool
        Read every column under its own name, whether it is known or not; none is required.
    numbers : bool
        Read numbers of a CSV as such, where all of them are plain. Otherwise they come as text,
        and casting that gives the same numbers.
    first_rows : int, optional
        How many rows of a Parquet file are read; by default, all.

    Yields
    ------
    RawFrame
        In file order, at least one. dunnhumby's calendar file yields nothing.

    Raises
    ------
    InputError
        If the table cannot be read or lacks a required column; nothing of it was used then.
    """
    data = data or DataConfig()
    if source.is_parquet:
        yield from _read_parquet(
            source,
            data,
            labelled=labelled,
            required=required,
            own_names=own_names,
            first_rows=first_rows,
        )
        return
    try:
        with open_bytes(source) as stream:
            if source.kind == "jsonl":
                frames = jsonl_frames(
                    stream, source.name, data, source.partitions, block, own_names=own_names
                )
                for frame, rows, keys in frames:
                    if not own_names:
                        check_columns(
                            source.name,
                            frame.columns,
                            labelled=labelled,
                            columns=data.own_columns,
                            required=required,
                            given=(*keys, *source.partitions),
                        )
                    yield RawFrame(frame, rows)
                return
            yield from read_csv(
                stream,
                source.name,
                data,
                labelled=labelled,
                required=required,
                block=block,
                partitions=source.partitions,
                own_names=own_names,
                numbers=numbers,
            )
    except BROKEN as error:
        kind = source.packing or ("zip" if source.member else "file")
        raise InputError(
            f"{source.name!r} is a broken {kind}: {error}.",
            "Download or compress the file again; none of it was used.",
        ) from error


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
        schema=_MALFORMED,
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


def _read_parquet(
    source: Source,
    data: DataConfig,
    *,
    labelled: bool,
    required: Sequence[str],
    own_names: bool,
    first_rows: int | None,
) -> Iterator[RawFrame]:
    lines = 0
    try:
        lazy = pl.scan_parquet(source.path, glob=False, n_rows=first_rows)
        given = lazy.collect_schema().names()
        header = Header(",", standard_names(given, data.own_columns))
        if header.is_calendar:
            return
        added: Mapping[str, str | None]
        if own_names:
            known = lazy
            added = {n: value for n, value in source.partitions.items() if n not in given}
        else:
            added = added_columns(source.partitions, header.names, data.own_columns)
            check_columns(
                source.name,
                (*header.names, *added),
                labelled=labelled,
                columns=data.own_columns,
                required=required,
                given=(*given, *source.partitions),
            )
            known = lazy.select(pl.col(given[i]).alias(n) for n, i in header.positions().items())
        if first_rows is not None or source.size * 4 < WHOLE_BELOW:
            frames: Iterator[pl.DataFrame] = iter([known.collect()])
        else:
            frames = known.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
        for frame in frames:
            yield RawFrame(with_added(frame, added), row_numbers(frame.height, lines + 1))
            lines += frame.height
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(
            f"{source.name!r} cannot be read as Parquet: {str(error).splitlines()[0]}.",
            "Write the file again.",
        ) from error

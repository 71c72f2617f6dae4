"""Raw tables as frames: every known column, values as they were delivered.

Large files come in several frames, so that memory stays bounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from lzma import LZMAError
from zipfile import BadZipFile

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.raw.csv_reading import read_csv
from basketwise.etl.raw.header import check_columns
from basketwise.etl.raw.jsonl import jsonl_frames
from basketwise.etl.raw.parquet_reading import read_parquet
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.sources import Source, open_bytes

BROKEN = (OSError, EOFError, zlib.error, LZMAError, BadZipFile, NotImplementedError)
"""What reading a file raises that is damaged or cut off."""


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
        yield from read_parquet(
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

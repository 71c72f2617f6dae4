"""Raw tables as frames: every known column, values as they were delivered.

Large files come in several frames, so that memory stays bounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from lzma import LZMAError
from typing import IO
from zipfile import BadZipFile

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.raw.csv_reading import read_csv
from basketwise.etl.raw.header import check_columns
from basketwise.etl.raw.jsonl import jsonl_frames
from basketwise.etl.raw.parquet_reading import read_parquet
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.sources import Source, open_bytes
from basketwise.schema import LABEL

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
                yield from _read_jsonl(
                    stream,
                    source,
                    data,
                    labelled=labelled,
                    required=required,
                    block=block,
                    own_names=own_names,
                )
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


def _read_jsonl(
    stream: IO[bytes],
    source: Source,
    data: DataConfig,
    *,
    labelled: bool,
    required: Sequence[str],
    block: int | None,
    own_names: bool,
) -> Iterator[RawFrame]:
    """Read JSON Lines; whether there is a column of labels is known at their end alone.

    Programs leave keys without a value out, and a label may be on some lines of a basket only.
    """

    def check(columns: Sequence[str], keys: Sequence[str], *, labelled: bool) -> None:
        check_columns(
            source.name,
            columns,
            labelled=labelled,
            columns=data.own_columns,
            required=required,
            given=(*keys, *source.partitions),
        )

    frames = jsonl_frames(stream, source.name, data, source.partitions, block, own_names=own_names)
    unlabelled: tuple[Sequence[str], Sequence[str]] | None = None
    for frame, rows, keys in frames:
        unlabelled = None
        if not own_names:
            if labelled and not required and LABEL not in frame.columns:
                unlabelled = frame.columns, keys
            try:
                check(frame.columns, keys, labelled=labelled and not unlabelled)
            except InputError:
                # All that is missing is named.
                check(frame.columns, keys, labelled=labelled)
                raise
        if unlabelled:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(LABEL))
        yield RawFrame(frame, rows)
    if unlabelled:
        check(*unlabelled, labelled=True)

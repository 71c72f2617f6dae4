"""Raw tables as frames: every known column, values as they were delivered.

A CSV's values come as text, so that nothing is lost before cleaning has looked at it; a Parquet
file's values keep their types. Large files come in several frames, so that memory stays bounded.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.diagnosis import explain
from basketwise.etl.header import Header, check_columns, read_csv_header, standard_names
from basketwise.etl.sources import Source

BATCH_ROWS = 1_000_000
WHOLE_BELOW = 64 * 2**20
"""Tables of fewer bytes are read in one piece (gzip counts eightfold)."""


@dataclass(frozen=True)
class RawFrame:
    """Some lines of one table: the known columns that are present.

    ``first_row`` is the number of the frame's first line within the table, from 1, the header not
    counted. ``decimal_comma``: whether numbers may be written ``0,93`` (in files separated by
    ``;``).
    """

    frame: pl.DataFrame
    first_row: int
    decimal_comma: bool


def read_raw(
    source: Source, scratch: Path, data: DataConfig | None = None, *, labelled: bool = True
) -> Iterator[RawFrame]:
    """Read one table in frames of at most a million lines.

    Parameters
    ----------
    source : Source
        What to read.
    scratch : Path
        Folder for unpacked or recoded copies; they are removed again.
    data : DataConfig, optional
        How files are laid out: encoding and column names.
    labelled : bool
        Whether the label column is required.

    Yields
    ------
    RawFrame
        In file order. dunnhumby's calendar file yields nothing.

    Raises
    ------
    InputError
        If the table cannot be read or lacks a required column; nothing of it was used then.
    """
    data = data or DataConfig()
    if source.is_parquet:
        yield from _read_parquet(source, data, labelled=labelled)
        return
    header = read_csv_header(source, data)
    if header.is_calendar:
        return
    check_columns(source.name, header.names, labelled=labelled)
    with_text = scratch / f"{abs(hash((source.path, source.member))):x}.csv"
    try:
        path = _as_utf8_file(source, with_text, data.encoding)
        whole = source.size * (8 if source.is_gzip else 1) < WHOLE_BELOW
        lines = 0
        for frame in _frames(_scan_csv(path, header), whole=whole):
            yield RawFrame(frame, lines + 1, decimal_comma=header.separator == ";")
            lines += frame.height
    except (
        pl.exceptions.PolarsError,
        OSError,
        EOFError,
        UnicodeError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        raise explain(source, header, data.encoding, error) from error
    finally:
        with_text.unlink(missing_ok=True)
    if lines == 0:
        raise InputError(
            f"{source.name!r} has a header but no lines.", "Remove it, or deliver it again."
        )


def _frames(lazy: pl.LazyFrame, *, whole: bool) -> Iterator[pl.DataFrame]:
    if whole:
        yield lazy.collect()
    else:
        yield from lazy.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)


def _as_utf8_file(source: Source, target: Path, encoding: str) -> Path:
    """Give a file that Polars can read: the source itself wherever that is possible."""
    if source.member is not None:
        with (
            zipfile.ZipFile(source.path) as archive,
            archive.open(source.member) as packed,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(packed, out, 2**20)
        if encoding == "utf-8":
            return target
        packed_copy = target.rename(target.with_suffix(".packed"))
        try:
            _recode(packed_copy, target, encoding)
        finally:
            packed_copy.unlink()
        return target
    if encoding == "utf-8":
        return source.path
    _recode(source.path, target, encoding)
    return target


def _recode(path: Path, target: Path, encoding: str) -> None:
    import gzip

    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with (
        opener(path, "rt", encoding=encoding, newline="") as read,
        target.open("w", encoding="utf-8", newline="") as write,
    ):
        shutil.copyfileobj(read, write, 2**20)


def _scan_csv(path: Path, header: Header) -> pl.LazyFrame:
    lazy = pl.scan_csv(path, separator=header.separator, infer_schema=False, glob=False)
    names = lazy.collect_schema().names()
    return lazy.select(pl.col(names[i]).alias(name) for name, i in header.positions().items())


def _read_parquet(source: Source, data: DataConfig, *, labelled: bool) -> Iterator[RawFrame]:
    lines = 0
    try:
        lazy = pl.scan_parquet(source.path, glob=False)
        given = lazy.collect_schema().names()
        header = Header(",", standard_names(given, data.columns))
        if header.is_calendar:
            return
        check_columns(source.name, header.names, labelled=labelled)
        known = lazy.select(pl.col(given[i]).alias(n) for n, i in header.positions().items())
        for frame in _frames(known, whole=source.size * 4 < WHOLE_BELOW):
            yield RawFrame(frame, lines + 1, decimal_comma=False)
            lines += frame.height
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{source.name!r} cannot be read as Parquet: {error}.", "Write the file again."
        ) from error
    if lines == 0:
        raise InputError(f"{source.name!r} contains no lines.", "Remove it, or deliver it again.")

"""Raw lines within a task, of whole files that the core reads itself.

Those of a frame's batches are read by :mod:`basketwise.engines.spark.frame_reading`.

Spark's own reader of CSV would judge lines before the core does: a record with a field too many
would be cut, another header would shift columns. So of files, Spark delivers the bytes, and
:mod:`basketwise.etl.raw.reading` reads them as it does anywhere: any format, the same records, the
same refusals. What is read at once is one file, which is why there is a largest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import polars as pl

from basketwise.config import DataConfig
from basketwise.engines.spark.addresses import has_magic, is_meant, listed
from basketwise.engines.spark.frames import Batches
from basketwise.engines.spark.session import reason
from basketwise.errors import InputError
from basketwise.etl.lines.dtypes import DTYPES
from basketwise.etl.lines.layout import FIRST_BYTES
from basketwise.etl.raw.discovery import DELTA_LOG, list_files
from basketwise.etl.raw.formats import SUPPORTED, format_of, is_bookkeeping, is_txt, relative_name
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Source
from basketwise.schema import Kind
from basketwise.scratch import scratch

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LARGEST_FILE = 2**30
"""Bytes. Spark hands over a file in one value, which cannot have more than twice as many."""


class Piece(NamedTuple):
    """Some raw lines: number and name of their table, number of the piece in it."""

    table: int
    number: int
    source: str
    raw: RawFrame


class Reader(Protocol):
    """Reads raw lines from a partition's batches; sent to the executors."""

    def __call__(self, batches: Batches) -> Iterator[Piece]:
        """Yield lines, whose columns may still have the retailer's own names."""
        ...


@dataclass(frozen=True)
class FileReader:
    """Reads whole files, whose rows are ``path`` and ``content``.

    ``files`` are their paths in order; of each, ``first`` reads the beginning alone; ``labelled``:
    whether the label column is required; ``top``: the folder that names are relative to, where
    they would not differ otherwise.
    """

    files: tuple[str, ...]
    data: DataConfig
    first: bool = False
    labelled: bool = False
    top: str = ""

    def __call__(self, batches: Batches) -> Iterator[Piece]:
        """Yield each file's lines, in frames of bounded size."""
        numbers = {path: number for number, path in enumerate(self.files)}
        for batch in batches:
            for row in batch.to_pylist():
                yield from self._read(row["path"], row["content"], numbers[row["path"]])

    def _read(self, path: str, content: bytes, table: int) -> Iterator[Piece]:
        number = 0
        with local_sources(path, content) as sources:
            block = FIRST_BYTES if self.first else None
            for source in sources:
                for raw in read_raw(source, self.data, labelled=self.labelled, block=block):
                    yield Piece(table, number, f"{table:06d}/{self.name(path, source)}", raw)
                    number += 1
                    if self.first:
                        break

    def name(self, path: str, source: Source) -> str:
        """Return what a table is called, by the path of its file."""
        if not self.top:
            return source.name
        below = str(PurePosixPath(path).relative_to(self.top))
        return "/".join(filter(None, (below, source.member)))


@contextmanager
def local_sources(path: str, content: bytes) -> Iterator[list[Source]]:
    """Give the raw tables of one file's bytes; of a text that is no table, none."""
    name = relative_name(PurePosixPath(path))
    # The core reads files: compressed ones, members of a zip, Parquet.
    with scratch() as folder:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        try:
            sources = list_files(str(folder)).sources
        except InputError:
            if not is_txt(name):
                raise
            sources = []
        yield sources


class Files(NamedTuple):
    """Raw files: paths in order, and a frame of ``path`` and ``content``, not read yet."""

    paths: tuple[str, ...]
    contents: DataFrame


def open_files(session: SparkSession, data: str) -> Files:
    """Find the raw files of a file, a folder or a glob, as Spark reaches them.

    Raises
    ------
    InputError
        If there are none, or one is too large.
    """
    reader = session.read.format("binaryFile").option("recursiveFileLookup", True)
    try:
        found = reader.load(listed(data))
        rows = found.selectExpr("path", "length").collect()
    except Exception as error:
        raise unreadable(data, error) from error
    sizes = {row[0]: row[1] for row in rows if _is_raw(row[0]) and is_meant(row[0], data)}
    if not sizes:
        raise InputError(
            f"No raw files found: {data!r} contains no supported file.",
            f"Give a file, a folder or a quoted glob of files ending in {SUPPORTED}.",
        )
    large = max(sizes, key=lambda path: (sizes[path], path))
    if sizes[large] > LARGEST_FILE:
        raise InputError(
            f"{large!r} has {sizes[large]:,} bytes: Spark hands over files of at most "
            f"{LARGEST_FILE:,}.",
            "Split it, or read it as a Spark frame or table and score that.",
        )
    _refuse_delta(session, data, sizes)
    paths = tuple(sorted(sizes, key=lambda path: PurePosixPath(path).parts))
    contents = found.selectExpr("path", "content")
    return Files(paths, _only(contents, paths) if len(paths) < len(rows) else contents)


def _refuse_delta(session: SparkSession, data: str, paths: Iterable[str]) -> None:
    """Refuse the folder of a Delta table, whose files can contain deleted lines."""
    if has_magic(data) or not any(path.lower().endswith(".parquet") for path in paths):
        return
    reader = session.read.format("binaryFile")
    log: list[Any] = []
    # Mostly there is no such folder, which is an error to most servers.
    with suppress(Exception):
        log = reader.load(f"{data.rstrip('/')}/{DELTA_LOG}").selectExpr("path").limit(1).collect()
    if log:
        raise InputError(
            f"The folder {data!r} is a Delta table; its files can contain deleted lines.",
            "Give the name of the table: schema.table or catalog.schema.table.",
        )


def _only(contents: DataFrame, paths: Sequence[str]) -> DataFrame:
    """Read some of the files."""
    return contents.filter(contents["path"].isin(list(paths)))


def beginnings(files: Files, paths: Iterable[str]) -> DataFrame:
    """Read the files that are looked at first."""
    return _only(files.contents, list(paths))


def _is_raw(path: str) -> bool:
    name = PurePosixPath(path).name
    return format_of(name) is not None and not is_bookkeeping(name)


def unreadable(data: str, error: Exception) -> InputError:
    """Return the error for what Spark cannot read."""
    return InputError(
        f"Spark cannot read {data!r}: {reason(error)}",
        "Give a path that every executor reaches, or the name of a table.",
    )


LINE_TYPES = {pl.String: "string", pl.Int32: "int", pl.Float64: "double"}
"""Spark's types of a clean line's columns, see :data:`basketwise.etl.lines.dtypes.DTYPES`."""


def type_of(kind: Kind) -> str:
    """Return Spark's type of a clean line's column."""
    return LINE_TYPES[DTYPES[kind]]

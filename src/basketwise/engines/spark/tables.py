"""Raw lines for ETL: the tables that there are, and what reads them in a task.

Files that this machine has too are known by their paths alone: each is read by one task, from
where it lies, in frames of bounded size. Of files that only the executors reach, Spark delivers the
bytes, see :mod:`basketwise.engines.spark.reading`. A frame, or a table of a catalogue, comes in
batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os.path import commonpath
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from basketwise.config import Config, DataConfig
from basketwise.digests import sha256
from basketwise.engines.spark.frame_reading import (
    TABLE,
    FrameReader,
    Lines,
    as_numbers,
    lines_of,
    with_fractions,
)
from basketwise.engines.spark.frames import (
    Batches,
    polars_frame,
    view,
)
from basketwise.engines.spark.reading import (
    FileReader,
    Piece,
    Reader,
    local_sources,
    open_files,
)
from basketwise.engines.spark.survey import (
    all_witnesses,
    collected,
    named_witnesses,
    settled_files,
    settled_frame,
)
from basketwise.errors import InputError
from basketwise.etl.lines.evidence import Evidence
from basketwise.etl.lines.layout import KIND, Looks, beginnings, glimpses, settle_looks, unglimpsed
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.formats import relative_name
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Delivery, FileRecord, Skipped, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


PARTITION = 2**24
"""Bytes of small files that are read in one task, which itself costs a tenth of a second."""

DIGEST = """
SELECT count(*), CAST(sum(CAST(hash AS DECIMAL(38, 0))) AS STRING)
FROM (SELECT xxhash64({columns}) AS hash FROM {lines})
"""
"""The number of some lines, and the sum of their hashes."""


@dataclass(frozen=True)
class Tables:
    """Raw tables: a frame whose partitions ``reader`` reads, and how lines are judged.

    ``records`` say what the tables are, lines not counted yet; ``rules`` leave nothing open but
    what becomes of repeated lines.
    """

    frame: DataFrame
    reader: Reader
    rules: Rules
    records: list[FileRecord]
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True)
class SourceReader:
    """Reads tables whose numbers are the values of the only column, ``id``."""

    sources: tuple[Source, ...]
    data: DataConfig

    def __call__(self, batches: Batches) -> Iterator[Piece]:
        """Yield the tables' lines, in frames of bounded size."""
        for number in numbers(batches):
            source = self.sources[number]
            for piece, raw in enumerate(read_raw(_reached(source), self.data)):
                yield Piece(number, piece, f"{number:06d}/{source.name}", raw)


def numbers(batches: Batches) -> Iterator[int]:
    """Yield the numbers of a partition of :func:`numbered`."""
    for batch in batches:
        yield from polars_frame(batch)["id"]


def _reached(source: Source) -> Source:
    if not source.path.exists():
        raise InputError(
            f"An executor does not reach {str(source.path)!r}, which is there on this machine.",
            "Put the files where every machine has them at the same path, or name them by an "
            "address that Spark reads.",
        )
    return source


def numbered(session: SparkSession, count: int, size: int | None = None) -> DataFrame:
    """Return a frame of the numbers from 0, ``id``.

    Each is in a partition of its own; or as many as stand for :data:`PARTITION` bytes of ``size``.
    """
    partitions = count if size is None else min(count, -(-size // PARTITION))
    return session.range(0, count, 1, max(partitions, 1))


def open_sources(session: SparkSession, delivery: Delivery, config: Config, rules: Rules) -> Tables:
    """Open raw tables that every machine has at the same path.

    Parameters
    ----------
    session : SparkSession
        Where they are read.
    delivery : Delivery
        The tables.
    config : Config
        All settings.
    rules : Rules
        How lines are judged, as the settings have it.

    Raises
    ------
    InputError
        If a table cannot be read; see :func:`basketwise.etl.lines.layout.settle_sources`.
    """
    sources = delivery.sources
    size = sum(source.size for source in sources)
    frame = numbered(session, len(sources), size)
    reader = SourceReader(tuple(sources), config.data)
    looks = Looks(
        first=glimpses(sources, config.data),
        others=beginnings(unglimpsed(sources, KIND), config.data),
        more=all_witnesses(frame, reader, rules),
        tables=named_witnesses(frame, reader, rules),
    )
    settled = settle_looks(Evidence(rules), looks)
    digests = file_digests(session, sources)
    records = [
        FileRecord(name=s.name, sha256=digests[s.path], bytes=s.size, lines=0) for s in sources
    ]
    return Tables(frame, reader, settled, records, delivery.skipped)


def file_digests(session: SparkSession, sources: Sequence[Source]) -> dict[Path, str]:
    """Return the sha256 of each file, found out where it lies."""
    paths = tuple(dict.fromkeys(source.path for source in sources))
    size = sum(source.size for source in sources)
    told = collected(numbered(session, len(paths), size), partial(_digests, sources, paths))
    return {paths[document["number"]]: document["sha256"] for document in told}


def _digests(
    sources: Sequence[Source], paths: tuple[Path, ...], batches: Batches
) -> Iterator[dict[str, Any]]:
    by_path = {source.path: source for source in sources}
    for number in numbers(batches):
        yield {"number": number, "sha256": sha256(_reached(by_path[paths[number]]).path)}


def open_remote(session: SparkSession, data: str, config: Config, rules: Rules) -> Tables:
    """Open raw files that Spark reaches, and this machine may not; as :func:`open_sources`."""
    files = open_files(session, data)
    names = {relative_name(PurePosixPath(path)) for path in files.paths}
    top = "" if len(names) == len(files.paths) else commonpath(map(_folder, files.paths))
    reader = FileReader(files.paths, config.data, labelled=True, top=top)
    settled = settled_files(files, reader, rules)
    told = collected(files.contents, partial(_members, reader))
    told.sort(key=lambda document: (document["table"], document["number"]))
    records = [
        FileRecord(name=d["name"], sha256=d["sha256"], bytes=d["bytes"], lines=0) for d in told
    ]
    return Tables(files.contents, reader, settled, records)


def _folder(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _members(reader: FileReader, batches: Batches) -> Iterator[dict[str, Any]]:
    numbers = {path: number for number, path in enumerate(reader.files)}
    for batch in batches:
        for row in batch.to_pylist():
            path, content = row["path"], row["content"]
            digest = hashlib.sha256(content).hexdigest()
            with local_sources(path, content) as sources:
                for number, source in enumerate(sources):
                    yield {
                        "table": numbers[path],
                        "number": number,
                        "name": reader.name(path, source),
                        "sha256": digest,
                        "bytes": source.size,
                    }


def open_frame(
    frame: DataFrame, rules: Rules, name: str = TABLE, snapshot: str | None = None
) -> Tables:
    """Open a Spark frame of raw lines; it must give the same lines each time.

    Parameters
    ----------
    frame : DataFrame
        Raw lines.
    rules : Rules
        How lines are judged, as the settings have it.
    name : str
        What the frame is called.
    snapshot : str or None
        What the lineage names, where the frame is a table's.

    Raises
    ------
    InputError
        If it lacks a required column, or has one of a type that no raw line has.
    """
    lines = lines_of(frame, rules)
    settled = settled_frame(lines, rules)
    reader = replace(lines.reader, name=name)
    fractions = set[str]()
    if as_numbers(lines.empty, rules):
        for document in collected(lines.frame, partial(_fractions, reader, settled)):
            fractions.update(document["fractions"])
    record = FileRecord(name=name, sha256=frame_digest(lines), bytes=0, lines=0, snapshot=snapshot)
    reader = replace(reader, as_text=frozenset(fractions))
    return Tables(lines.frame, reader, settled, [record])


def _fractions(reader: FrameReader, rules: Rules, batches: Batches) -> Iterator[dict[str, Any]]:
    for piece in reader(batches):
        yield {"fractions": with_fractions(piece.raw.frame, rules, piece.source)}


def frame_digest(lines: Lines) -> str:
    """Return a digest of a frame's lines, whatever their order: their number and sum of hashes."""
    frame = lines.frame
    # What a timestamp says depends on the session's time zone, its hash alone does not.
    hashed = [
        f"CAST({c} AS TIMESTAMP_NTZ)" if kind == "timestamp" else c for c, kind in frame.dtypes
    ]
    with view(frame) as name:
        query = DIGEST.format(columns=", ".join(hashed), lines=name)
        row = frame.sparkSession.sql(query).collect()[0]
    return hashlib.sha256(f"{sorted(lines.empty.columns)} {row[0]} {row[1]}".encode()).hexdigest()

"""Raw tables and skipped files, and the uncompressed bytes of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from basketwise.concurrency import worker_pool
from basketwise.digests import sha256_of_input
from basketwise.etl.raw.formats import Kind, Packing, SkipReason, relative_name
from basketwise.etl.raw.packing import open_packed

SHOWN = 3
"""Number of skipped files that are named in a message."""


@dataclass(frozen=True)
class Source:
    """One table of raw lines.

    Attributes
    ----------
    name
        As shown to users; ``archive.zip/member.csv`` for the member of a zip.
    path
        Its file.
    member
        Its name inside the zip ``path``; None if that is not a zip.
    size
        Its bytes on disk, compressed.
    kind, packing
        Its format.
    partitions
        Values of the columns in the names of ``column=value`` folders; None is missing.
    """

    name: str
    path: Path
    member: str | None
    size: int
    kind: Kind = "text"
    packing: Packing = ""
    partitions: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_parquet(self) -> bool:
        """Whether the table is stored as Parquet."""
        return self.kind == "parquet"

    @property
    def is_plain(self) -> bool:
        """Whether the table is text that is not compressed."""
        return self.kind == "text" and not self.packing and self.member is None

    @property
    def is_gzip(self) -> bool:
        """Whether the table is a text compressed with gzip."""
        return self.packing == "gzip"

    @property
    def is_packed(self) -> bool:
        """Whether the table is compressed."""
        return bool(self.packing or self.member)

    @property
    def file(self) -> str:
        """Path of its file, including ``column=value`` folders: ``SHOP_WEEK=200607/a.csv``."""
        return relative_name(self.path)


class FileRecord(BaseModel):
    """One raw table, as the metadata keeps it: its digest is that of the file it came in.

    Of a catalogue's table, the digest is that of its lines in any order, and ``snapshot`` the one
    that was read, if there are any.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    bytes: int
    lines: int
    snapshot: str | None = None


class Skipped(BaseModel):
    """A skipped file or folder; ``is_data``: whether it may contain till lines."""

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str
    hint: str
    is_data: bool


@dataclass
class Delivery:
    """Raw tables, sorted by path, and skipped files."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, name: str, reason: SkipReason) -> None:
        """Record a skipped file."""
        self.skipped.append(Skipped(name=name, **asdict(reason)))


def skipped_texts(skipped: Iterable[Skipped], *, documents: bool = True) -> list[str]:
    """Describe skipped files: one text per reason, with the fix.

    Examples
    --------
    >>> reason = {"reason": "a spreadsheet", "hint": "Export it.", "is_data": True}
    >>> skipped_texts([Skipped(name="a.xlsx", **reason), Skipped(name="b.xlsx", **reason)])
    ['2 files skipped (a spreadsheet): a.xlsx, b.xlsx. Export it.']
    """
    names: dict[tuple[str, str], list[str]] = {}
    for file in skipped:
        if documents or file.is_data:
            names.setdefault((file.reason, file.hint), []).append(file.name)
    texts = []
    for (reason, hint), own in names.items():
        shown = ", ".join(own[:SHOWN]) + (", …" if len(own) > SHOWN else "")
        count = f"{len(own):,} files" if len(own) > 1 else "1 file"
        texts.append(f"{count} skipped ({reason}): {shown}. {hint}".strip())
    return texts


def digests(delivery: Delivery) -> dict[str, str]:
    """Return the content digest of each raw table; the members of one archive share its digest.

    Skipped data files are included by name: the step reports them, so it depends on them.
    """
    paths = list(dict.fromkeys(source.path for source in delivery.sources))
    with worker_pool() as pool:
        by_path = dict(zip(paths, pool.map(sha256_of_input, paths), strict=True))
    contents = {source.name: by_path[source.path] for source in delivery.sources}
    return contents | {file.name: "skipped" for file in delivery.skipped if file.is_data}


@contextmanager
def open_bytes(source: Source) -> Iterator[IO[bytes]]:
    """Open a text's uncompressed bytes; errors are those of :func:`packing.open_packed`."""
    with open_packed(source.name, source.path, source.member, source.packing) as stream:
        yield stream

"""Raw tables: what each is, how its bytes are opened, and what lies beside them unread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from basketwise.concurrency import worker_pool
from basketwise.digests import sha256
from basketwise.etl.formats import Kind, Packing, Unread, relative_name
from basketwise.etl.packing import open_packed

SHOWN = 3
"""How many skipped files a text names."""


@dataclass(frozen=True)
class Source:
    """One table of raw lines.

    Attributes
    ----------
    name
        What people see; for a zip's member ``archive.zip/member.csv``.
    path
        The file it is in.
    member
        Its name inside of the zip ``path``; None if that is no zip.
    size
        Its bytes on disk, compressed.
    kind, packing
        How it is read.
    partitions
        Columns that folders called ``column=value`` give, of all its lines; None is missing.
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
    def is_gzip(self) -> bool:
        """Whether the table is a text compressed with gzip."""
        return self.packing == "gzip"

    @property
    def is_packed(self) -> bool:
        """Whether the table takes several times its size when it is unpacked."""
        return bool(self.packing or self.member)

    @property
    def file(self) -> str:
        """Name of its file, below the folders that give it columns: ``SHOP_WEEK=200607/a.csv``."""
        return relative_name(self.path)


class FileRecord(BaseModel):
    """One raw table, as the metadata keeps it: its digest is that of the file it came in."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    bytes: int
    lines: int


class Skipped(BaseModel):
    """A file, or a folder, that is not read; ``is_data`` whether till lines may be in it."""

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str
    hint: str
    is_data: bool


@dataclass
class Delivery:
    """The raw tables, sorted by name, and what lies beside them without being read."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, name: str, why: Unread) -> None:
        """Note that a file is not read."""
        self.skipped.append(
            Skipped(name=name, reason=why.reason, hint=why.hint, is_data=why.is_data)
        )


def skipped_texts(skipped: Iterable[Skipped], *, documents: bool = True) -> list[str]:
    """Say which files were not read, why, and what to do: one text per reason.

    Examples
    --------
    >>> why = {"reason": "a spreadsheet", "hint": "Export it.", "is_data": True}
    >>> skipped_texts([Skipped(name="a.xlsx", **why), Skipped(name="b.xlsx", **why)])
    ['2 files not read (a spreadsheet): a.xlsx, b.xlsx. Export it.']
    """
    names: dict[tuple[str, str], list[str]] = {}
    for file in skipped:
        if documents or file.is_data:
            names.setdefault((file.reason, file.hint), []).append(file.name)
    texts = []
    for (reason, hint), own in names.items():
        shown = ", ".join(own[:SHOWN]) + (", …" if len(own) > SHOWN else "")
        count = f"{len(own):,} files" if len(own) > 1 else "1 file"
        texts.append(f"{count} not read ({reason}): {shown}. {hint}".strip())
    return texts


def digests(delivery: Delivery) -> dict[str, str]:
    """Return the content digest of each raw table; the members of one archive share its digest.

    Names of data that were not read are there too: their number is a result of the stage.
    """
    paths = list(dict.fromkeys(source.path for source in delivery.sources))
    with worker_pool() as pool:
        by_path = dict(zip(paths, pool.map(sha256, paths), strict=True))
    contents = {source.name: by_path[source.path] for source in delivery.sources}
    return contents | {file.name: "not read" for file in delivery.skipped if file.is_data}


@contextmanager
def open_bytes(source: Source) -> Iterator[IO[bytes]]:
    """Open a text's uncompressed bytes; errors are those of :func:`packing.open_packed`."""
    with open_packed(source.name, source.path, source.member, source.packing) as stream:
        yield stream

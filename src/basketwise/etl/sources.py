"""Which raw files there are: a file, a folder, a glob, or the CSVs inside a zip."""

from __future__ import annotations

import glob
import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pydantic import BaseModel, ConfigDict

from basketwise.concurrency import worker_pool
from basketwise.digests import sha256
from basketwise.errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".zip", ".parquet")

MAX_ZIP_RATIO = 200
"""A zip member that unpacks to more than this many times its size is refused: till lines pack 10
to 20 times, a decompression bomb thousands of times."""

ENCRYPTED = 0x1
"""The bit of a zip member's flags that says so."""


@dataclass(frozen=True)
class Source:
    """One table of raw lines.

    ``name`` is what people see, for a zip member ``archive.zip/member.csv``; ``member`` its name
    inside of the zip ``path``, else None; ``size`` its bytes on disk, compressed.
    """

    name: str
    path: Path
    member: str | None
    size: int

    @property
    def is_parquet(self) -> bool:
        """Whether the table is stored as Parquet."""
        return self.path.suffix.lower() == ".parquet"

    @property
    def is_gzip(self) -> bool:
        """Whether the table is a gzip-compressed CSV."""
        return self.path.name.lower().endswith(".csv.gz")


class FileRecord(BaseModel):
    """One raw table, as the metadata keeps it: its digest is that of the file it came in."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    bytes: int
    lines: int


def discover(data: str) -> list[Source]:
    """Find the raw tables of a file, a folder (not of its subfolders) or a glob, sorted by name.

    Raises
    ------
    InputError
        If nothing is found, or nothing of a format that can be read.
    """
    path = Path(data).expanduser()
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.is_file() and _readable(f))
        searched = f"folder {data!r}"
    elif path.is_file():
        files, searched = [path], f"file {data!r}"
    else:
        matches = glob.glob(str(path))  # noqa: PTH207 - Path.glob takes no absolute pattern
        files = sorted(f for f in map(Path, matches) if f.is_file())
        searched = f"pattern {data!r}" if glob.has_magic(data) else f"path {data!r}"
    unknown = [f.name for f in files if not _readable(f)]
    if unknown:
        raise InputError(
            f"{unknown[0]!r} has an unsupported format.",
            f"Give files ending in {', '.join(SUFFIXES)}.",
        )
    if not files:
        raise InputError(
            f"No raw files found: {searched} contains none.",
            f"Give a file, a folder or a quoted glob of files ending in {', '.join(SUFFIXES)}.",
        )
    return [source for file in files for source in _tables(file)]


def digests(sources: list[Source]) -> dict[str, str]:
    """Return the content digest of each raw table; the members of one archive share its digest."""
    paths = list(dict.fromkeys(source.path for source in sources))
    with worker_pool() as pool:
        digests = dict(zip(paths, pool.map(sha256, paths), strict=True))
    # A glob can meet one name in two folders.
    names = [source.name for source in sources]
    unique = len(set(names)) == len(names)
    return {
        source.name if unique else f"{number}: {source.name}": digests[source.path]
        for number, source in enumerate(sources, start=1)
    }


def _readable(file: Path) -> bool:
    return file.name.lower().endswith(SUFFIXES) and not file.name.startswith(".")


def _is_table(member: str) -> bool:
    """Whether a zip member is a CSV; macOS packs a hidden ``._name.csv`` beside each file."""
    return member.lower().endswith(".csv") and not PurePosixPath(member).name.startswith(".")


def _tables(file: Path) -> list[Source]:
    if file.suffix.lower() != ".zip":
        return [Source(file.name, file, None, file.stat().st_size)]
    try:
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if _is_table(m.filename)]
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{file.name!r} is a broken zip: {error}.", "Download or compress the file again."
        ) from error
    if not members:
        raise InputError(
            f"The zip {file.name!r} contains no .csv file.", "Add CSV files, at any depth."
        )
    for member in members:
        if member.flag_bits & ENCRYPTED:
            raise InputError(
                f"{file.name}/{member.filename} is protected by a password.",
                "Extract the file yourself, or create the zip without a password.",
            )
        if member.file_size > MAX_ZIP_RATIO * max(member.compress_size, 1024):
            raise InputError(
                f"{file.name}/{member.filename} would unpack to {member.file_size:,} bytes from "
                f"{member.compress_size:,}.",
                "This looks like a decompression bomb; extract the file yourself if you trust it.",
            )
    return [
        Source(f"{file.name}/{m.filename}", file, m.filename, m.compress_size)
        for m in sorted(members, key=lambda m: m.filename)
    ]


@contextmanager
def open_bytes(source: Source) -> Iterator[IO[bytes]]:
    """Open a CSV source's uncompressed bytes."""
    if source.member is not None:
        with zipfile.ZipFile(source.path) as archive, archive.open(source.member) as stream:
            yield stream
    elif source.is_gzip:
        with gzip.open(source.path) as stream:
            yield cast("IO[bytes]", stream)
    else:
        with source.path.open("rb") as stream:
            yield stream

"""Decompression of raw text files, as streams with bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.raw.formats import Packing
from basketwise.etl.raw.signatures import ZSTANDARD

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAX_RATIO = 200
"""A file that expands more than this many times is refused: till lines compress 10 to 20 times, a
decompression bomb thousands of times."""

SMALL = 2**18
"""Bytes; a smaller file may expand to as much as one of this size."""

PIECE = 2**20
BUFFER = 2**16
"""Bytes; larger reads, such as those of whole pieces, bypass the buffer."""

LINES = 100_000
"""Lines of a Zstandard file that are decompressed at once."""

_ZST_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
"""The magic number of frames that are no data, with which some programs start."""


@contextmanager
def open_packed(name: str, path: Path, member: str | None, packing: Packing) -> Iterator[IO[bytes]]:
    """Open the uncompressed bytes of a file, or of a member of a zip.

    Raises
    ------
    InputError
        While reading: if the file expands too much, or is Zstandard and not UTF-8.
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile
        While reading: if the file is damaged or truncated.
    """
    with ExitStack() as stack:
        if member is None:
            packed: IO[bytes] = stack.enter_context(path.open("rb"))
            size = path.stat().st_size
        else:
            archive = stack.enter_context(zipfile.ZipFile(path))
            packed = stack.enter_context(archive.open(member))
            size = archive.getinfo(member).file_size
        if not packing:
            yield packed
        else:
            if packing == "zst":
                pieces = _zst_pieces(name, path if member is None else packed.read())
            else:
                pieces = _pieces(packed, packing)
            yield io.BufferedReader(_Unpacked(name, pieces, size), BUFFER)


def _pieces(packed: IO[bytes], packing: Packing) -> Iterator[bytes]:
    openers: dict[str, Callable[[IO[bytes]], Any]] = {
        "gzip": gzip.open,
        "bz2": bz2.open,
        "xz": lzma.open,
    }
    with openers[packing](packed) as stream:
        while piece := stream.read(PIECE):
            yield piece


def _zst_pieces(name: str, packed: Path | bytes) -> Iterator[bytes]:
    """Decompress Zstandard with Polars, line by line; Python supports it only since 3.14."""
    if isinstance(packed, bytes):
        magic = packed[: len(ZSTANDARD)]
    else:
        with packed.open("rb") as stream:
            magic = stream.read(len(ZSTANDARD))
    if _ZST_SKIPPED.fullmatch(magic):
        raise OSError("it starts with a frame that is no data, as pzstd writes; use zstd")
    if magic != ZSTANDARD:
        raise OSError("not a Zstandard file")
    lines = pl.scan_lines(packed, glob=False)
    try:
        for frame in lines.collect_batches(chunk_size=LINES, maintain_order=True):
            yield "".join(f"{line}\n" for line in frame["line"]).encode()
    except pl.exceptions.PolarsError as error:
        if "utf8" in str(error):
            raise InputError(
                f"{name!r} is not UTF-8, which is required for Zstandard files.",
                "Decompress it with unzstd, and set data.encoding.",
            ) from error
        raise OSError(str(error)) from error


class _Unpacked(io.RawIOBase):
    """A stream of decompressed pieces that refuses decompression bombs."""

    def __init__(self, name: str, pieces: Iterator[bytes], size: int) -> None:
        self._name, self._pieces, self._size = name, pieces, size
        self._left = MAX_RATIO * max(size, SMALL)
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
            self._left -= len(self._piece)
            if self._left < 0:
                raise bomb(self._name, self._size, f"more than {MAX_RATIO} times as many")
        count = min(len(target), len(self._piece))
        target[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


def bomb(name: str, size: int, unpacked: str) -> InputError:
    """Return the error for a file that expands too much."""
    return InputError(
        f"{name} would unpack to {unpacked} bytes from {size:,}.",
        "This looks like a decompression bomb; extract the file yourself if you trust it.",
    )

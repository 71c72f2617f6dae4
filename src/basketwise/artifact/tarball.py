"""A gzipped tar file, read block by block: every bound is checked before anything is allocated.

Python's ``tarfile`` reads extended headers, sparse maps and gzip's own header whole, whatever
length they state, before its caller sees a member. Archives of Basketwise need none of them: they
are one gzip member of plain ``ustar`` files.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 512
RECORD = 20 * BLOCK
"""A tar file is padded to a multiple of it."""
PIECE = 2**20

MAX_FILES = 200
MAX_BYTES = 2**30
"""Of all that an archive expands to."""
MAX_RATIO = 30
FREE_BYTES = 64 * 2**20
"""An archive may expand to so many bytes, and to ``MAX_RATIO`` times its own size in addition."""
MAX_EXTENDED = 64 * 2**10
"""Of an extended header, where one is allowed."""

MAGIC = (b"ustar\0", b"ustar ")
PLAIN, OLD_PLAIN, FOLDER, EXTENDED = b"0", b"\0", b"5", b"x"
OCTAL = re.compile(rb" *([0-7]{1,11})[ \0]*")


class UnsafeArchiveError(ValueError):
    """An archive is damaged, or not one that Basketwise would write; says why."""


@dataclass(frozen=True)
class Member:
    """A plain file in an archive; valid until the next one is asked for.

    Attributes
    ----------
    name
        As written; whether it leads out of the archive's folder is not checked.
    size
        In bytes.
    """

    name: str
    size: int
    _stream: _Expanded

    def pieces(self) -> Iterator[bytes]:
        """Yield the content, at most 1 MiB at a time."""
        left = self.size
        while left:
            piece = self._stream.read(min(left, PIECE))
            left -= len(piece)
            yield piece
        self._stream.read(-self.size % BLOCK)

    def skip(self) -> None:
        """Pass over the content."""
        deque(self.pieces(), maxlen=0)

    def content(self) -> bytes:
        """Return the content; bound the size first."""
        return b"".join(self.pieces())


def members(path: Path, *, dotted: bool = False) -> Iterator[Member]:
    """Yield the files of an archive; the caller reads each one's content whole before the next.

    Parameters
    ----------
    path : Path
        A gzipped tar file.
    dotted : bool
        Whether names may start with ``./``, an entry for the folder itself is passed over, and
        extended headers that say nothing but times and owners are: so SageMaker packs.

    Raises
    ------
    UnsafeArchiveError
        If it is damaged, too large, or contains anything but plain files.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as raw:
        most = min(MAX_BYTES, FREE_BYTES + MAX_RATIO * path.stat().st_size)
        stream = _Expanded(raw, most)
        number = total = 0
        while (block := stream.read(BLOCK)).strip(b"\0"):
            name, size, kind = _header(block)
            if dotted:
                name = name.removeprefix("./")
                if kind == FOLDER and name in ("", "."):
                    continue
                if kind == EXTENDED:
                    _pass_over_extended(stream, size)
                    continue
            if kind not in (PLAIN, OLD_PLAIN):
                raise UnsafeArchiveError(f"{name!r}, which is not a plain file in its own folder")
            number, total = number + 1, total + size
            if number > MAX_FILES or total > most:
                raise UnsafeArchiveError(f"more than {MAX_FILES} files or {most:,} bytes")
            yield Member(name, size, stream)
        stream.finish()


def _header(block: bytes) -> tuple[str, int, bytes]:
    """Return name, size and type of a header block."""
    blank = block[:148] + b" " * 8 + block[156:]
    if _octal(block[148:156]) != sum(blank) or block[257:263] not in MAGIC:
        raise UnsafeArchiveError("a damaged header")
    try:
        name = block[:100].partition(b"\0")[0].decode()
    except UnicodeDecodeError as error:
        raise UnsafeArchiveError("a name that is not UTF-8") from error
    kind = block[156:157]
    # Other types have fields of their own there.
    if kind in (PLAIN, OLD_PLAIN) and any(block[345:500]):
        raise UnsafeArchiveError(f"{name!r} with a prefix, which is not a file in its own folder")
    return name.rstrip("/") if kind == FOLDER else name, _octal(block[124:136]), kind


def _octal(field: bytes) -> int:
    match = OCTAL.fullmatch(field)
    if match is None:
        raise UnsafeArchiveError("a damaged header")
    return int(match[1], 8)


def _pass_over_extended(stream: _Expanded, size: int) -> None:
    """Read an extended header, which must change neither the name nor the content of a file."""
    if size > MAX_EXTENDED:
        raise UnsafeArchiveError(f"an extended header of more than {MAX_EXTENDED:,} bytes")
    text = stream.read(size)
    stream.read(-size % BLOCK)
    if re.search(rb" (path|linkpath|size|hdrcharset|GNU\.sparse[^=]*)=", text):
        raise UnsafeArchiveError("an extended header that changes a file")


class _Expanded:
    """What the one member of a gzip file expands to."""

    def __init__(self, raw: BinaryIO, most: int) -> None:
        self._raw = raw
        # Headers and padding come to no more than this.
        self._left = most + 4 * MAX_FILES * (BLOCK + MAX_EXTENDED) + RECORD
        self._inflate = zlib.decompressobj(wbits=31)
        self._ready = b""

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes, at most ``PIECE``."""
        while len(self._ready) < size:
            self._expand()
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece

    def finish(self) -> None:
        """Expect nothing but padding, and that the checksum is right."""
        rest = len(self._ready)
        while not self._inflate.eof and rest <= RECORD:
            self._ready = b""
            self._expand()
            rest += len(self._ready)
        if rest > RECORD or self._inflate.unused_data or self._raw.read(1):
            raise UnsafeArchiveError("data after its end")

    def _expand(self) -> None:
        if self._inflate.eof:
            raise UnsafeArchiveError("fewer bytes than it should")
        given = self._inflate.unconsumed_tail or self._raw.read(PIECE)
        try:
            piece = self._inflate.decompress(given, PIECE)
        except zlib.error as error:
            raise UnsafeArchiveError(f"damaged bytes ({error})") from error
        if not (given or piece):
            raise UnsafeArchiveError("fewer bytes than it should")
        self._left -= len(piece)
        if self._left < 0:
            raise UnsafeArchiveError("more bytes than it may expand to")
        self._ready += piece

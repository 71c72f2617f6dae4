"""Archives by hand: with anything in them, and very large ones without the bytes."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import polars as pl

from basketwise.artifact.stored import END, ENTRY, LOCAL

INDEX, METADATA, MANIFEST = "product_index.parquet", "metadata.json", "manifest.json"
CALIBRATION = "calibration.json"
MIB = 2**20
GIB = 2**30

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Case:
    """An archive, and whether it may be opened all the same."""

    name: str
    data: bytes
    refused: bool = False
    """Whether nothing but a refusal is right; otherwise a model that answers is, too."""
    job: bool = False
    """Whether it is extracted as what a training job left, and not opened as a model."""


@dataclass(frozen=True)
class Deflated:
    """Some bytes in deflated form: as a member of a zip file, or of gzip."""

    raw: bytes
    size: int
    crc: int

    def gzipped(self) -> bytes:
        """Return a gzip file of one member."""
        trailer = struct.pack("<2L", self.crc, self.size % 2**32)
        return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + self.raw + trailer


def deflated(start: bytes, mebibytes: int = 0, fill: bytes = b"\0", end: bytes = b"") -> Deflated:
    """Deflate ``start``, many repetitions of ``fill`` and ``end``; no large bytes are made."""
    piece = fill * (MIB // len(fill))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush nothing refers to what came before, so that blocks can be repeated.
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(end) + packer.flush()
    crc = zlib.crc32(start)
    for _ in range(mebibytes):
        crc = zlib.crc32(piece, crc)
    size = len(start) + mebibytes * MIB + len(end)
    return Deflated(head + block * mebibytes + tail, size, zlib.crc32(end, crc))


def zipped(members: Mapping[str, bytes | Deflated]) -> bytes:
    """Write a zip file; members that are not deflated are stored."""
    out, entries = io.BytesIO(), b""
    for name, content in members.items():
        method = 8 if isinstance(content, Deflated) else 0
        if isinstance(content, bytes):
            content = Deflated(content, len(content), zlib.crc32(content))
        facts = (0, method, 0, 33, content.crc, len(content.raw), content.size, len(name), 0)
        at = out.tell()
        entries += ENTRY.pack(b"PK\1\2", 20, 20, *facts, 0, 0, 0, 0, at) + name.encode()
        out.write(LOCAL.pack(b"PK\3\4", 20, *facts) + name.encode() + content.raw)
    count, at = len(members), out.tell()
    out.write(entries + END.pack(b"PK\5\6", 0, 0, count, count, len(entries), at, 0))
    return out.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    """Return the members of a zip file."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return {name: source.read(name) for name in source.namelist()}


def rezipped(data: bytes, changed: Mapping[str, bytes | Deflated]) -> bytes:
    """Write a skops file again with other members; a name may lack its suffix."""
    members = unzipped(data).items()
    return zipped(
        {name: changed.get(name, changed.get(name.partition(".")[0], old)) for name, old in members}
    )


def manifest_of(files: Files, /, **changed: Any) -> bytes:
    """Return a manifest whose digests agree, but for what is changed."""
    digests = {name: sha256(data).hexdigest() for name, data in files.items()}
    return json.dumps({"format_version": 1, "files": digests, **changed}).encode()


def pack(files: Files, manifest: bytes = b"") -> bytes:
    """Pack files with a manifest that agrees, or with another one."""
    return gzip.compress(tarred({**files, MANIFEST: manifest or manifest_of(files)}), 1, mtime=0)


def tarred(files: Files) -> bytes:
    """Write a tar file of plain files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def header(name: str, kind: bytes, size: int) -> bytes:
    """Return a block that states a size, whatever follows it."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def edited(block: bytes, at: int, field: bytes) -> bytes:
    """Change a field of a header, and correct its checksum."""
    block = block[:at] + field + block[at + len(field) :]
    total = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + b"%06o\0 " % total + block[156:]


def padded(content: bytes) -> bytes:
    """Fill the last block of a member."""
    return content + bytes(-len(content) % 512)


def parquet(table: pl.DataFrame) -> bytes:
    """Return a table as a Parquet file."""
    out = io.BytesIO()
    table.write_parquet(out)
    return out.getvalue()

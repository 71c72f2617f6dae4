"""Archives whose tar or gzip structure is not what Basketwise writes, or is damaged."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from basketwise.files import MODEL
from tests.hostile.archives.making import (
    MANIFEST,
    Case,
    Files,
    edited,
    header,
    manifest_of,
    pack,
    padded,
    tarred,
)

KINDS = b"12346789ABDEGHIKLMNQRSVXZg\x01\x7f\xff"
"""Types of members that are neither plain files, folders nor extended headers."""


def structures(files: Files) -> Iterator[Case]:
    """Yield archives with a member more that none should have, and gzip files of other forms."""
    sound = tarred({**files, MANIFEST: manifest_of(files)})

    def more(title: str, added: bytes, *, refused: bool = True) -> Case:
        return Case(title, gzip.compress(added + sound, 1), refused)

    for name in (
        *("../x", "/x", "a/b", "code/../x", "code/a/b", "", ".", "..", "./x", "a\\b", "c:x", ".x"),
        *("code", "code/", "code/.", "x" * 100, " ", "\n", "\x1b[2J", "CON", MODEL, f"./{MODEL}"),
    ):
        yield more(f"name {name[:20]!r}", header(name, b"0", 0))
    yield more("name that is not UTF-8", edited(header("x", b"0", 0), 0, b"\xff\xfe"))
    for kind in KINDS:
        yield more(f"type {bytes([kind])!r}", header("x", bytes([kind]), 0))
    for name in ("x", "code", ".", "..", "/"):
        yield more(f"folder {name!r}", header(name, b"5", 0))
    for field in (
        *(b"77777777777\0", b"-0000000001\0", b"\xff" * 12, b"\x80" + b"\xff" * 11),
        *(b"\x80" + bytes(10) + b"\1", b"9" * 11 + b"\0", bytes(12), b" " * 12, b"0x10".ljust(12)),
    ):
        yield more(f"size {field!r}", edited(header("x", b"0", 0), 124, field))
    for at, field, what in (
        (257, bytes(8), "no magic"),
        (257, b"USTAR\0", "other magic"),
        (345, b"prefix", "prefix"),
        (0, bytes(100), "no name"),
    ):
        yield more(what, edited(header("x", b"0", 0), at, field))
    yield more("wrong checksum", header("x", b"0", 0).replace(b"x", b"y", 1))
    yield more("201 files", b"".join(header(f"n{n}", b"0", 0) for n in range(201)))
    for told in (
        *(b"path=../x", b"size=-1", b"size=99999999999", b"linkpath=/x", b"hdrcharset=BINARY"),
        *(b"GNU.sparse.map=0,1,x", b"GNU.sparse.size=-1", b"GNU.sparse.major=1", b"mtime=1", b"="),
    ):
        text = b"%d %s\n" % (len(told) + 4 + (len(told) > 5), told)
        content = padded(text) + header("x", b"0", 0)
        yield more(f"pax {told.decode()}", header("p", b"x", len(text)) + content)
    for claimed in (
        b"0 a=b\n",
        b"-1 a=b\n",
        b"999999999 a=b\n",
        b"a=b\n",
        b"\0" * 512,
        b"\xff" * 9,
    ):
        content = header("p", b"x", len(claimed)) + padded(claimed) + header("x", b"0", 0)
        yield more(f"pax record {claimed[:12]!r}", content)
    yield more("nothing but pax headers", (header("p", b"x", 512) + bytes(512)) * 5_000)
    packed = gzip.compress(sound, 1, mtime=0)
    crc, size = struct.unpack("<2L", packed[-8:])
    for what, data in {
        "nothing": b"",
        "text": b"model",
        "a tar file": sound,
        "an empty tar file": gzip.compress(bytes(10_240)),
        "an empty gzip file": gzip.compress(b""),
        "no trailer": packed[:-8],
        "wrong checksum of gzip": packed[:-8] + struct.pack("<2L", crc ^ 1, size),
        "wrong size of gzip": packed[:-8] + struct.pack("<2L", crc, size ^ 1),
        "a byte more": packed + b"x",
        "twice": packed * 2,
        "in two members": gzip.compress(sound[:5_120]) + gzip.compress(sound[5_120:]),
        "gzip in gzip": gzip.compress(packed),
        "an unknown method": packed[:2] + b"\x07" + packed[3:],
        "reserved flags": packed[:3] + b"\xe0" + packed[4:],
        "a reserved block": packed[:10] + b"\x07" + packed[11:],
        "a second archive in it": gzip.compress(sound + sound, 1),
    }.items():
        yield Case(what, data, True)
    yield Case("magic of GNU", gzip.compress(sound.replace(b"ustar\x0000", b"ustar  \0"), 1), True)


def cut_off(files: Files, rng: np.random.Generator, count: int) -> Iterator[Case]:
    """Yield beginnings of an archive."""
    sound = pack(files)
    for at in rng.integers(len(sound), size=count):
        yield Case(f"cut off at {at}", sound[:at], True)


def bits_turned(files: Files, rng: np.random.Generator, count: int) -> Iterator[Case]:
    """Yield an archive with one bit turned; what follows its first ten bytes has a checksum."""
    sound = pack(files)
    expanded = gzip.decompress(sound)
    for number, at in enumerate(rng.integers(10, len(sound), size=count)):
        turned = bytearray(sound)
        turned[at] ^= 1 << int(rng.integers(8))
        yield Case(
            f"bit turned at {at}, {number}", bytes(turned), not _expands_to(turned, expanded)
        )


def _expands_to(packed: bytearray, expanded: bytes) -> bool:
    """Whether a turned bit is one of those that fill the last byte of a block."""
    try:
        return gzip.decompress(packed) == expanded
    except (OSError, EOFError, zlib.error):
        return False


def headers_changed(files: Files, rng: np.random.Generator, count: int) -> Iterator[Case]:
    """Yield an archive with one to three other bytes in a header, whose checksum is right."""
    sound = tarred({**files, MANIFEST: manifest_of(files)})
    starts = [at for at in range(0, len(sound), 512) if sound[at + 257 : at + 262] == b"ustar"]
    for number in range(count):
        start = starts[int(rng.integers(len(starts)))]
        block = sound[start : start + 512]
        for _ in range(int(rng.integers(1, 4))):
            block = edited(block, int(rng.integers(512)), bytes([int(rng.integers(256))]))
        changed = sound[:start] + block + sound[start + 512 :]
        yield Case(f"header changed at {start}, {number}", gzip.compress(changed, 1))

"""The text of a CSV in blocks of whole lines: UTF-8, ended by line feeds, whatever it was.

Byte order marks, UTF-16 and other encodings, old Mac line ends and compression all end here.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from basketwise.errors import InputError
from basketwise.etl.raw.signatures import refuse_binary

BLOCK_BYTES = 64 * 2**20
"""About 450,000 of dunnhumby's lines."""

LONGEST_LINE = 8 * 2**20
"""Bytes; till lines have some hundred."""

PIECE = 2**20
"""Bytes that are read at once; joining them is cheaper than one read of an unknown size."""

_LF = b"\n"
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Block:
    """Whole lines of a text."""

    text: bytes
    final: bool


def blocks(stream: IO[bytes], name: str, encoding: str, size: int | None = None) -> Iterator[Block]:
    """Read a text in blocks.

    Parameters
    ----------
    stream : binary file
        The text, uncompressed.
    name : str
        What errors call it.
    encoding : str
        Its encoding; a byte order mark that says otherwise is obeyed.
    size : int, optional
        About how many bytes a block has. Default: 64 MiB.

    Yields
    ------
    Block
        At least one; the last one, which may be empty, is final.

    Raises
    ------
    InputError
        If the text is cut off, damaged, or in another encoding.
    """
    line, carried, size = 1, b"", size or BLOCK_BYTES
    decoder: codecs.IncrementalDecoder | None = None
    mac = False
    first = True
    text = b""
    while True:
        raw = _read(stream, size)
        if raw or carried:
            line += text.count(b"\n")
        final = not raw
        if first:
            refuse_binary(raw, name)
            raw, encoding = _without_mark(raw, encoding)
            if encoding != "utf-8":
                decoder = codecs.getincrementaldecoder(encoding)()
        text = raw if decoder is None else _decoded(decoder, raw, final, name, encoding, line)
        if first:
            # The end of the header tells; what else there is may come from another machine.
            mac = b"\r" in text[: text.find(b"\n") if b"\n" in text else len(text)].strip()
            first = False
        if mac:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        text = carried + text if carried else text
        end = len(text) if final else text.rfind(b"\n") + 1
        carried = text[end:]
        if len(carried) > max(LONGEST_LINE, size):
            raise InputError(
                f"{name!r} has a line of more than {len(carried):,} bytes "
                f"(line {line + text.count(_LF):,}).",
                "Till lines are short: check the line ends and the quotes.",
            )
        if end or final:
            text = text[:end] if carried else text
            yield Block(text, final)
        if final:
            return


def _read(stream: IO[bytes], size: int) -> bytes:
    if isinstance(getattr(stream, "raw", None), io.FileIO):
        # A file's own bytes are read into place, of which no more is used than there is.
        return stream.read(size)
    pieces, left = [], size
    while left > 0 and (piece := stream.read(min(left, PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def check_utf8(text: bytes, name: str, line: int) -> None:
    """Refuse text that is not UTF-8; ``line`` is the number of its first line."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise _undecodable(
            name, "utf-8", line + text.count(b"\n", 0, error.start), text[error.start]
        ) from error


def _without_mark(raw: bytes, encoding: str) -> tuple[bytes, str]:
    if raw.startswith(codecs.BOM_UTF8):
        return raw[len(codecs.BOM_UTF8) :], "utf-8"
    for mark, name in _UTF_16.items():
        if raw.startswith(mark):
            return raw[len(mark) :], name
    return raw, encoding


def _decoded(
    decoder: codecs.IncrementalDecoder,
    raw: bytes,
    final: bool,
    name: str,
    encoding: str,
    line: int,
) -> bytes:
    try:
        return decoder.decode(raw, final).encode()
    except UnicodeDecodeError as error:
        number = line + error.object.count(b"\n", 0, error.start)
        raise _undecodable(name, encoding, number, error.object[error.start]) from error
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name!r} contains half a surrogate pair, which is not Unicode.",
            "Save it as UTF-8.",
        ) from error


class EncodingError(InputError):
    """A text is in another encoding than was said."""


def _undecodable(name: str, encoding: str, line: int, byte: int) -> EncodingError:
    others = [repr(other) for other in ("utf-8", "latin-1", "cp1252") if other != encoding]
    return EncodingError(
        f"{name!r} is not {encoding.upper()}: line {line:,} contains the byte 0x{byte:02x}.",
        f"Set data.encoding to {' or '.join(others)} if that is its encoding.",
    )

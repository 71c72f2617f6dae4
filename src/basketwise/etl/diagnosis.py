"""Why a file could not be read: the slow second look that finds the place."""

from __future__ import annotations

import csv
import errno
import io
import zlib
from zipfile import BadZipFile

from basketwise.errors import BasketwiseError, InputError, WorkspaceError
from basketwise.etl.header import Header
from basketwise.etl.sources import Source, open_bytes

CHUNK = 2**20
ENCODINGS = ("utf-8", "latin-1", "cp1252")


def explain(source: Source, header: Header, encoding: str, error: Exception) -> BasketwiseError:
    """Turn a reader's error into one that names the file, the place and the remedy.

    The file is read once more, byte by byte; that is slow, and only happens when it failed.
    """
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = f" while writing {error.filename}" if error.filename else ""
        return WorkspaceError(
            f"No room left on the disk{where}.",
            "Free some space or choose another --workspace; earlier outputs are as they were.",
        )
    broken = _broken_archive(source)
    if broken:
        kind = "gzip" if source.is_gzip else "zip"
        return InputError(
            f"{source.name!r} is a broken {kind}: {broken}.",
            "Fetch or pack the file again; nothing of it was used.",
        )
    undecodable = _first_undecodable(source, encoding)
    if undecodable:
        line, byte = undecodable
        others = [repr(other) for other in ENCODINGS if other != encoding]
        return InputError(
            f"{source.name!r} is not {encoding.upper()}: line {line:,} contains the byte "
            f"0x{byte:02x}.",
            f"Set data.encoding to {' or '.join(others)} if the file is written so.",
        )
    ragged = _first_ragged(source, header, encoding)
    if ragged:
        line, fields = ragged
        return InputError(
            f"{source.name!r} has {fields} fields in line {line:,} where its header has "
            f"{len(header.names)}.",
            f"Quote values that contain {header.separator!r}, or fix that line.",
        )
    return InputError(
        f"{source.name!r} cannot be read: {str(error).splitlines()[0]}.",
        "Check the quotes and separators around the place that is named.",
    )


def _broken_archive(source: Source) -> str:
    if source.member is None and not source.is_gzip:
        return ""
    try:
        with open_bytes(source) as stream:
            while stream.read(CHUNK):
                pass
    except (OSError, EOFError, zlib.error, BadZipFile) as error:
        return str(error)
    return ""


def _first_undecodable(source: Source, encoding: str) -> tuple[int, int] | None:
    with open_bytes(source) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return number, line[error.start]
    return None


def _first_ragged(source: Source, header: Header, encoding: str) -> tuple[int, int] | None:
    with open_bytes(source) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
        reader = csv.reader(text, delimiter=header.separator)
        for row in reader:
            if len(row) > len(header.names):
                return reader.line_num, len(row)
    return None

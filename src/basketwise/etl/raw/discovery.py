"""Discovery of raw tables in a file, a folder, a glob or a zip, and of the files to skip."""

from __future__ import annotations

import glob
import os
import struct
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

from basketwise.errors import InputError
from basketwise.etl.raw.formats import (
    SUPPORTED,
    SkipReason,
    format_of,
    is_bookkeeping,
    is_txt,
    partition_of,
    partitions_of,
    relative_name,
    skip_reason,
)
from basketwise.etl.raw.packing import MAX_RATIO, bomb
from basketwise.etl.raw.sources import Delivery, Source, open_bytes, skipped_texts

ENCRYPTED = 0x1
"""The bit of a zip member's flags that says so."""

BROKEN_ZIP = (
    zipfile.BadZipFile,
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,
    struct.error,
)
"""What zipfile raises for a damaged directory of members, which it does not check before use."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DELTA_LOG = "_delta_log"

LOOKED_AT = 10_000
"""Entries of a subfolder that are searched for raw files."""

_SEPARATORS = (b",", b";", b"\t", b"|")
_FIRST_BYTES = 65_536


def list_files(data: str) -> Delivery:
    """Find the raw tables of a file, a folder or a glob, sorted by path, and the skipped files.

    A folder's ``column=value`` subfolders are included. An existing path is never a pattern.

    Raises
    ------
    InputError
        If there are no raw tables, or only unsupported files.
    """
    path = _expanded(data)
    delivery = Delivery()
    if path.is_dir():
        searched = f"folder {data!r}"
        _add_folder(delivery, path, data)
    elif path.is_file():
        searched = f"file {data!r}"
        _add_file(delivery, path, by_name=True)
    else:
        searched = f"pattern {data!r}" if glob.has_magic(data) else f"path {data!r}"
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        for match in sorted(map(Path, matches)):
            # A recursive pattern matches the files of a folder, too.
            if "**" not in data or not match.is_dir():
                _add(delivery, match, data)
    if not delivery.sources:
        expected = f"Give a file, a folder or a quoted glob of files ending in {SUPPORTED}."
        named = not (delivery.skipped or path.exists() or glob.has_magic(data))
        why = "does not exist" if named else "contains no supported file"
        raise InputError(
            f"No raw files found: {searched} {why}.",
            " ".join([*skipped_texts(delivery.skipped), expected]),
        )
    return Delivery(_named_apart(delivery.sources), delivery.skipped)


def discover(data: str) -> list[Source]:
    """Find the raw tables, as :func:`list_files` does, without the skipped files."""
    return list_files(data).sources


def is_raw(name: str) -> bool:
    """Whether :func:`list_files` reads a file with this path below a folder (``/`` between)."""
    *folders, file = name.split("/")
    return all(map(partition_of, folders)) and bool(format_of(file)) and not is_bookkeeping(file)


def _expanded(data: str) -> Path:
    path = Path(data)
    try:
        return path if path.exists() else path.expanduser()
    except (RuntimeError, ValueError):
        return path


def _add(delivery: Delivery, path: Path, data: str) -> None:
    """Add an entry of a folder or a match of a pattern."""
    if path.is_file():
        _add_file(delivery, path)
    elif path.is_dir():
        if partition_of(path.name):
            _add_folder(delivery, path, data)
        elif not path.name.startswith((".", "_")) and _contains_raw(path):
            hint = f"To read subfolders, use a pattern: --data {str(Path(data) / '**' / '*')!r}."
            delivery.skip(f"{path.name}/", SkipReason("a subfolder with raw files", hint))
    elif not is_bookkeeping(path.name):
        reason = "a broken link" if path.is_symlink() else "not a regular file"
        is_data = format_of(path.name) is not None
        delivery.skip(path.name, SkipReason(reason, "Replace it with the file.", is_data))


def _add_folder(delivery: Delivery, folder: Path, data: str) -> None:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"The folder {str(folder)!r} cannot be read: {error.strerror}.",
            "Fix its permissions.",
        ) from error
    if any(entry.name == DELTA_LOG for entry in entries):
        raise InputError(
            f"The folder {str(folder)!r} is a Delta table; its files can contain deleted lines.",
            "Export the table to Parquet or CSV.",
        )
    for entry in entries:
        _add(delivery, entry, data)


def _contains_raw(folder: Path) -> bool:
    """Whether a folder contains raw files, at any depth; a workspace does not count."""
    if (folder / "silver" / "intake.json").exists():
        return False
    left = LOOKED_AT
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        if any(format_of(name) and not is_bookkeeping(name) for name in files):
            return True
        left -= len(files) + len(folders)
        if left < 0:
            break
    return False


def _add_file(delivery: Delivery, path: Path, *, by_name: bool = False) -> None:
    """Add a file; ``by_name``: it was given as ``--data`` itself."""
    file = relative_name(path)
    found = format_of(path.name)
    if found is None or (is_bookkeeping(path.name) and not by_name):
        why = skip_reason(path.name)
        if why or by_name:
            delivery.skip(file, why or SkipReason("not a data file", ""))
        return
    try:
        path.as_posix().encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"The name of {os.fsencode(path).decode(errors='replace')!r} is not UTF-8.",
            "Rename the file or its folder.",
        ) from error
    if found.kind == "zip":
        _add_zip(delivery, path)
        return
    source = Source(
        file, path, None, path.stat().st_size, found.kind, found.packing, partitions_of(path)
    )
    _add_table(delivery, source, by_name=by_name)


def _add_table(delivery: Delivery, source: Source, *, by_name: bool = False) -> None:
    """Add a table; skip a ``.txt`` that is obviously prose, unless it was given by name."""
    if is_txt(source.member or source.name) and not by_name:
        try:
            with open_bytes(source) as stream:
                first = stream.readline(_FIRST_BYTES)
        except Exception:  # The reader reports errors better than could be done here.
            first = b""
        if first.strip() and max(map(first.count, _SEPARATORS)) < 3:
            hint = "If it is a table, its first line must contain the column names."
            delivery.skip(source.name, SkipReason("a text without a header", hint))
            return
    delivery.sources.append(source)


def _add_zip(delivery: Delivery, path: Path) -> None:
    file = relative_name(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
    except BROKEN_ZIP as error:
        raise InputError(
            f"{file!r} is a broken zip: {error}.", "Download or compress the file again."
        ) from error
    names = Counter(member.filename for member in members)
    for member in sorted(members, key=lambda m: m.filename):
        inner = PurePosixPath(member.filename)
        # macOS packs a hidden ``._name.csv`` beside each file.
        if is_bookkeeping(inner.name):
            continue
        name = f"{file}/{member.filename}"
        found = format_of(inner.name)
        if found is None or found.kind in ("zip", "parquet"):
            why = skip_reason(inner.name, within_zip=True)
            if why:
                delivery.skip(name, why)
            continue
        if names[member.filename] > 1:
            # Members are opened by name, which would be the last one each time.
            raise InputError(
                f"{file!r} contains {member.filename!r} {names[member.filename]:,} times.",
                "Create the zip again, with a name of its own for each file.",
            )
        _check_member(name, member)
        source = Source(
            name,
            path,
            member.filename,
            member.compress_size,
            found.kind,
            found.packing,
            partitions_of(path) | partitions_of(inner),
        )
        _add_table(delivery, source)


def _check_member(name: str, member: zipfile.ZipInfo) -> None:
    if member.flag_bits & ENCRYPTED:
        raise InputError(
            f"{name} is protected by a password.",
            "Extract the file yourself, or create the zip without a password.",
        )
    if member.compress_type not in METHODS:
        raise InputError(
            f"{name} uses an unsupported compression (method {member.compress_type}).",
            "Extract the file yourself, or create the zip with Deflate.",
        )
    if member.file_size > MAX_RATIO * max(member.compress_size, 1024):
        raise bomb(name, member.compress_size, f"{member.file_size:,}")


def _named_apart(sources: list[Source]) -> list[Source]:
    """Make names unique: where they repeat, use the path relative to the common folder."""
    if len({source.name for source in sources}) == len(sources):
        return sources
    top = os.path.commonpath([source.path.parent for source in sources])
    return [
        replace(
            source,
            name="/".join(filter(None, (source.path.relative_to(top).as_posix(), source.member))),
        )
        for source in sources
    ]

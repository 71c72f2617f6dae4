"""``model.tar.gz``: packed deterministically, opened with suspicion.

Anyone with write access to a registry can store any bytes. So an archive is bounded, only regular
files are written (no links, no devices, nothing outside the folder; the only folder is ``code``),
and each is checked against the manifest. Neither the pickle in it nor what ``code``
contains is ever opened.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import Any, cast

from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.files import CODE, MANIFEST

BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error)
"""What reading a damaged archive raises."""

FORMAT = 1

MAX_FILES = 200
MAX_BYTES = 4 * 2**30
MAX_JSON = 64 * 2**20


def write_manifest(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``manifest.json``: the facts, and the sha256 of every other file of the folder."""
    files = {name: sha256(folder / name) for name in _names(folder) if name != MANIFEST}
    document = {"format_version": FORMAT, **facts, "files": files}
    (folder / MANIFEST).write_text(json.dumps(document, indent=2), encoding="utf-8")


def _names(folder: Path) -> list[str]:
    """List a folder's files, those in ``code`` as ``code/<name>``, in a fixed order."""
    own = [path.name for path in folder.iterdir() if path.name != CODE]
    code = [f"{CODE}/{path.name}" for path in folder.glob(f"{CODE}/*")]
    return sorted(own) + sorted(code)


def pack(folder: Path, archive: Path) -> None:
    """Pack a folder's files, those in ``code`` too; the same files give the same bytes."""
    # File names and times in the gzip header would make equal archives differ.
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in _names(folder):
            info = tarfile.TarInfo(name)
            info.size = (folder / name).stat().st_size
            info.mode = 0o644
            with (folder / name).open("rb") as stream:
                tar.addfile(info, stream)


def unpack(archive: Path, folder: Path) -> dict[str, Any]:
    """Extract an archive into an empty folder, check it against its manifest, and return that.

    Raises
    ------
    InputError
        If the archive is broken, too large, reaches outside, or a file is not what the manifest
        says; the folder must not be used then.
    """
    extract(archive, folder)
    return check(folder, archive.name, code=True)


def extract(archive: Path, folder: Path, *, dotted: bool = False) -> None:
    """Write an archive's plain files into an empty folder; nothing is known of their content then.

    Parameters
    ----------
    archive : Path
        A gzipped tar file.
    folder : Path
        Gets files, and of folders ``code`` alone.
    dotted : bool
        Whether an entry for the folder itself is passed over and names may start with ``./``: so
        SageMaker packs what a training job left.

    Raises
    ------
    InputError
        If the archive is broken, too large, or contains anything but plain files of its own folder.
    """
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            size = 0
            for number, member in enumerate(tar):
                if dotted:
                    member.name = member.name.removeprefix("./")
                    if member.isdir() and member.name in ("", "."):
                        continue
                size += member.size
                if number >= MAX_FILES or size > MAX_BYTES:
                    reason = f"more than {MAX_FILES} files or {MAX_BYTES:,} bytes"
                elif not member.isfile() or not _is_own(member.name):
                    reason = f"{member.name!r}, which is not a plain file in its own folder"
                else:
                    _extract(tar, member, folder)
                    continue
                raise InputError(
                    f"{archive.name} contains {reason}.",
                    "It was not packed by Basketwise; do not use it.",
                )
            # gzip compares its checksum at the very end, behind the padding of the last record.
            if len(stream.read(tarfile.RECORDSIZE + 1)) > tarfile.RECORDSIZE:
                raise tarfile.ReadError("there is data after its end")
    except BROKEN as error:
        raise InputError(
            f"{str(archive)!r} cannot be opened as a model archive: {error}.",
            "Give a model.tar.gz, a folder of its files, or a version of the registry.",
        ) from error


def _is_own(name: str) -> bool:
    """Whether a name is that of a file in the archive's own folder, or in ``code``."""
    return name != CODE and re.fullmatch(rf"({CODE}/)?[^./\\:\0][^/\\:\0]*", name) is not None


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one plain file under its own name; nothing else of the archive reaches the disk.

    Python's own extraction filters came with 3.11.4, and Debian's Python is older.
    """
    if (folder / member.name).exists():
        raise tarfile.ReadError(f"it contains {member.name!r} twice")
    # Links are never written, so this is a folder of our own and leads nowhere else.
    (folder / member.name).parent.mkdir(exist_ok=True)
    stream = tar.extractfile(member)
    if stream is None:
        raise tarfile.ReadError(f"{member.name!r} has no content")
    with stream, (folder / member.name).open("xb") as out:
        shutil.copyfileobj(stream, out, 2**20)


def check(folder: Path, name: str, *, code: bool = False) -> dict[str, Any]:
    """Compare a folder's files with its manifest, and return the manifest.

    Parameters
    ----------
    folder : Path
        Contains the files; hidden ones are passed over.
    name : str
        What errors call it.
    code : bool
        Whether ``code`` is compared too. Scoring reads nothing in it, and AWS's image writes
        there, or takes it away, before the model is loaded.

    Raises
    ------
    InputError
        If there is no manifest, it is of a newer format, or there are other files than it names.
    """
    try:
        manifest = cast("dict[str, Any]", json.loads((folder / MANIFEST).read_bytes()))
        files = {str(file): digest for file, digest in dict(manifest["files"]).items()}
        version = int(manifest["format_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{name} contains no readable {MANIFEST}.", "Give a model that Basketwise packed."
        ) from error
    if version > FORMAT:
        raise InputError(
            f"{name} has format {version}; this version of Basketwise reads up to {FORMAT}.",
            "Update Basketwise.",
        )

    def compared(file: str) -> bool:
        return code or not file.startswith(f"{CODE}/")

    for file, digest in files.items():
        path = folder / file
        if not compared(file):
            continue
        if not _is_own(file) or not path.is_file() or sha256(path) != digest:
            raise InputError(
                f"{name}: the file {file!r} is not what the manifest says.",
                "The model was damaged or changed; fetch it from the registry again.",
            )
    for file in _names(folder):
        hidden = Path(file).name.startswith(".")
        if compared(file) and not hidden and file not in {*files, MANIFEST}:
            raise InputError(
                f"{name} contains {file!r}, which its manifest does not name.",
                "The model was changed after it was packed; fetch it from the registry again.",
            )
    return manifest


def read_document(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises
    ------
    InputError
        If the file contains something else, or too much.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_JSON + 1)
        if len(data) > MAX_JSON:
            raise ValueError("it is too large")
        return cast("dict[str, Any]", dict(json.loads(data)))
    except (OSError, TypeError, ValueError) as error:
        raise InputError(
            f"{path.name} of {path.parent.name} cannot be read: {error}.", "Create it again."
        ) from error


def read_json(archive: Path, name: str) -> dict[str, Any]:
    """Read one JSON file out of an archive without extracting it.

    Raises
    ------
    InputError
        If the archive is broken, or does not contain such a file.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            stream = tar.extractfile(name)
            data = stream.read(MAX_JSON) if stream else b""
        return cast("dict[str, Any]", dict(json.loads(data)))
    except (*BROKEN, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{str(archive)!r} contains no readable {name}.", "Give a model that Basketwise packed."
        ) from error

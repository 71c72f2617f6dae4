"""``model.tar.gz``: packed deterministically, opened with suspicion.

Anyone with write access to a registry can store any bytes. So an archive is bounded (see
:mod:`basketwise.artifact.tarball`), only regular files are written (no links, no devices, nothing
outside the folder; the only folder is ``code``), and each is checked against the manifest. Neither
the pickle in it nor what ``code`` contains is ever opened.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from basketwise.artifact.documents import MAX_JSON, parse_json, read_bounded
from basketwise.artifact.tarball import MAX_FILES, Member, UnsafeArchiveError, members
from basketwise.digests import sha256
from basketwise.disk import full_disk, is_full, named
from basketwise.errors import InputError
from basketwise.files import CODE, MANIFEST

FORMAT = 1


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
    WorkspaceError
        If the disk of the folder is full.
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
    WorkspaceError
        If the disk of the folder is full.
    """
    try:
        for member in members(archive, dotted=dotted):
            _extract(member, folder)
    except UnsafeArchiveError as error:
        raise InputError(
            f"{str(archive)!r} cannot be opened as a model archive: it contains {error}.",
            "Give a model.tar.gz that Basketwise packed, or a version of the registry.",
        ) from error
    except OSError as error:
        if is_full(error):
            raise full_disk([named(folder)]) from error
        raise InputError(
            f"{str(archive)!r} cannot be opened as a model archive: {error.strerror or error}.",
            "Give a model.tar.gz, a folder of its files, or a version of the registry.",
        ) from error


def _is_own(name: str) -> bool:
    """Whether a name is that of a file in the archive's own folder, or in ``code``."""
    return name != CODE and re.fullmatch(rf"({CODE}/)?[^./\\:\0][^/\\:\0]*", name) is not None


def _extract(member: Member, folder: Path) -> None:
    """Write one plain file under its own name; nothing else of the archive reaches the disk."""
    if not _is_own(member.name):
        raise UnsafeArchiveError(f"{member.name!r}, which is not a plain file in its own folder")
    path = folder / member.name
    if path.exists():
        raise UnsafeArchiveError(f"{member.name!r} twice")
    # Links are never written, so this is a folder of our own and leads nowhere else.
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as out:
        out.writelines(member.pieces())


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
    manifest, files = _manifest(folder / MANIFEST, name)
    present = [file for file in _names(folder) if code or not file.startswith(f"{CODE}/")]
    for file, digest in files.items():
        if not code and file.startswith(f"{CODE}/"):
            continue
        # A name that is in the folder is no way out of it.
        if file not in present or not _is_own(file) or sha256(folder / file) != digest:
            raise InputError(
                f"{name}: the file {file!r} is not what the manifest says.",
                "The model was damaged or changed; fetch it from the registry again.",
            )
    for file in present:
        if not Path(file).name.startswith(".") and file not in {*files, MANIFEST}:
            raise InputError(
                f"{name} contains {file!r}, which its manifest does not name.",
                "The model was changed after it was packed; fetch it from the registry again.",
            )
    return manifest


def _manifest(path: Path, name: str) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return a manifest, and the digests of the files that it names."""
    try:
        manifest = _read_object(path)
        files, version = manifest["files"], manifest["format_version"]
        if type(version) is not int or not isinstance(files, dict) or len(files) > MAX_FILES:
            raise ValueError("it does not name its format and files")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{name} contains no readable {MANIFEST}.", "Give a model that Basketwise packed."
        ) from error
    if version > FORMAT:
        raise InputError(
            f"{name} has format {version}; this version of Basketwise reads up to {FORMAT}.",
            "Update Basketwise.",
        )
    return manifest, files


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object, which may be from anywhere."""
    return _object(read_bounded(path))


def _object(data: bytes) -> dict[str, Any]:
    document = parse_json(data)
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return cast("dict[str, Any]", document)


def read_document(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises
    ------
    InputError
        If the file contains something else, or too much.
    """
    try:
        return _read_object(path)
    except (OSError, ValueError) as error:
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
        for member in members(archive):
            if member.name != name:
                member.skip()
            elif member.size > MAX_JSON:
                raise ValueError(f"it has more than {MAX_JSON:,} bytes")
            else:
                return _object(member.content())
        raise ValueError("it is absent")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{str(archive)!r} contains no readable {name}.", "Give a model that Basketwise packed."
        ) from error

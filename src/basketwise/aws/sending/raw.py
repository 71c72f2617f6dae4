"""Raw files in the bucket: where a run finds them, and what names their content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from basketwise.aws.address import SCHEME, Address, is_address
from basketwise.aws.clients import translated
from basketwise.aws.names import AwsNames
from basketwise.aws.sending.upload import digest_of_object, upload
from basketwise.errors import DependencyError, InputError
from basketwise.etl.sources import SUFFIXES, discover
from basketwise.progress import Tick

RAW = "raw"
SHOWN = 3


def inputs_in_bucket(s3: Any, names: AwsNames, data: str) -> dict[str, str]:
    """Return what names the content of each raw file below an address.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    names : AwsNames
        Names the bucket; jobs may read no other.
    data : str
        ``s3://bucket/folder``; its files count, not those of folders in it.

    Returns
    -------
    dict of str to str
        By file name: the sha256 that it was uploaded with; where Basketwise did not upload it, the
        ETag, which changes with the content too.

    Raises
    ------
    InputError
        If it is another bucket.
    DependencyError
        If it holds no raw files, or S3 refuses.
    """
    address = Address.parse(data)
    if address.bucket != names.bucket:
        raise InputError(
            f"{data!r} lies in another bucket than the workspace: jobs may not read it.",
            f"Copy the files to {names.uri(RAW)}, or give them from this machine.",
        )
    prefix = f"{address.key}/" if address.key else ""
    found = _files(s3, names.bucket, prefix)
    if not found:
        raise DependencyError(
            f"No raw files found: {data!r} holds none.",
            f"Upload files ending in {', '.join(SUFFIXES)}, or give --data a local folder.",
        )
    return {
        name: digest_of_object(s3, names.bucket, prefix + name) or etag
        for name, etag in found.items()
    }


def send_raw(s3: Any, names: AwsNames, data: str, tick: Tick) -> str:
    """Bring local raw files to ``raw/`` of the workspace.

    Parameters
    ----------
    s3, names
        The client of S3; bucket and prefix.
    data : str
        A file, a folder or a glob; an address in the bucket is left as it is.
    tick : callable
        Told of progress.

    Returns
    -------
    str
        S3 URI that a job is to read, with a slash at its end; empty for ``raw/``.

    Raises
    ------
    InputError
        If two files have one name, or ``raw/`` holds other files that would be read with them.
        What a job does not read, like ``_SUCCESS`` or ``README``, may lie there.
    """
    if is_address(data):
        uri = f"{data.rstrip('/')}/"
        return "" if uri == names.uri(RAW) else uri
    paths = list(dict.fromkeys(source.path for source in discover(data)))
    files: dict[str, Path] = {}
    for path in paths:
        if path.name in files:
            raise InputError(
                f"Two of the raw files are called {path.name!r}.", "Give each a name of its own."
            )
        files[path.name] = path
    others = sorted(_files(s3, names.bucket, names.key(RAW) + "/").keys() - files.keys())
    if others:
        shown = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
        raise InputError(
            f"{names.uri(RAW)} holds {len(others)} files that are not in {data!r}: {shown}",
            "A job reads all that lies there. Remove them, choose another --workspace, or take all "
            f"of them: --data {names.uri(RAW)}",
        )
    keys = {names.key(RAW, name): path for name, path in files.items()}
    upload(s3, names.bucket, keys, tick)
    return ""


def _files(s3: Any, bucket: str, prefix: str) -> dict[str, str]:
    """Return the ETags of the raw files right below a prefix, by name."""
    with translated(f"list {SCHEME}{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = {
            one["Key"][len(prefix) :]: str(one["ETag"]).strip('"')
            for page in pages
            for one in page.get("Contents", [])
        }
    return {name: etag for name, etag in found.items() if _is_raw(name)}


def _is_raw(name: str) -> bool:
    """Whether a job would read it; see :func:`basketwise.etl.sources.discover`."""
    return name.lower().endswith(SUFFIXES) and "/" not in name and not name.startswith(".")

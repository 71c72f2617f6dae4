"""Local files to the bucket: checksummed, and only those that are not there yet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from basketwise.aws.clients import code_of, translated
from basketwise.aws.sending.multipart import PART, reading, send_in_parts
from basketwise.aws.storage.at_once import each, go_on
from basketwise.progress import Tick

DIGEST = "basketwise-sha256"
"""The object's metadata that holds the sha256 of the whole file: S3's own checksum of a large
object is one of its parts' checksums."""

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
MEGABYTE = 10**6
BLOCK = 1 << 20


@dataclass(frozen=True)
class Uploaded:
    """What an upload did."""

    sent: int
    skipped: int
    bytes_sent: int


def upload(
    s3: Any,
    bucket: str,
    files: Mapping[str, Path],
    tick: Tick,
) -> Uploaded:
    """Bring files to their keys; those that are there with the same content stay.

    An upload that was cut off goes on with the first file, and of a large file with the first part,
    that is not there. Ctrl-C ends it when the parts that are under way have been sent.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    bucket : str
        Where to.
    files : mapping
        Local file by key.
    tick : callable
        Told (what, megabytes done, megabytes in all).

    Raises
    ------
    InputError
        If a file cannot be read, or changes while it is sent.
    DependencyError
        If S3 refuses, or cannot be reached.
    """
    sizes = {key: _size(path) for key, path in files.items()}
    total = max(sum(sizes.values()) // MEGABYTE, 1)
    done, fresh, lock = 0, set[str](), Lock()

    def arrived(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            tick("uploading, MB", min(max(done // MEGABYTE, 1), total), total)

    def bring(key: str) -> None:
        path, large = files[key], sizes[key] > PART
        # A small file is read once, so that the digest is surely that of the bytes that are sent.
        body = b"" if large else _bytes(path)
        found = _digest(path) if large else hashlib.sha256(body)
        digest, place = found.hexdigest(), {"Bucket": bucket, "Key": key}
        if digest_of_object(s3, bucket, key) == digest:
            arrived(sizes[key])
            return
        with translated(f"write s3://{bucket}/{key}"):
            if large:
                send_in_parts(s3, place, path, {DIGEST: digest}, digest, arrived)
            else:
                checksum = base64.b64encode(found.digest()).decode()
                s3.put_object(
                    **place, Body=body, Metadata={DIGEST: digest}, ChecksumSHA256=checksum
                )
                arrived(sizes[key])
        with lock:
            fresh.add(key)

    each(bring, files)
    tick("uploading, MB", total, total)
    return Uploaded(len(fresh), len(files) - len(fresh), sum(sizes[key] for key in fresh))


def digest_of_object(s3: Any, bucket: str, key: str) -> str | None:
    """Return the sha256 that an object was uploaded with; None where there is none."""
    from botocore.exceptions import ClientError

    with translated(f"look at s3://{bucket}/{key}"):
        try:
            found = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in MISSING:
                return None
            raise
    digest: str | None = found.get("Metadata", {}).get(DIGEST)
    return digest


def _size(path: Path) -> int:
    with reading(path):
        return path.stat().st_size


def _bytes(path: Path) -> bytes:
    with reading(path):
        return path.read_bytes()


def _digest(path: Path) -> hashlib._Hash:
    found = hashlib.sha256()
    with reading(path), path.open("rb") as stream:
        while block := stream.read(BLOCK):
            found.update(block)
            go_on()
    return found

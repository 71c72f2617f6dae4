"""Local files to the bucket: checksummed, and only those that are not there yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from basketwise.aws.clients import translated
from basketwise.aws.sending.multipart import PART, send_in_parts
from basketwise.lineage import sha256
from basketwise.storage.s3_objects import each

DIGEST = "basketwise-sha256"
"""The object's metadata that holds the sha256 of the whole file: S3's own checksum of a large
object is one of its parts' checksums."""

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
MEGABYTE = 10**6


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
    tick: Callable[[str, int, int], None],
) -> Uploaded:
    """Bring files to their keys; those that are there with the same content stay.

    An upload that was cut off goes on with the first file, and of a large file with the first part,
    that is not there.

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
    DependencyError
        If S3 refuses, or cannot be reached.
    """
    sizes = {key: path.stat().st_size for key, path in files.items()}
    total = max(sum(sizes.values()) // MEGABYTE, 1)
    done, fresh, lock = 0, set[str](), Lock()

    def arrived(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            tick("uploading, MB", min(max(done // MEGABYTE, 1), total), total)

    def bring(key: str) -> None:
        path, digest = files[key], sha256(files[key])
        if digest_of_object(s3, bucket, key) == digest:
            arrived(sizes[key])
            return
        place, metadata = {"Bucket": bucket, "Key": key}, {DIGEST: digest}
        with translated(f"write s3://{bucket}/{key}"):
            if sizes[key] > PART:
                send_in_parts(s3, place, path, metadata, digest, arrived)
            else:
                with path.open("rb") as stream:
                    s3.put_object(
                        **place, Body=stream, Metadata=metadata, ChecksumAlgorithm="SHA256"
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
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            raise
    digest: str | None = found.get("Metadata", {}).get(DIGEST)
    return digest

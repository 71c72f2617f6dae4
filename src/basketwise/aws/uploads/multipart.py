"""Upload of a large file in parts, each with a checksum; an interrupted upload is resumed.

S3 stores the parts of an incomplete upload under an id that only its creator knows. So the id is
stored on this machine, under the digest of the file: parts of different contents are never mixed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.parallel import check_cancelled
from basketwise.aws.s3 import DIGEST, Bucket
from basketwise.aws.storage.mirror import cache_folder
from basketwise.errors import InputError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef

PART = 32 << 20
"""Bytes of a part, and of the largest file that is uploaded in one request."""

MAX_PARTS = 9_000
"""S3 allows 10,000: the parts of a very large file are larger."""


def part_sizes(size: int, part: int) -> list[int]:
    """Split a file of ``size`` bytes into parts.

    Examples
    --------
    >>> part_sizes(5, part=4)
    [4, 1]
    """
    step = max(part, -(-size // MAX_PARTS))
    return [min(step, size - offset) for offset in range(0, size, step)]


def upload_parts(
    bucket: Bucket, key: str, path: Path, digest: str, on_part: Callable[[int], None]
) -> None:
    """Upload a file with this sha256 in parts; parts that exist already are skipped.

    A cancelled task stops between two parts and leaves the complete ones. ``on_part`` is called
    with the bytes of each complete part. Raises InputError if the file no longer has this digest,
    or cannot be read.
    """
    with translated(f"write {bucket.uri(key)}"):
        _upload_parts(bucket.client, bucket.name, bucket.full(key), path, digest, on_part)


def _upload_parts(
    s3: S3Client, bucket: str, key: str, path: Path, digest: str, on_part: Callable[[int], None]
) -> None:
    id_file = _id_file(bucket, key, digest)
    upload, parts = _resumable(s3, bucket, key, id_file)
    if not upload:
        upload = s3.create_multipart_upload(
            Bucket=bucket, Key=key, Metadata={DIGEST: digest}, ChecksumAlgorithm="SHA256"
        )["UploadId"]
        # Without the file the upload works too, but cannot be resumed.
        with suppress(OSError):
            id_file.parent.mkdir(parents=True, exist_ok=True)
            id_file.write_text(json.dumps(upload))
    completed: list[CompletedPartTypeDef] = []
    file_digest = hashlib.sha256()
    for number, body in enumerate(_bodies(path), start=1):
        check_cancelled()
        file_digest.update(body)
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        part = parts.get(number)
        # Some servers list parts without their checksums; the upload as a whole has one too.
        if part is not None and part.get("ChecksumSHA256", checksum) == checksum:
            etag = part["ETag"]
        else:
            etag = s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                Body=body,
                ChecksumSHA256=checksum,
            )["ETag"]
        completed.append({"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum})
        on_part(len(body))
    if file_digest.hexdigest() != digest:
        id_file.unlink(missing_ok=True)
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise InputError(
            f"{path.name!r} was changed during the upload.",
            "Run the same command again when nothing writes to the file any more.",
        )
    s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": completed}
    )
    id_file.unlink(missing_ok=True)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise InputError if a local file cannot be read: AWS is not at fault."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read: {error.strerror or error}.",
            "Restore it or fix its permissions, then run the same command again.",
        ) from error


def _bodies(path: Path) -> Iterator[bytes]:
    with reading(path):
        stream = path.open("rb")
    with stream:
        for size in part_sizes(os.fstat(stream.fileno()).st_size, PART):
            with reading(path):
                body = stream.read(size)
            if not body:
                return
            yield body


def _id_file(bucket: str, key: str, digest: str) -> Path:
    """Return the file with the id of an upload."""
    identity = json.dumps([{"Bucket": bucket, "Key": key}, digest, PART])
    return cache_folder() / "uploads" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"


def _resumable(
    s3: S3Client, bucket: str, key: str, id_file: Path
) -> tuple[str, dict[int, PartTypeDef]]:
    """Return id and parts of an interrupted upload; an empty id if there is none."""
    try:
        upload = str(json.loads(id_file.read_text()))
    except (OSError, ValueError):
        return "", {}

    def parts() -> list[PartTypeDef]:
        pages = s3.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=upload)
        return [part for page in pages for part in page.get("Parts", [])]

    # The bucket's rules remove uploads that are incomplete for a week.
    listed = call(f"list the parts of {key}", parts, Meaning.NO_KEY)
    return ("", {}) if listed is None else (upload, {part["PartNumber"]: part for part in listed})

"""A large file in parts, each checksummed; an upload that was cut off goes on where it was.

S3 stores the parts of an upload that was not completed, under an id that only its beginner knows.
So the id is stored on this machine, beside the digest of the file that it belongs to: parts of
another content are never put together.
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

from basketwise.aws.at_once import go_on
from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.s3 import DIGEST, Bucket
from basketwise.aws.storage.mirror import cache_folder
from basketwise.errors import InputError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef

PART = 32 << 20
"""Bytes of a part, and the largest file that is sent in one piece."""

MOST_PARTS = 9_000
"""S3 takes 10,000 at most: the parts of a very large file are larger."""


def part_sizes(size: int, part: int) -> list[int]:
    """Cut a file of so many bytes into parts.

    Examples
    --------
    >>> part_sizes(5, part=4)
    [4, 1]
    """
    step = max(part, -(-size // MOST_PARTS))
    return [min(step, size - offset) for offset in range(0, size, step)]


def send_in_parts(
    bucket: Bucket, key: str, path: Path, digest: str, sent: Callable[[int], None]
) -> None:
    """Send a file of a sha256 in parts; those that are there already are not sent again.

    Between two parts it ends early if nobody wants it any more; what was sent stays. ``sent`` is
    told the bytes of each part that is there. Raises InputError if the file is not the one of this
    digest any more, or cannot be read.
    """
    with translated(f"write {bucket.uri(key)}"):
        _send_in_parts(bucket.client, bucket.name, bucket.full(key), path, digest, sent)


def _send_in_parts(
    s3: S3Client, bucket: str, key: str, path: Path, digest: str, sent: Callable[[int], None]
) -> None:
    note = _note(bucket, key, digest)
    upload, there = _begun(s3, bucket, key, note)
    if not upload:
        upload = s3.create_multipart_upload(
            Bucket=bucket, Key=key, Metadata={DIGEST: digest}, ChecksumAlgorithm="SHA256"
        )["UploadId"]
        # Without the note the upload works too, but cannot be resumed.
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(upload))
    done: list[CompletedPartTypeDef] = []
    whole = hashlib.sha256()
    for number, body in enumerate(_bodies(path), start=1):
        go_on()
        whole.update(body)
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        known = there.get(number)
        # Some servers list parts without their checksums; the upload as a whole has one too.
        if known is not None and known.get("ChecksumSHA256", checksum) == checksum:
            etag = known["ETag"]
        else:
            etag = s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                Body=body,
                ChecksumSHA256=checksum,
            )["ETag"]
        done.append({"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum})
        sent(len(body))
    if whole.hexdigest() != digest:
        note.unlink(missing_ok=True)
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise InputError(
            f"{path.name!r} was changed while it was sent.",
            "Start the same command again when nothing writes to the file any more.",
        )
    s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
    )
    note.unlink(missing_ok=True)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise InputError if a local file is gone or cannot be read: that is no fault of AWS."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read: {error.strerror or error}.",
            "Restore it or fix its permissions, then start the same command again.",
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


def _note(bucket: str, key: str, digest: str) -> Path:
    """Name the file that holds the id of an upload that was begun."""
    about = json.dumps([{"Bucket": bucket, "Key": key}, digest, PART])
    return cache_folder() / "uploads" / f"{hashlib.sha256(about.encode()).hexdigest()[:32]}.json"


def _begun(s3: S3Client, bucket: str, key: str, note: Path) -> tuple[str, dict[int, PartTypeDef]]:
    """Return the id and the parts of an upload that was cut off; an empty id if there is none."""
    try:
        upload = str(json.loads(note.read_text()))
    except (OSError, ValueError):
        return "", {}

    def parts() -> list[PartTypeDef]:
        pages = s3.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=upload)
        return [part for page in pages for part in page.get("Parts", [])]

    # The bucket's rules remove what was not completed for a week.
    present = call(f"list the parts of {key}", parts, Meaning.NO_KEY)
    return ("", {}) if present is None else (upload, {part["PartNumber"]: part for part in present})

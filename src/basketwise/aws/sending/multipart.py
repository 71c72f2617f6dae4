"""A large file in parts, each checksummed; an upload that was cut off goes on where it was.

S3 keeps the parts of an upload that was not completed, under an id that only its beginner knows. So
the id is kept on this machine, beside the digest of the file that it belongs to: parts of another
content are never put together.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basketwise.aws.clients import code_of
from basketwise.aws.storage.at_once import go_on
from basketwise.aws.storage.mirror import cache_folder
from basketwise.errors import InputError

PART = 32 << 20
"""Bytes of a part, and the largest file that is sent in one piece."""

MOST_PARTS = 9_000
"""S3 takes 10,000 at most: the parts of a very large file are larger."""

UNKNOWN = frozenset({"NoSuchUpload", "404"})


@dataclass(frozen=True)
class Part:
    """A piece of a file; ``number`` counts from 1, ``size`` is in bytes."""

    number: int
    size: int


def parts_of(size: int, part: int) -> Iterator[Part]:
    """Cut a file of a size into parts.

    Examples
    --------
    >>> list(parts_of(5, part=4))
    [Part(number=1, size=4), Part(number=2, size=1)]
    """
    step = max(part, -(-size // MOST_PARTS))
    for number, offset in enumerate(range(0, size, step), start=1):
        yield Part(number, min(step, size - offset))


def send_in_parts(
    s3: Any,
    place: dict[str, str],
    path: Path,
    metadata: dict[str, str],
    digest: str,
    sent: Callable[[int], None],
) -> None:
    """Send a file in parts; those that are there already are not sent again.

    Between two parts it ends early if nobody wants it any more; what was sent is kept.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    place : dict of str to str
        ``Bucket`` and ``Key``.
    path : Path
        The file.
    metadata : dict of str to str
        Kept with the object.
    digest : str
        sha256 of the file.
    sent : callable
        Told the bytes of each part that is there.

    Raises
    ------
    InputError
        If the file is not the one of this digest any more, or cannot be read.
    """
    note = _note(place, digest)
    upload, there = _begun(s3, place, note)
    if not upload:
        begun = s3.create_multipart_upload(**place, Metadata=metadata, ChecksumAlgorithm="SHA256")
        upload = str(begun["UploadId"])
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(upload))
    done, whole = [], hashlib.sha256()
    for part, body in _bodies(path):
        go_on()
        whole.update(body)
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        known = there.get(part.number)
        # Some servers list parts without their checksums; the upload as a whole has one too.
        if known is None or known.get("ChecksumSHA256", checksum) != checksum:
            known = s3.upload_part(
                **place, UploadId=upload, PartNumber=part.number, Body=body, ChecksumSHA256=checksum
            )
        done.append({"PartNumber": part.number, "ETag": known["ETag"], "ChecksumSHA256": checksum})
        sent(part.size)
    if whole.hexdigest() != digest:
        note.unlink(missing_ok=True)
        s3.abort_multipart_upload(**place, UploadId=upload)
        raise InputError(
            f"{path.name!r} was changed while it was sent.",
            "Start the same command again when nothing writes to the file any more.",
        )
    s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": done})
    note.unlink(missing_ok=True)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell what is wrong with a local file from what is wrong with AWS.

    Raises
    ------
    InputError
        If the file is gone or cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read: {error.strerror or error}.",
            "Bring it back or mend its permissions, then start the same command again.",
        ) from error


def _bodies(path: Path) -> Iterator[tuple[Part, bytes]]:
    with reading(path):
        stream = path.open("rb")
    with stream:
        for part in parts_of(os.fstat(stream.fileno()).st_size, PART):
            with reading(path):
                body = stream.read(part.size)
            if not body:
                return
            yield part, body


def _note(place: dict[str, str], digest: str) -> Path:
    """Name the file that holds the id of an upload that was begun."""
    name = hashlib.sha256(json.dumps([place, digest, PART]).encode()).hexdigest()[:32]
    return cache_folder() / "uploads" / f"{name}.json"


def _begun(s3: Any, place: dict[str, str], note: Path) -> tuple[str, dict[int, dict[str, Any]]]:
    """Return the id and the parts of an upload that was cut off; an empty id if there is none."""
    from botocore.exceptions import ClientError

    try:
        upload = str(json.loads(note.read_text()))
    except (OSError, ValueError):
        return "", {}
    try:
        pages = s3.get_paginator("list_parts").paginate(**place, UploadId=upload)
        parts = [part for page in pages for part in page.get("Parts", [])]
    except ClientError as error:
        if code_of(error) not in UNKNOWN:
            raise
        # The bucket's rules remove what was not completed for a week.
        return "", {}
    return upload, {part["PartNumber"]: part for part in parts}

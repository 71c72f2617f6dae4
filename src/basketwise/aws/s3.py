"""Requests to a bucket; each succeeds completely or changes nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basketwise.aws.address import Address
from basketwise.aws.errors import CHANGED, Meaning, call, refusal, translated
from basketwise.aws.parallel import check_cancelled
from basketwise.aws.parts import copy_in_parts, upload_in_parts
from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 64 << 20
"""Bytes; a larger file is uploaded in parts of this size, and exists once all are complete."""

COPY_IN_PARTS = 4 << 30
"""Bytes; S3 copies no more than 5 GiB in one request."""

OCTETS = "binary/octet-stream"
ATTEMPTS = 3
"""To download an object whose bytes break off."""

DIGEST = "basketwise-sha256"
"""Metadata key of the sha256 of the whole file: S3's own checksum of a large object is computed
from the checksums of its parts."""


class ChangedError(Exception):
    """Somebody wrote an object since it was listed."""


class TruncatedError(DependencyError):
    """The bytes of an object ended too early."""


@dataclass(frozen=True)
class S3Object:
    """An object as it was listed: ``size`` in bytes, an ``etag`` that changes with the bytes."""

    key: str
    size: int
    etag: str
    modified: datetime | None = field(default=None, compare=False)
    """When it was written (UTC); None if that is not known."""


class Bucket:
    """A prefix of a bucket and the operations on its objects; keys are relative to the prefix.

    Parameters
    ----------
    client
        A boto3 client of S3.
    name : str
        The bucket; must exist.
    prefix : str
        Without slashes at its ends; empty for the whole bucket.

    Raises DependencyError from any method, if S3 refuses or cannot be reached.
    """

    def __init__(self, client: S3Client, name: str, prefix: str = "") -> None:
        self.client, self.name, self.prefix = client, name, prefix

    @property
    def location(self) -> str:
        """The address of the prefix."""
        return str(Address(self.name, self.prefix))

    def full(self, key: str) -> str:
        """Return a key with the prefix."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def uri(self, key: str) -> str:
        """Return the address of an object."""
        return str(Address(self.name, self.full(key)))

    def get(self, key: str, limit: int | None = None) -> bytes | None:
        """Return an object's bytes, the first ``limit`` of them; None if there is none."""

        def read() -> bytes:
            return read_body(self.client.get_object(Bucket=self.name, Key=self.full(key)), limit)

        return call(f"read {self.uri(key)}", read, Meaning.NO_KEY)

    def fetch(self, listed: S3Object, path: Path) -> None:
        """Download an object to a new file, with retries; ChangedError if it has changed.

        An OSError concerns the local file.
        """
        for remaining in reversed(range(ATTEMPTS)):
            try:
                with path.open("wb") as stream:
                    for chunk in self._chunks(listed):
                        stream.write(chunk)
                        check_cancelled()
                return
            except TruncatedError:
                if not remaining:
                    raise

    def _chunks(self, listed: S3Object) -> Iterator[bytes]:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        uri = self.uri(listed.key)
        # Only the listed version: files of different moments would not be consistent.
        request: Any = {"Bucket": self.name, "Key": self.full(listed.key), "IfMatch": listed.etag}
        answer = call(f"read {uri}", lambda: self.client.get_object(**request), *CHANGED)
        if answer is None:
            raise ChangedError
        try:
            yield from answer["Body"].iter_chunks(1 << 20)
        except (BotoCoreError, HTTPError, ConnectionError, TimeoutError) as error:
            # The client retries requests by itself, but not the download of a body.
            raise TruncatedError(
                f"Reading {uri} broke off: {error}.",
                "Check the network, then run the same command again.",
            ) from error

    def put(
        self, key: str, data: bytes | Path, media_type: str = OCTETS, *, new: bool = False
    ) -> bool:
        """Write an object of a media type in one request, with its sha256.

        Returns whether it was written: with ``new``, an existing object is left alone.
        """
        condition: Any = {"IfNoneMatch": "*"} if new else {}
        with data.open("rb") if isinstance(data, Path) else BytesIO(data) as stream:
            digest = hashlib.file_digest(stream, "sha256")
            stream.seek(0)
            answer = call(
                f"write {self.uri(key)}",
                lambda: self.client.put_object(
                    Bucket=self.name,
                    Key=self.full(key),
                    Body=stream,
                    ContentType=media_type,
                    ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
                    Metadata={DIGEST: digest.hexdigest()},
                    **condition,
                ),
                # Also the response to a retry, when the first response was lost.
                *([Meaning.CONFLICT] if new else []),
            )
        return answer is not None

    def digest(self, key: str) -> str | None:
        """Return the sha256 of an object, "" if S3 does not have it, None without the object."""
        request: Any = {"Bucket": self.name, "Key": self.full(key), "ChecksumMode": "ENABLED"}
        answer = call(
            f"read {self.uri(key)}", lambda: self.client.head_object(**request), Meaning.NO_KEY
        )
        if answer is None:
            return None
        checksum = answer.get("ChecksumSHA256", "")
        # "…-3" is the checksum of three parts' checksums, not of the bytes.
        if checksum and "-" not in checksum:
            return base64.b64decode(checksum).hex()
        return answer.get("Metadata", {}).get(DIGEST, "")

    def upload(self, path: Path, key: str) -> None:
        """Upload a file, a large one in parts; a failed upload leaves nothing behind."""
        if path.stat().st_size <= PART:
            self.put(key, path)
            return
        with translated(f"write {self.uri(key)}"):
            upload_in_parts(self.client, path, (self.name, self.full(key)), PART)

    def copy(self, source: S3Object, key: str, replaced: str = "") -> str:
        """Copy within the bucket, and return the ETag of the copy.

        ChangedError if the source is gone, or has another ETag than it was listed with. With
        ``replaced``, a copy in parts requires that ETag of the object that it replaces.
        """
        origin: Any = {
            "CopySource": {"Bucket": self.name, "Key": self.full(source.key)},
            **({"CopySourceIfMatch": source.etag} if source.etag else {}),
        }
        target: Any = {"Bucket": self.name, "Key": self.full(key)}

        def copy() -> str:
            if source.size > COPY_IN_PARTS:
                condition = {"IfMatch": replaced} if replaced else {}
                return copy_in_parts(self.client, origin, target, condition, source.size, PART)
            answer = self.client.copy_object(**origin, **target, ChecksumAlgorithm="SHA256")
            return answer["CopyObjectResult"]["ETag"]

        etag = call(f"copy {self.uri(key)}", copy, *CHANGED)
        if etag is None:
            raise ChangedError
        # As listings show it: some servers omit the quotes here.
        bare = etag.strip('"')
        return f'"{bare}"'

    def remove(self, keys: Iterable[str], etags: Mapping[str, str] | None = None) -> None:
        """Delete objects; missing ones are ignored.

        With ``etags``, only those whose ETag is the one given: others were written since.
        """
        items: list[Any] = [
            {"Key": self.full(key), **({"ETag": etags[key]} if etags else {})} for key in keys
        ]
        for start in range(0, len(items), 1000):
            batch = items[start : start + 1000]
            with translated(f"delete {Address(self.name, batch[0]['Key'])}"):
                answer = self.client.delete_objects(
                    Bucket=self.name, Delete={"Objects": batch, "Quiet": True}
                )
            for error in answer.get("Errors", []):
                code, message = str(error.get("Code")), str(error.get("Message"))
                if etags and refusal(code, message).meaning in CHANGED:
                    continue
                raise DependencyError(
                    f"AWS refused to delete {Address(self.name, error.get('Key', ''))}: "
                    f"{message} ({code}).",
                    refusal(code, message).hint,
                )

    def below(self, key: str) -> dict[str, S3Object]:
        """List an object and all below it, by key."""
        return {name: item for name, item in self.listed(key).items() if is_below(name, key)}

    def size(self, key: str) -> int:
        """Add up the bytes of an object and all below it."""
        return sum(listed.size for listed in self.below(key).values())

    def listed(self, start: str, limit: int | None = None) -> dict[str, S3Object]:
        """List the objects whose keys begin with ``start``, by key; at most ``limit``."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name,
            Prefix=self.full(start),
            PaginationConfig={"MaxItems": limit} if limit else {},
        )
        skip = len(self.full("x")) - 1
        with translated(f"list {self.uri(start)}"):
            objects = [
                S3Object(item["Key"][skip:], item["Size"], item["ETag"], item["LastModified"])
                for page in pages
                for item in page.get("Contents", [])
            ]
        return {listed.key: listed for listed in objects}

    def folders(self, root: str) -> list[str]:
        """List the names directly below a key that other keys are below; not those keys."""
        start = f"{self.full(root)}/"
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=start, Delimiter="/"
        )
        with translated(f"list {self.uri(root)}"):
            return [
                item["Prefix"].removeprefix(start).rstrip("/")
                for page in pages
                for item in page.get("CommonPrefixes", [])
            ]

    def uploads(self, root: str) -> dict[str, str]:
        """List incomplete uploads below a key: the key of each by its id."""
        pages = self.client.get_paginator("list_multipart_uploads")
        skip = len(self.full("x")) - 1
        with translated(f"list {self.uri(root)}"):
            return {
                upload["UploadId"]: upload["Key"][skip:]
                for page in pages.paginate(Bucket=self.name, Prefix=f"{self.full(root)}/")
                for upload in page.get("Uploads", [])
            }

    def abort(self, uploads: Mapping[str, str]) -> None:
        """Abort incomplete uploads, as they were listed; others may have ended meanwhile."""
        for upload, key in uploads.items():
            request: Any = {"Bucket": self.name, "Key": self.full(key), "UploadId": upload}
            call(
                f"abort the upload of {self.uri(key)}",
                partial(self.client.abort_multipart_upload, **request),
                Meaning.NO_KEY,
            )


def read_body(answer: Mapping[str, Any], limit: int | None = None) -> bytes:
    """Return the bytes of an object, the first ``limit`` of them; an error if they break off.

    botocore notices that by itself only where all are read at once.
    """
    from botocore.exceptions import IncompleteReadError

    data: bytes = answer["Body"].read(limit)
    size = answer["ContentLength"] if limit is None else min(limit, answer["ContentLength"])
    if len(data) < size:
        raise IncompleteReadError(actual_bytes=len(data), expected_bytes=size)
    return data


def is_below(key: str, prefix: str) -> bool:
    """Whether a key equals a prefix or is below it.

    Examples
    --------
    >>> is_below("gold/a", "gold"), is_below("golden", "gold")
    (True, False)
    """
    return key == prefix or key.startswith(f"{prefix}/")


def is_folder(key: str) -> bool:
    """Whether a key is that of an empty object with which consoles mark a folder."""
    return key.endswith("/")

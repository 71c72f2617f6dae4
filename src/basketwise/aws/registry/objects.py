"""What the registry on SageMaker keeps in the bucket: archives, documents, changes.

Nothing that is there is ever written again: every PUT says ``If-None-Match: *``, so a key means
the same bytes for good, and what was read once may be kept in memory.
"""

from __future__ import annotations

import base64
import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from basketwise.aws.address import Address, is_address
from basketwise.aws.clients import code_of, translated
from basketwise.aws.names import AwsNames
from basketwise.aws.sending.upload import DIGEST, MISSING
from basketwise.digests import sha256
from basketwise.errors import DependencyError
from basketwise.files import ARCHIVE
from basketwise.run.workspace import ARTIFACTS

REGISTERED = "registered-"
"""What the folders below ``artifacts/`` begin with that hold the archives of a run's versions."""

EXISTS = "PreconditionFailed"
JSON = "application/json"
ATTACHED = "application/octet-stream"

DOCUMENT_BYTES = 4_000_000
"""A document that is longer is not one of ours."""


class Objects:
    """The objects below a workspace's place in a bucket.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    names : AwsNames
        Bucket and prefix.
    """

    def __init__(self, s3: Any, names: AwsNames) -> None:
        self._s3 = s3
        self._names = names
        self._read: dict[str, bytes] = {}

    def uri(self, key: str) -> str:
        """Return the S3 URI of a key."""
        return str(Address(self._names.bucket, key))

    def key_of(self, uri: str) -> str | None:
        """Return the key of an S3 URI, None if it leads to another bucket."""
        address = Address.parse(uri)
        is_ours = is_address(uri) and address.bucket == self._names.bucket
        return address.key if is_ours and address.key else None

    def keys(self, prefix: str) -> list[str]:
        """List the keys that begin with a prefix, sorted."""
        with translated(f"list {self.uri(prefix)}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._names.bucket, Prefix=prefix
            )
            return sorted(found["Key"] for page in pages for found in page.get("Contents", []))

    def read(self, key: str) -> bytes:
        """Return the bytes of a document.

        Raises
        ------
        DependencyError
            If it cannot be read, or is longer than ``DOCUMENT_BYTES``.
        """
        if key not in self._read:
            with translated(f"read {self.uri(key)}"):
                found = self._s3.get_object(Bucket=self._names.bucket, Key=key)
                data: bytes = found["Body"].read(DOCUMENT_BYTES + 1)
            if len(data) > DOCUMENT_BYTES:
                raise DependencyError(
                    f"{self.uri(key)} is longer than {DOCUMENT_BYTES:,} bytes.",
                    "The registry did not write it: move it out of the registry's prefix.",
                )
            self._read[key] = data
        return self._read[key]

    def write(self, key: str, data: bytes) -> None:
        """Write a document; if the key is there it stays as it is."""
        self._put(key, BytesIO(data), hashlib.sha256(data).hexdigest(), JSON)

    def attach(self, key: str, path: Path) -> None:
        """Keep a local file; if the key is there it stays as it is."""
        with path.open("rb") as stream:
            self._put(key, stream, sha256(path), ATTACHED)

    def keep_archive(self, path: Path, run_id: str, digest: str) -> str:
        """Keep a model archive, and return its key: ``artifacts/registered-<run>/<digest>/…``.

        Not among the run's own artifacts: those are replaced when the run is judged again, and a
        version stands for its archive for good.
        """
        key = self._names.key(ARTIFACTS, f"{REGISTERED}{run_id}", digest[:12], ARCHIVE)
        if self._digest(key) is None:
            with path.open("rb") as stream:
                self._put(key, stream, digest, "application/gzip")
        if self._digest(key) != digest:
            raise DependencyError(
                f"{self.uri(key)} holds another model than its name says.",
                "It was replaced by hand: delete it and register again.",
            )
        return key

    def bring(self, key: str, path: Path) -> Path:
        """Copy an object to a local file, unchecked.

        Raises
        ------
        DependencyError
            If it is gone, or S3 refuses.
        """
        from botocore.exceptions import ClientError

        with translated(f"read {self.uri(key)}"):
            try:
                self._s3.download_file(self._names.bucket, key, str(path))
            except ClientError as error:
                if code_of(error) in MISSING:
                    raise gone(self.uri(key)) from error
                raise
        return path

    def is_there(self, key: str) -> bool:
        """Whether there is an object of a key."""
        return self._digest(key) is not None

    def _put(self, key: str, stream: BinaryIO, digest: str, kind: str) -> None:
        from botocore.exceptions import ClientError

        with translated(f"write {self.uri(key)}"):
            try:
                self._s3.put_object(
                    Bucket=self._names.bucket,
                    Key=key,
                    Body=stream,
                    ContentType=kind,
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(digest)).decode(),
                    Metadata={DIGEST: digest},
                    IfNoneMatch="*",
                )
            except ClientError as error:
                # Also the answer to a PUT that was repeated because the first answer got lost.
                if code_of(error) != EXISTS:
                    raise

    def _digest(self, key: str) -> str | None:
        """Return the sha256 of an object, "" if S3 does not know it, None without the object."""
        from botocore.exceptions import ClientError

        with translated(f"look at {self.uri(key)}"):
            try:
                found = self._s3.head_object(
                    Bucket=self._names.bucket, Key=key, ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
        checksum = found.get("ChecksumSHA256", "")
        # "…-3" is the checksum of three parts' checksums, not of the bytes.
        if checksum and "-" not in checksum:
            return base64.b64decode(checksum).hex()
        return str(found.get("Metadata", {}).get(DIGEST, ""))


def gone(uri: str) -> DependencyError:
    """Return the error for an archive that is no longer there."""
    return DependencyError(
        f"{uri} is gone.",
        "'basketwise aws clean' removes archives of rejected versions; a versioned bucket keeps "
        "them for a time, to be brought back. Else train again.",
    )

"""The SageMaker registry's objects in the bucket: archives, documents, changes.

They never change: every PUT has ``If-None-Match: *``, so a key always means the same bytes, and an
object that was read once may be cached in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.aws.address import Address, is_address
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.model_package import metadata_value
from basketwise.aws.s3 import Bucket, ChangedError
from basketwise.errors import DependencyError
from basketwise.files import ARCHIVE
from basketwise.registry.protocol import ArchiveError
from basketwise.run.workspace import ARTIFACTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGISTERED = "registered-"
"""Prefix of the folders below ``artifacts/`` that contain the registered archives of a run."""

DOCUMENT_BYTES = 4_000_000
"""A longer document was not written by Basketwise."""


class Documents:
    """The registry's files in a bucket, by their whole keys."""

    def __init__(self, s3: S3Client, names: AwsNames) -> None:
        self.bucket = Bucket(s3, names.bucket)
        self._names = names
        self._read: dict[str, bytes] = {}
        # As a model package can say it.
        self.workspace = metadata_value(names.uri().rstrip("/"))

    def is_foreign(self, workspace: str) -> bool:
        """Whether a model package names another workspace; "" if it names none."""
        return workspace not in ("", self.workspace)

    def key_of(self, uri: str) -> str | None:
        """Return the key of an S3 URI, None if it is in another bucket."""
        address = Address.parse(uri)
        is_ours = is_address(uri) and address.bucket == self.bucket.name
        return address.key if is_ours and address.key else None

    def located(self, uri: str, workspace: str = "") -> tuple[Bucket, str] | None:
        """Return bucket and key of an S3 URI; None if it is in no known bucket.

        Known is this workspace's and that of ``workspace``, another one's address.
        """
        key = self.key_of(uri)
        if key is not None:
            return self.bucket, key
        if not (is_address(uri) and is_address(workspace)):
            return None
        address = Address.parse(uri)
        if address.bucket != Address.parse(workspace).bucket or not address.key:
            return None
        return Bucket(self.bucket.client, address.bucket), address.key

    def read(self, key: str) -> bytes:
        """Return the bytes of a document of at most ``DOCUMENT_BYTES``."""
        if key not in self._read:
            self._read[key] = read_whole(self.bucket, key)
        return self._read[key]

    def write(self, key: str, data: bytes | Path) -> None:
        """Write a document or a file; if the key exists it stays as it is."""
        kind = "application/json" if isinstance(data, bytes) else "application/octet-stream"
        self.bucket.put(key, data, kind, new=True)

    def store_archive(self, path: Path, run_id: str, digest: str) -> str:
        """Store a model archive, and return its key: ``artifacts/registered-<run>/<digest>/…``.

        Not among the run's own artifacts: those are replaced when the run is evaluated again,
        while the archive of a version never changes.
        """
        key = self._names.key(ARTIFACTS, f"{REGISTERED}{run_id}", digest[:12], ARCHIVE)
        if self.bucket.digest(key) is None:
            self.bucket.put(key, path, "application/gzip", new=True)
        if self.bucket.digest(key) != digest:
            raise DependencyError(
                f"{self.bucket.uri(key)} does not match the digest in its name.",
                "It was replaced by hand: delete it and register again.",
            )
        return key


def read_whole(bucket: Bucket, key: str) -> bytes:
    """Return the bytes of a document of at most ``DOCUMENT_BYTES``."""
    data = bucket.get(key, DOCUMENT_BYTES + 1)
    if data is None:
        raise DependencyError(
            f"{bucket.uri(key)} is missing.", "Restore an earlier version of the object."
        )
    if len(data) > DOCUMENT_BYTES:
        raise DependencyError(
            f"{bucket.uri(key)} is longer than {DOCUMENT_BYTES:,} bytes.",
            "The registry did not write it: move it out of the registry's prefix.",
        )
    return data


def fetch(bucket: Bucket, key: str, path: Path) -> Path:
    """Download an archive to a local file, without verifying it; ArchiveError without it."""
    try:
        bucket.fetch(bucket.listed(key)[key], path)
    except (KeyError, ChangedError) as error:
        raise archive_removed(bucket.uri(key)) from error
    return path


def archive_removed(uri: str) -> ArchiveError:
    """Return the error for an archive that no longer exists."""
    return ArchiveError(
        f"{uri} no longer exists.",
        "'basketwise aws clean' removes archives of rejected versions; in a versioned bucket "
        "they can be restored for a time. Otherwise train again.",
    )

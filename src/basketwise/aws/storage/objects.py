"""The requests that a workspace sends to a bucket; each does its work whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basketwise.aws.address import SCHEME, Address
from basketwise.aws.clients import code_of, hint_for, translated
from basketwise.aws.storage.at_once import GivenUpError, go_on, is_ending
from basketwise.aws.storage.lock import ABSENT, LOST
from basketwise.errors import DependencyError

PART = 64 << 20
"""Bytes; a larger file is sent in parts of this size, and is there when the last has arrived."""

COPY_IN_PARTS = 4 << 30
"""Bytes; S3 copies no more than 5 GiB in one request."""

TRIES = 3
"""Of reading an object whose bytes break off on the way."""


class Changed(Exception):  # noqa: N818
    """Somebody wrote while we were looking."""


class BrokenOffError(DependencyError):
    """The bytes of an object ended too early."""


@dataclass(frozen=True)
class Found:
    """An object as it is now.

    Attributes
    ----------
    key
        Where its bytes lie now.
    size
        Bytes.
    etag
        Changes with the bytes.
    """

    key: str
    size: int
    etag: str


class Bucket:
    """A prefix of a bucket and the verbs on its objects; keys are relative to the prefix.

    Parameters
    ----------
    client
        A boto3 client of S3.
    name : str
        The bucket; has to exist.
    prefix : str
        Without slashes at its ends; empty for the whole bucket.

    Raises
    ------
    DependencyError
        From any method, if S3 refuses or cannot be reached.
    """

    def __init__(self, client: Any, name: str, prefix: str) -> None:
        self.client, self.name, self.prefix = client, name, prefix

    @property
    def location(self) -> str:
        """Its address, as people write it."""
        return str(Address(self.name, self.prefix))

    def full(self, key: str) -> str:
        """Return a key as the bucket knows it."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes; None if there is none."""
        from botocore.exceptions import ClientError

        with self._asking("read", key):
            try:
                data: bytes = self.client.get_object(Bucket=self.name, Key=self.full(key))[
                    "Body"
                ].read()
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise
        return data

    def fetch(self, found: Found, path: Path) -> None:
        """Write an object's bytes to a new file, trying again; Changed if it is not what was found.

        OSError is the local file's.
        """
        for left in reversed(range(TRIES)):
            try:
                with path.open("wb") as stream:
                    for chunk in self._chunks(found):
                        stream.write(chunk)
                        go_on()
                return
            except BrokenOffError:
                if not left:
                    raise

    def _chunks(self, found: Found) -> Iterator[bytes]:
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        with self._asking("read", found.key):
            try:
                # Bytes of another version than was listed would be no picture of one moment.
                answer = self.client.get_object(
                    Bucket=self.name, Key=self.full(found.key), IfMatch=found.etag
                )
            except ClientError as error:
                if code_of(error) in ABSENT | LOST:
                    raise Changed from error
                raise
            try:
                yield from answer["Body"].iter_chunks(1 << 20)
            except (BotoCoreError, HTTPError, OSError) as error:
                # The client asks again by itself for an answer, but not for the bytes after it.
                raise BrokenOffError(
                    f"Reading {SCHEME}{self.name}/{self.full(found.key)} broke off: {error}.",
                    "Check the network, then start the same command again.",
                ) from error

    def put(self, key: str, data: bytes) -> None:
        """Write an object in one request."""
        with self._asking("write", key):
            self.client.put_object(
                Bucket=self.name, Key=self.full(key), Body=data, ChecksumAlgorithm="SHA256"
            )

    def send(self, path: Path, key: str) -> None:
        """Write a file's bytes; nothing is left of an upload that fails."""
        with self._asking("write", key):
            self._transfer("upload", PART, str(path), self.name, self.full(key), {})

    def copy(self, source: str, key: str, etag: str = "") -> None:
        """Copy within the bucket; Changed if the source is gone, or no longer has the ETag."""
        from botocore.exceptions import ClientError

        origin = {"Bucket": self.name, "Key": self.full(source)}
        extra = {"CopySourceIfMatch": etag} if etag else {}
        with self._asking("copy", key):
            try:
                self._transfer("copy", COPY_IN_PARTS, origin, self.name, self.full(key), extra)
            except ClientError as error:
                if code_of(error) in ABSENT | LOST:
                    raise Changed from error
                raise

    def _transfer(
        self, verb: str, whole: int, source: object, name: str, key: str, extra: dict[str, str]
    ) -> None:
        """Let boto3 do it in this thread, in parts above ``whole`` bytes."""
        from concurrent.futures import CancelledError

        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        config = TransferConfig(
            whole, multipart_chunksize=PART, use_threads=False, preferred_transfer_client="classic"
        )
        extra = {"ChecksumAlgorithm": "SHA256", **extra}
        with create_transfer_manager(self.client, config) as manager:
            told = {"extra_args": extra, "subscribers": [_Interrupter()]}
            try:
                getattr(manager, verb)(source, name, key, **told).result()
            except CancelledError:
                raise GivenUpError from None

    def remove(self, keys: Iterable[str]) -> None:
        """Delete objects; none is no error."""
        found = list(keys)
        for start in range(0, len(found), 1000):
            some = {
                "Objects": [{"Key": self.full(key)} for key in found[start : start + 1000]],
                "Quiet": True,
            }
            with self._asking("delete", found[start]):
                answer = self.client.delete_objects(Bucket=self.name, Delete=some)
            for error in answer.get("Errors", []):
                raise DependencyError(
                    f"AWS refused to delete {SCHEME}{self.name}/{error.get('Key')}: "
                    f"{error.get('Message')} ({error.get('Code')}).",
                    hint_for(str(error.get("Code"))),
                )

    def below(self, key: str) -> dict[str, Found]:
        """List an object and all below it, by key."""
        return {name: found for name, found in self.listed(key).items() if is_below(name, key)}

    def listed(self, start: str) -> dict[str, Found]:
        """List the objects whose keys start so, by key."""
        pages = self.client.get_paginator("list_objects_v2")
        skip = len(self.full("x")) - 1
        with self._asking("list", start):
            found = [
                Found(one["Key"][skip:], one["Size"], one["ETag"])
                for page in pages.paginate(Bucket=self.name, Prefix=self.full(start))
                for one in page.get("Contents", [])
            ]
        return {one.key: one for one in found}

    def abort_parts(self, root: str) -> None:
        """Give up uploads below a key that were begun and not completed."""
        pages = self.client.get_paginator("list_multipart_uploads")
        with self._asking("list", root):
            for page in pages.paginate(Bucket=self.name, Prefix=f"{self.full(root)}/"):
                for upload in page.get("Uploads", []):
                    which = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                    self.client.abort_multipart_upload(Bucket=self.name, **which)

    def _asking(self, verb: str, key: str) -> AbstractContextManager[None]:
        return translated(f"{verb} {SCHEME}{self.name}/{self.full(key)}")


class _Interrupter:
    """Ends a transfer after the part that is under way, if nobody wants it any more."""

    def on_progress(self, future: Any, **_: object) -> None:
        """Be told that some bytes have gone; boto3 cleans up after it."""
        if is_ending():
            future.cancel()


def is_below(key: str, prefix: str) -> bool:
    """Whether a key is a prefix, or lies below it.

    Examples
    --------
    >>> is_below("gold/a", "gold"), is_below("golden", "gold")
    (True, False)
    """
    return key == prefix or key.startswith(f"{prefix}/")

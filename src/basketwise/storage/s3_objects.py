"""The requests that a workspace sends to a bucket; each does its work whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from basketwise.aws.clients import hint_for, translated
from basketwise.errors import DependencyError
from basketwise.storage.s3_lock import ABSENT, LOST

SCHEME = "s3://"
PART = 64 << 20
"""Bytes; a larger file is sent in parts of this size, and is there when the last has arrived."""

COPY_IN_PARTS = 4 << 30
"""Bytes; S3 copies no more than 5 GiB in one request."""

AT_ONCE = 8
"""Files fetched, sent or copied at the same time; a client has ten connections."""

Thing = TypeVar("Thing")


class Changed(Exception):  # noqa: N818
    """Somebody wrote while we were looking."""


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
        return SCHEME + "/".join(part for part in (self.name, self.prefix) if part)

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
        """Write an object's bytes to a new file; Changed if it is no longer what was found."""
        from botocore.exceptions import ClientError

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
            with path.open("xb") as stream:
                for chunk in answer["Body"].iter_chunks(1 << 20):
                    stream.write(chunk)

    def put(self, key: str, data: bytes) -> None:
        """Write an object in one request."""
        with self._asking("write", key):
            self.client.put_object(
                Bucket=self.name, Key=self.full(key), Body=data, ChecksumAlgorithm="SHA256"
            )

    def send(self, path: Path, key: str) -> None:
        """Write a file's bytes; nothing is left of an upload that fails."""
        from boto3.exceptions import S3UploadFailedError
        from boto3.s3.transfer import TransferConfig

        parts = TransferConfig(PART, multipart_chunksize=PART, use_threads=False)
        extra = {"ChecksumAlgorithm": "SHA256"}
        with self._asking("write", key):
            try:
                self.client.upload_file(
                    str(path), self.name, self.full(key), ExtraArgs=extra, Config=parts
                )
            except S3UploadFailedError as error:
                # It hides what S3 said behind an error of its own.
                raise error.__context__ or error from None

    def copy(self, source: str, key: str) -> None:
        """Copy within the bucket; Changed if the source is gone."""
        from boto3.s3.transfer import TransferConfig
        from botocore.exceptions import ClientError

        parts = TransferConfig(COPY_IN_PARTS, multipart_chunksize=PART, use_threads=False)
        extra = {"ChecksumAlgorithm": "SHA256"}
        origin = {"Bucket": self.name, "Key": self.full(source)}
        with self._asking("copy", key):
            try:
                self.client.copy(origin, self.name, self.full(key), ExtraArgs=extra, Config=parts)
            except ClientError as error:
                if code_of(error) in ABSENT:
                    raise Changed from error
                raise

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
        pages = self.client.get_paginator("list_objects_v2")
        skip = len(self.full("x")) - 1
        with self._asking("list", key):
            found = [
                Found(each["Key"][skip:], each["Size"], each["ETag"])
                for page in pages.paginate(Bucket=self.name, Prefix=self.full(key))
                for each in page.get("Contents", [])
            ]
        return {each.key: each for each in found if is_below(each.key, key)}

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


def is_below(key: str, prefix: str) -> bool:
    """Whether a key is a prefix, or lies below it.

    Examples
    --------
    >>> is_below("gold/a", "gold"), is_below("golden", "gold")
    (True, False)
    """
    return key == prefix or key.startswith(f"{prefix}/")


def code_of(error: Any) -> str:
    """Return the code of a botocore ``ClientError``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def each(do: Callable[[Thing], None], things: Iterable[Thing]) -> None:
    """Do something with each thing, several at a time; the first error ends it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = [pool.submit(do, thing) for thing in things]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise

"""A bucket in memory with the rules of S3: conditions, pages of listings, ETags, a clock.

An ETag is the MD5 of the bytes, as S3's is, so equal bytes have equal ETags; an object that was
completed from parts has the suffix ``-n``. Times are shown in whole seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from io import BytesIO
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

PAGE = 3
"""Keys per page of a listing: small, so that listings take several requests."""

Gate = Callable[[str, str], Any]
"""Called with the name of each request and its key before it reaches the store. Returns None,
"again" if the first response is lost and the client retries, or an error to raise afterwards."""


@dataclass(frozen=True)
class Stored:
    """An object."""

    data: bytes
    etag: str
    modified: int


@dataclass
class Store:
    """Objects and unfinished uploads of one bucket."""

    now: float = 1_000_000.0
    is_dated: bool = True
    """Whether responses say what time it is."""
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[int, bytes]]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def put(self, key: str, data: bytes, etag: str = "") -> Stored:
        """Write an object, without conditions."""
        etag = etag or f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        self.objects[key] = Stored(data, etag, int(self.now))
        return self.objects[key]

    def require(self, key: str, match: str | None, none_match: str | None, code: str) -> None:
        """Refuse a request whose conditions on an object do not hold."""
        stored = self.objects.get(key)
        if match is not None and stored is None:
            raise refused("NoSuchKey", 404)
        if stored and ((match is not None and match != stored.etag) or none_match == "*"):
            raise refused(code, 412)


def refused(code: str, status: int = 400) -> ClientError:
    """Return the error with which S3 answers."""
    details: Any = {"Code": code, "Message": code}
    return ClientError(
        {"Error": details, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "request",
    )


class Client:
    """The part of boto3's S3 client that a workspace uses, for one machine."""

    def __init__(
        self,
        store: Store,
        gate: Gate = lambda *_: None,
        observe: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._gate, self._observe = store, gate, observe

    def __getattr__(self, name: str) -> Callable[..., Any]:
        handler = _HANDLERS[name]

        def request(**arguments: Any) -> Any:
            arguments.pop("Bucket")
            body = arguments.get("Body")
            if hasattr(body, "read"):
                arguments["Body"] = body.read()  # type: ignore[union-attr]
            while (outcome := self._gate(name, arguments.get("Key", ""))) == "again":
                # The response is lost, and the client sends the request again.
                with suppress(ClientError):
                    handler(self._store, **arguments)
                    self._observe()
            answer = handler(self._store, **arguments)
            if not name.startswith(("get_", "list_", "head_")):
                self._observe()
            if isinstance(outcome, Exception):
                raise outcome
            return answer

        return request

    def get_paginator(self, name: str) -> _Pages:
        """Return the pages of a listing; each is a request of its own."""
        return _Pages(self, name)


class _Pages:
    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        arguments.pop("PaginationConfig", None)
        after = ""
        while True:
            page = getattr(self.client, self.name)(**arguments, StartAfter=after)
            yield page
            if not page["IsTruncated"]:
                return
            after = page["Contents"][-1]["Key"]


def _get(store: Store, Key: str, IfMatch: str | None = None, **_: object) -> dict[str, Any]:
    store.require(Key, IfMatch, None, "PreconditionFailed")
    if Key not in store.objects:
        raise refused("NoSuchKey", 404)
    stored = store.objects[Key]
    return {**_shown(store, stored), "Body": _Body(stored.data)}


def _head(store: Store, Key: str, **_: object) -> dict[str, Any]:
    if Key not in store.objects:
        raise refused("404", 404)
    return {**_shown(store, store.objects[Key]), "Metadata": {}, "ContentType": ""}


def _shown(store: Store, stored: Stored) -> dict[str, Any]:
    headers = {"date": format_datetime(datetime.fromtimestamp(int(store.now), UTC), usegmt=True)}
    return {
        "ETag": stored.etag,
        "ContentLength": len(stored.data),
        "LastModified": datetime.fromtimestamp(stored.modified, UTC),
        "ResponseMetadata": {"HTTPHeaders": headers if store.is_dated else {}},
    }


class _Body(BytesIO):
    def iter_chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self.read(size):
            yield chunk


def _put(
    store: Store,
    Key: str,
    Body: bytes,
    IfMatch: str | None = None,
    IfNoneMatch: str | None = None,
    **_: object,
) -> dict[str, Any]:
    store.require(Key, IfMatch, IfNoneMatch, "PreconditionFailed")
    return {"ETag": store.put(Key, Body).etag}


def _source(store: Store, source: dict[str, str], match: str | None) -> Stored:
    store.require(source["Key"], match, None, "PreconditionFailed")
    if source["Key"] not in store.objects:
        raise refused("NoSuchKey", 404)
    return store.objects[source["Key"]]


def _copy(
    store: Store,
    Key: str,
    CopySource: dict[str, str],
    CopySourceIfMatch: str | None = None,
    **_: object,
) -> dict[str, Any]:
    copied = store.put(Key, _source(store, CopySource, CopySourceIfMatch).data)
    return {"CopyObjectResult": {"ETag": copied.etag}}


def _delete(store: Store, Key: str, IfMatch: str | None = None, **_: object) -> dict[str, Any]:
    if Key in store.objects:
        store.require(Key, IfMatch, None, "PreconditionFailed")
        del store.objects[Key]
    return {}


def _delete_many(store: Store, Delete: dict[str, Any], **_: object) -> dict[str, Any]:
    errors = []
    for item in Delete["Objects"]:
        try:
            _delete(store, item["Key"], item.get("ETag"))
        except ClientError as error:
            errors.append({"Key": item["Key"], **error.response["Error"]})
    return {"Errors": errors}


def _list(store: Store, Prefix: str, StartAfter: str, **_: object) -> dict[str, Any]:
    keys = sorted(key for key in store.objects if key.startswith(Prefix) and key > StartAfter)
    contents = [
        {
            "Key": key,
            "Size": len(store.objects[key].data),
            "ETag": store.objects[key].etag,
            "LastModified": datetime.fromtimestamp(store.objects[key].modified, UTC),
        }
        for key in keys[:PAGE]
    ]
    return {"Contents": contents, "IsTruncated": len(keys) > PAGE}


def _list_uploads(store: Store, Prefix: str, **_: object) -> dict[str, Any]:
    listed = [
        {"Key": key, "UploadId": upload}
        for upload, (key, _) in store.uploads.items()
        if key.startswith(Prefix)
    ]
    return {"Uploads": listed, "IsTruncated": False}


def _create(store: Store, Key: str, **_: object) -> dict[str, Any]:
    upload = f"upload-{next(store.numbers)}"
    store.uploads[upload] = (Key, {})
    return {"UploadId": upload}


def _parts(store: Store, upload: str) -> dict[int, bytes]:
    if upload not in store.uploads:
        raise refused("NoSuchUpload", 404)
    return store.uploads[upload][1]


def _copy_part(
    store: Store,
    Key: str,
    UploadId: str,
    PartNumber: int,
    CopySource: dict[str, str],
    CopySourceRange: str,
    CopySourceIfMatch: str | None = None,
    **_: object,
) -> dict[str, Any]:
    parts, source = _parts(store, UploadId), _source(store, CopySource, CopySourceIfMatch)
    first, last = CopySourceRange.removeprefix("bytes=").split("-")
    parts[PartNumber] = source.data[int(first) : int(last) + 1]
    return {"CopyPartResult": {"ETag": f'"part-{PartNumber}"'}}


def _complete(
    store: Store,
    Key: str,
    UploadId: str,
    IfMatch: str | None = None,
    IfNoneMatch: str | None = None,
    **_: object,
) -> dict[str, Any]:
    parts = _parts(store, UploadId)
    store.require(Key, IfMatch, IfNoneMatch, "PreconditionFailed")
    data = b"".join(parts[number] for number in sorted(parts))
    del store.uploads[UploadId]
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"ETag": store.put(Key, data, f'"{digest}-{len(parts)}"').etag}


def _abort(store: Store, UploadId: str, **_: object) -> dict[str, Any]:
    if store.uploads.pop(UploadId, None) is None:
        raise refused("NoSuchUpload", 404)
    return {}


_HANDLERS: dict[str, Callable[..., Any]] = {
    "abort_multipart_upload": _abort,
    "complete_multipart_upload": _complete,
    "copy_object": _copy,
    "create_multipart_upload": _create,
    "delete_object": _delete,
    "delete_objects": _delete_many,
    "get_object": _get,
    "head_object": _head,
    "list_multipart_uploads": _list_uploads,
    "list_objects_v2": _list,
    "put_object": _put,
    "upload_part_copy": _copy_part,
}

"""Requests that are disturbed: bodies that break off, sources that change, users who interrupt."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from urllib3.exceptions import ProtocolError, SSLError

from basketwise.aws import s3 as s3_objects
from basketwise.aws.parallel import CancelledTaskError, for_each
from basketwise.aws.s3 import ChangedError, S3Object
from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import DependencyError

PART = 5 << 20

BROKEN = [
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    ResponseStreamingError(error="reset"),
    ProtocolError("reset"),
    SSLError("bad record"),
    ConnectionResetError("reset"),
]


class Broken:
    """A body that gives some bytes and then breaks off."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def iter_chunks(self, _: int) -> Any:
        """Give too little."""
        yield b"to"
        raise self.error


def break_off(storage: S3Storage, error: Exception, times: int) -> list[str]:
    """Let the next bodies break off; return the list of all that is asked from now on."""
    requests: list[str] = []

    def replace(parsed: dict[str, Any], **_: object) -> None:
        if parsed.get("ContentType") == "application/json":
            return  # That is the lock.
        requests.append("GetObject")
        if len(requests) <= times:
            parsed["Body"] = Broken(error)

    storage.bucket.client.meta.events.register("after-call.s3.GetObject", replace)
    return requests


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
def test_a_body_that_breaks_off_is_read_again(
    storage: S3Storage, tmp_path: Path, error: Exception
) -> None:
    storage.bucket.put("a", b"too short")
    listed = storage.bucket.below("a")["a"]
    requests = break_off(storage, error, 2)

    storage.bucket.fetch(listed, tmp_path / "a")

    assert (tmp_path / "a").read_bytes() == b"too short"
    assert len(requests) == 3


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
def test_a_body_that_always_breaks_off_is_a_dependency_error(
    storage: S3Storage, error: Exception
) -> None:
    storage.write("gold/a", b"too short")
    requests = break_off(storage, error, 100)

    with pytest.raises(DependencyError, match=r"Reading s3://.*/gold/a broke off: "):
        storage.local("gold")

    assert len(requests) == 3


def test_an_unwritable_local_file_is_not_a_dependency_error(
    storage: S3Storage, tmp_path: Path
) -> None:
    storage.bucket.put("a", b"1")
    listed = storage.bucket.below("a")["a"]

    with pytest.raises(FileNotFoundError):
        storage.bucket.fetch(listed, tmp_path / "nowhere" / "a")


@pytest.mark.parametrize("whole", [4 << 30, 1])
def test_a_copy_requires_the_listed_version(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    monkeypatch.setattr(s3_objects, "COPY_IN_PARTS", whole)
    storage.bucket.put("a", b"old")
    old = storage.bucket.below("a")["a"]
    copied = storage.bucket.copy(old, "b")
    storage.bucket.put("a", b"new")

    with pytest.raises(ChangedError):
        storage.bucket.copy(old, "c")

    assert storage.bucket.get("b") == b"old"
    assert storage.bucket.below("b")["b"].etag == copied
    assert storage.bucket.get("c") is None
    with pytest.raises(ChangedError):
        storage.bucket.copy(S3Object("never-there", 9, old.etag), "c")


def test_ctrl_c_ends_an_upload_after_the_part_under_way(
    storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "PART", PART)
    (tmp_path / "large").write_bytes(bytes(6 * PART))
    parts, sending, outcome = list[int](), threading.Event(), list[type[BaseException]]()

    def slowly(params: dict[str, Any], **_: object) -> None:
        parts.append(params["query_string"]["partNumber"])
        sending.set()
        time.sleep(0.3)

    storage.bucket.client.meta.events.register("before-call.s3.UploadPart", slowly)

    def work(name: str) -> None:
        if name == "interrupted":
            sending.wait()
            raise KeyboardInterrupt
        try:
            storage.bucket.upload(tmp_path / name, name)
        except BaseException as error:
            outcome.append(type(error))
            raise

    with pytest.raises(KeyboardInterrupt):
        for_each(work, ["large", "interrupted"])

    assert outcome == [CancelledTaskError]
    assert len(parts) <= 2
    assert storage.bucket.below("large") == {}
    begun = storage.bucket.client.list_multipart_uploads(
        Bucket=storage.bucket.name, Prefix=storage.bucket.full("large")
    )
    assert begun.get("Uploads", []) == []


def test_a_cancelled_fetch_ends_between_two_chunks(storage: S3Storage, tmp_path: Path) -> None:
    storage.bucket.put("large", bytes(8 << 20))
    listed, read, goes_on = storage.bucket.below("large")["large"], list[int](), threading.Event()
    fails = threading.Event()

    class Slow:
        def __init__(self, body: Any) -> None:
            self.body = body

        def iter_chunks(self, size: int) -> Any:
            for chunk in self.body.iter_chunks(size):
                read.append(len(chunk))
                fails.set()
                goes_on.wait(0.2)
                yield chunk

    def replace(parsed: dict[str, Any], **_: object) -> None:
        parsed["Body"] = Slow(parsed["Body"])

    storage.bucket.client.meta.events.register("after-call.s3.GetObject", replace)

    def work(item: S3Object | None) -> None:
        if item is None:
            fails.wait()
            raise KeyboardInterrupt
        storage.bucket.fetch(item, tmp_path / "large")

    with pytest.raises(KeyboardInterrupt):
        for_each(work, [listed, None])
    assert len(read) < 8

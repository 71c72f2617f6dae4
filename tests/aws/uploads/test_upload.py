"""Files that are gone or change while they are sent, and users who do not want to wait."""

from __future__ import annotations

import base64
import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws import parallel
from basketwise.aws.s3 import Bucket
from basketwise.aws.uploads import multipart
from basketwise.aws.uploads import upload as uploads
from basketwise.aws.uploads.upload import upload
from basketwise.errors import DependencyError, InputError
from tests.seaweed import S3Server

PART = 5 << 20
"""Bytes; S3 takes no smaller part."""


class Target:
    """Where a folder's files are sent, and the parts that were."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.s3, self.bucket, self.prefix = server.client(), server.bucket, server.new_prefix()
        self.folder, self.parts = folder, list[int]()
        self.s3.meta.events.register("before-call.s3.UploadPart", self._part)
        self.on_part: Callable[[int], object] = lambda _: None

    def _part(self, params: dict[str, Any], **_: object) -> None:
        self.parts.append(params["query_string"]["partNumber"])
        self.on_part(self.parts[-1])

    def file(self, name: str, data: bytes) -> Path:
        """Write a file that is to be sent."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def key(self, name: str) -> str:
        """Say where it goes."""
        return f"{self.prefix}/{name}"

    def send(self, *names: str) -> set[str]:
        """Send some files."""
        files = {self.key(name): self.folder / name for name in names}
        return upload(Bucket(self.s3, self.bucket), files, lambda *_: None)

    def stored(self) -> dict[str, int]:
        """Return the sizes of what is there."""
        result = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix)
        return {item["Key"].rpartition("/")[2]: item["Size"] for item in result.get("Contents", [])}

    def unfinished(self) -> int:
        """Count the uploads that were begun and are neither completed nor given up."""
        result = self.s3.list_multipart_uploads(Bucket=self.bucket, Prefix=self.prefix)
        return len(result.get("Uploads", []))


@pytest.fixture
def target(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(multipart, "PART", PART)
    monkeypatch.setattr(uploads, "PART", PART)
    return Target(s3_server, tmp_path)


def test_a_small_file_is_uploaded_with_its_checksum(target: Target) -> None:
    target.file("small", b"bytes")
    target.send("small")

    head = target.s3.head_object(
        Bucket=target.bucket, Key=target.key("small"), ChecksumMode="ENABLED"
    )
    digest = hashlib.sha256(b"bytes")
    assert head["ChecksumSHA256"] == base64.b64encode(digest.digest()).decode()
    assert Bucket(target.s3, target.bucket).digest(target.key("small")) == digest.hexdigest()


def test_a_small_file_that_changes_during_the_upload_has_the_digest_of_its_bytes(
    target: Target,
) -> None:
    path = target.file("small", b"old")

    def change(**_: object) -> None:
        path.write_bytes(b"newer")

    target.s3.meta.events.register("before-call.s3.HeadObject", change)
    target.send("small")

    stored = target.s3.get_object(Bucket=target.bucket, Key=target.key("small"))["Body"].read()
    digest = Bucket(target.s3, target.bucket).digest(target.key("small"))
    assert digest == hashlib.sha256(stored).hexdigest()


def test_bytes_that_are_damaged_on_the_way_are_refused(target: Target) -> None:
    target.file("small", b"bytes")

    def damage(params: dict[str, Any], **_: object) -> None:
        params["Body"] = b"other"

    target.s3.meta.events.register("provide-client-params.s3.PutObject", damage)
    with pytest.raises(DependencyError, match="BadDigest"):
        target.send("small")
    assert target.stored() == {}


@pytest.mark.parametrize("change", ["grown", "cut", "other bytes"])
def test_a_large_file_that_changes_while_it_is_sent_is_refused(target: Target, change: str) -> None:
    path = target.file("large", bytes(3 * PART))

    def write(size: int, data: bytes) -> None:
        with path.open("r+b") as stream:
            stream.truncate(size)
            stream.seek(2 * PART)
            stream.write(data)

    def grow(**_: object) -> None:
        write(3 * PART + 1, b"")

    # One grows between its digest and the first part, the others change between two parts.
    events = target.s3.meta.events
    if change == "grown":
        events.register("before-call.s3.CreateMultipartUpload", grow)
    elif change == "cut":
        target.on_part = lambda _: write(2 * PART, b"")
    else:
        target.on_part = lambda _: write(3 * PART, b"x")
    with pytest.raises(InputError, match=r"'large' was changed during the upload\.") as raised:
        target.send("large")

    assert "Run the same command again" in raised.value.hint
    assert target.stored() == {}
    assert target.unfinished() == 0
    events.unregister("before-call.s3.CreateMultipartUpload", grow)
    target.on_part = lambda _: None
    assert target.send("large") == {target.key("large")}


@pytest.mark.parametrize("size", [5, 2 * PART])
def test_a_file_that_is_gone_is_named(target: Target, size: int) -> None:
    path = target.file("going", bytes(size))

    def remove(**_: object) -> None:
        path.unlink()

    if size > PART:
        target.s3.meta.events.register("before-call.s3.CreateMultipartUpload", remove)
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"going' cannot be read: No such file"):
        target.send("going")
    assert target.stored() == {}


@pytest.mark.parametrize("size", [5, 2 * PART])
def test_a_file_that_disappears_after_listing_is_named(
    target: Target, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = target.file("going", bytes(size))

    def removed_first(send: Callable[[str], None], keys: Iterable[str]) -> None:
        path.unlink()
        parallel.for_each(send, keys)

    monkeypatch.setattr(uploads, "for_each", removed_first)
    with pytest.raises(InputError, match=r"going' cannot be read: No such file"):
        target.send("going")
    assert not path.exists()


def test_ctrl_c_stops_between_two_parts_and_keeps_them(target: Target) -> None:
    target.file("large", bytes(range(256)) * (8 * PART // 256))
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(number: int) -> None:
        if number == 2:
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.5)

    target.on_part = interrupt
    with pytest.raises(KeyboardInterrupt):
        target.send("large")

    sent = len(target.parts)
    assert sent <= 3
    assert target.stored() == {}
    target.parts.clear()
    target.on_part = lambda _: None
    assert target.send("large") == {target.key("large")}
    assert len(target.parts) == 8 - sent


def test_an_error_of_one_file_ends_the_others(target: Target) -> None:
    target.file("a-large", bytes(8 * PART))
    target.file("refused", b"bytes")
    begun = threading.Event()

    def slowly(_: int) -> None:
        begun.set()
        time.sleep(0.2)

    def refuse(**_: object) -> None:
        begun.wait()
        raise ConnectionError("the line is cut")

    target.on_part = slowly
    target.s3.meta.events.register("before-call.s3.PutObject", refuse)
    with pytest.raises(DependencyError, match="the line is cut"):
        target.send("a-large", "refused")
    assert len(target.parts) <= 2

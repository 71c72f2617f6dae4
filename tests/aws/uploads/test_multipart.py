"""Large files in parts, on a real S3 server; cut off, and gone on with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from basketwise.aws.s3 import Bucket
from basketwise.aws.uploads import multipart
from basketwise.aws.uploads import upload as uploads
from basketwise.aws.uploads.upload import upload
from basketwise.errors import DependencyError
from tests.seaweed import S3Server

PART = 5 << 20
"""Bytes; S3 takes no smaller part."""


class Watched:
    """A client, and what it was asked."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.s3, self.bucket = server.client(), server.bucket
        self.key = f"{server.new_prefix()}/large"
        self.path = folder / "large"
        self.path.write_bytes(bytes(range(256)) * 65_536)
        self.calls: list[str] = []
        self.ticks: list[tuple[int, int]] = []
        self.s3.meta.events.register("provide-client-params.s3", self._note)

    def _note(self, model: Any, **_: Any) -> None:
        self.calls.append(model.name)

    def upload(self) -> set[str]:
        self.calls.clear()
        files = {self.key: self.path}
        return upload(Bucket(self.s3, self.bucket), files, lambda _, *done: self.ticks.append(done))

    def stored(self) -> bytes:
        data: bytes = self.s3.get_object(Bucket=self.bucket, Key=self.key)["Body"].read()
        return data

    def refuse_part(self, number: int) -> Any:
        """Let the connection break at a part."""

        def refuse(params: dict[str, Any], **_: Any) -> None:
            if params["PartNumber"] == number:
                raise ConnectionError("the line is cut")

        return mock.patch.object(
            self.s3, "upload_part", side_effect=_refusing(self.s3.upload_part, refuse)
        )


def _refusing(call: Any, refuse: Any) -> Any:
    def called(**params: Any) -> Any:
        refuse(params)
        return call(**params)

    return called


@pytest.fixture
def watched(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(multipart, "PART", PART)
    monkeypatch.setattr(uploads, "PART", PART)
    return Watched(s3_server, tmp_path)


def test_a_large_file_arrives_whole(watched: Watched) -> None:
    assert watched.upload() == {watched.key}
    assert watched.stored() == watched.path.read_bytes()
    assert watched.calls.count("UploadPart") == 4
    digest = hashlib.sha256(watched.path.read_bytes()).hexdigest()
    assert Bucket(watched.s3, watched.bucket).digest(watched.key) == digest
    assert watched.ticks[-1] == (16, 16)
    assert watched.upload() == set()
    assert watched.calls == ["HeadObject"]


def test_an_interrupted_upload_continues_with_the_next_part(watched: Watched) -> None:
    with watched.refuse_part(3), pytest.raises(DependencyError, match="the line is cut"):
        watched.upload()
    assert watched.upload() == {watched.key}
    assert watched.calls.count("UploadPart") == 2
    assert "CreateMultipartUpload" not in watched.calls
    assert watched.stored() == watched.path.read_bytes()


def test_parts_of_another_content_are_not_put_together(watched: Watched) -> None:
    with watched.refuse_part(3), pytest.raises(DependencyError):
        watched.upload()
    watched.path.write_bytes(bytes(16 << 20))
    watched.upload()
    assert watched.calls.count("UploadPart") == 4
    assert watched.stored() == bytes(16 << 20)


def test_an_upload_that_s3_aborted_starts_again(watched: Watched) -> None:
    with watched.refuse_part(3), pytest.raises(DependencyError):
        watched.upload()
    for begun in uploads_of(watched):
        target = {"Bucket": watched.bucket, "Key": watched.key}
        watched.s3.abort_multipart_upload(**target, UploadId=begun)
    assert watched.upload() == {watched.key}
    assert watched.stored() == watched.path.read_bytes()


def uploads_of(watched: Watched) -> Iterator[str]:
    result = watched.s3.list_multipart_uploads(Bucket=watched.bucket, Prefix=watched.key)
    for item in result["Uploads"]:
        yield item["UploadId"]


@pytest.mark.parametrize(("size", "number"), [(1, 1), (PART, 1), (PART + 1, 2), (1 << 40, 9000)])
def test_a_file_is_split_into_no_more_parts_than_s3_allows(size: int, number: int) -> None:
    sizes = multipart.part_sizes(size, PART)
    assert len(sizes) == number
    assert sum(sizes) == size

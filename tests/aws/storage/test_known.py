"""What is known of objects that were not downloaded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from basketwise.aws.s3 import Bucket
from basketwise.aws.storage.known import FOLDER, known_digests, remember, remembered
from basketwise.aws.storage.storage import S3Storage
from tests.seaweed import S3Server


@pytest.fixture
def storage(s3_server: S3Server, tmp_path: Path) -> S3Storage:
    client, prefix = s3_server.client(), s3_server.new_prefix()
    return S3Storage(client, s3_server.bucket, prefix, cache=tmp_path / "cache")


def put_by_others(bucket: Bucket, key: str, data: bytes) -> None:
    """Write an object as a job does: without the sha256 that Basketwise adds."""
    bucket.client.put_object(Bucket=bucket.name, Key=bucket.full(key), Body=data)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_was_remembered_is_known_until_it_changes(storage: S3Storage) -> None:
    bucket = storage.bucket
    for key in ("silver/a", "silver/b"):
        put_by_others(bucket, key, key.encode())
    listed = bucket.below("silver")
    assert known_digests(bucket, listed) == {}
    remember(bucket, [(item, sha256(key.encode())) for key, item in listed.items()])

    assert storage.digests("silver") == {
        name: sha256(f"silver/{name}".encode()) for name in ("a", "b")
    }
    assert storage.downloaded == 0
    put_by_others(bucket, "silver/b", b"other bytes")
    assert remembered(bucket, bucket.below("silver")) == {"silver/a": sha256(b"silver/a")}
    assert storage.digests("silver")["b"] == sha256(b"other bytes")
    assert storage.downloaded == len(b"other bytes")


def test_what_basketwise_wrote_is_known_without_a_list(storage: S3Storage) -> None:
    storage.write("gold/a", b"1")

    assert known_digests(storage.bucket, storage.bucket.below("gold")) in (
        {"gold/a": sha256(b"1")},
        # This server forgets it when it copies.
        {},
    )
    storage.bucket.put("gold/b", b"2")
    known = known_digests(storage.bucket, storage.bucket.below("gold/b"))
    assert known == {"gold/b": sha256(b"2")}


def test_many_unknown_files_are_fetched_with_their_folder(storage: S3Storage) -> None:
    files = {f"w={number}": bytes([number, 1]) for number in range(20)}
    for name, data in files.items():
        put_by_others(storage.bucket, f"silver/{name}", data)

    assert storage.digests("silver") == {name: sha256(data) for name, data in files.items()}
    assert storage.downloaded == 40


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b'{"etag": 1}', b'{"etag": "short"}', b"[" * 99_999]
)
def test_a_damaged_list_is_no_list(storage: S3Storage, text: bytes) -> None:
    put_by_others(storage.bucket, "silver/a", b"1")
    storage.bucket.put(f"{FOLDER}/silver.json", text)

    assert storage.digests("silver") == {"a": sha256(b"1")}

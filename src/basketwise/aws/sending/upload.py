"""Local files to the bucket: checksummed, and only those that are not there yet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from basketwise.aws.at_once import each, go_on
from basketwise.aws.s3 import Bucket
from basketwise.aws.sending.multipart import PART, reading, send_in_parts
from basketwise.progress import Tick

MEGABYTE = 10**6
BLOCK = 1 << 20


@dataclass(frozen=True)
class Uploaded:
    """What an upload did."""

    sent: int
    skipped: int
    bytes_sent: int


def upload(bucket: Bucket, files: Mapping[str, Path], tick: Tick) -> Uploaded:
    """Bring files to their keys; those that are there with the same content stay.

    An upload that was cut off goes on with the first file, and of a large file with the first part,
    that is not there. Ctrl-C ends it when the parts that are under way have been sent.

    Parameters
    ----------
    bucket : Bucket
        Receives the files.
    files : mapping
        Local file by key.
    tick : callable
        Told (what, megabytes done, megabytes in all).

    Raises
    ------
    InputError
        If a file cannot be read, or changes while it is sent.
    DependencyError
        If S3 refuses, or cannot be reached.
    """
    sizes = {key: _size(path) for key, path in files.items()}
    total = max(sum(sizes.values()) // MEGABYTE, 1)
    done, fresh, lock = 0, set[str](), Lock()

    def arrived(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            tick("uploading, MB", min(max(done // MEGABYTE, 1), total), total)

    def send(key: str) -> None:
        path, large = files[key], sizes[key] > PART
        # A small file is read once, so that the digest is surely that of the bytes that are sent.
        body = b"" if large else _bytes(path)
        digest = (_digest(path) if large else hashlib.sha256(body)).hexdigest()
        if bucket.digest(key) == digest:
            arrived(sizes[key])
            return
        if large:
            send_in_parts(bucket, key, path, digest, arrived)
        else:
            bucket.put(key, body)
            arrived(sizes[key])
        with lock:
            fresh.add(key)

    each(send, files)
    tick("uploading, MB", total, total)
    return Uploaded(len(fresh), len(files) - len(fresh), sum(sizes[key] for key in fresh))


def _size(path: Path) -> int:
    with reading(path):
        return path.stat().st_size


def _bytes(path: Path) -> bytes:
    with reading(path):
        return path.read_bytes()


def _digest(path: Path) -> hashlib._Hash:
    found = hashlib.sha256()
    with reading(path), path.open("rb") as stream:
        while block := stream.read(BLOCK):
            found.update(block)
            go_on()
    return found

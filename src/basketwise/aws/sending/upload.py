"""Local files to the bucket: checksummed, and only those that are not there yet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from basketwise.aws.at_once import each, go_on
from basketwise.aws.s3 import Bucket
from basketwise.aws.sending.multipart import PART, reading, send_in_parts
from basketwise.progress import Tick

MEGABYTE = 10**6
BLOCK = 1 << 20


def upload(bucket: Bucket, files: Mapping[str, Path], tick: Tick) -> set[str]:
    """Send files to their keys, unless their content is there already; return the keys sent.

    An upload that was cut off goes on with the first file, and of a large file with the first part,
    that is not there. Ctrl-C ends it when the parts that are under way have been sent. Raises
    InputError if a file cannot be read, or changes while it is sent.
    """
    sizes = {}
    for key, path in files.items():
        with reading(path):
            sizes[key] = path.stat().st_size
    total = max(sum(sizes.values()) // MEGABYTE, 1)
    done, fresh, lock = 0, set[str](), Lock()

    def arrived(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            tick("uploading, MB", min(max(done // MEGABYTE, 1), total), total)

    def send(key: str) -> None:
        path, large, body = files[key], sizes[key] > PART, b""
        with reading(path):
            if not large:
                # Read once, so that the digest is surely that of the bytes that are sent.
                body = path.read_bytes()
            digest = _digest(path) if large else hashlib.sha256(body).hexdigest()
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
    return fresh


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            go_on()
    return digest.hexdigest()

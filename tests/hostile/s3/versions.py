"""Versions of ``gold/`` that tell which one they are, so that any mixture of two is seen."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from basketwise.aws.storage.lock import read_lock
from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import WorkspaceError
from tests.aws.storage.access import objects
from tests.hostile.s3.publishing import Files, read_folder, written
from tests.seaweed import S3Server

LEASE = 0.5
"""Seconds; with the tolerance of whole seconds, a dead holder's lock is free after 2.5."""

PATIENCE = 20.0
"""Seconds in which the lock of a dead holder must be free, on a busy machine."""

LARGE = 6 << 20
"""Bytes of a file that is uploaded in parts, where parts have 5 MiB."""


def version(number: int) -> Files:
    """Return the files of a version: others than those of the one before, some the same."""
    rng = random.Random(number)
    names = rng.sample("abcdefghijkl", rng.randint(2, 9))
    files = {name: f"{number} {name}".encode() for name in names} | {"same": b"as ever"}
    files["number"] = str(number).encode()
    if number % 4 == 0:
        files["large"] = f"{number:08}".encode() * (LARGE // 8)
    return files


def number_of(files: Files) -> int:
    """Return which version files are; fails if they are no version, or not all of one."""
    number = int(files.get("number", b"-1"))
    shown = {name: data[:20] for name, data in files.items()}
    assert files == version(number), f"mixed: {shown}"
    return number


def opened(client: Any, server: S3Server, prefix: str, cache: Path) -> S3Storage:
    """Open a workspace with a short lease."""
    return S3Storage(client, server.bucket, prefix, cache=cache, lease=LEASE)


def publish(storage: S3Storage, number: int, folder: Path) -> None:
    """Publish a version."""
    storage.replace(written(folder / f"version-{number}", version(number)), "gold")


def publish_after(storage: S3Storage, number: int, folder: Path) -> None:
    """Publish a version once the lock of whoever came before is free; nothing else is left."""
    new = written(folder / f"version-{number}", version(number))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            storage.replace(new, "gold")
            break
        except WorkspaceError as error:
            if "Another run" not in error.headline or time.monotonic() > end:
                raise
            time.sleep(0.1)
    assert number_of(read_folder(storage.local("gold"))) == number
    assert objects(storage) == sorted(f"gold/{name}" for name in version(number))
    bucket = storage.bucket
    uploads = bucket.client.list_multipart_uploads(Bucket=bucket.name, Prefix=f"{bucket.prefix}/")
    assert not uploads.get("Uploads")


def is_held(storage: S3Storage) -> bool:
    """Whether whoever held the lock last has not released it."""
    stored = read_lock(storage.bucket)
    return stored is not None and stored.record.holder.lease > 0


@contextmanager
def reading(storage: S3Storage) -> Iterator[set[int]]:
    """Read again and again while the block lasts; every reading is one whole version."""
    seen: set[int] = set()
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                with suppress_haste():
                    seen.add(number_of(read_folder(storage.local("gold"))))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def suppress_haste() -> Iterator[None]:
    """Pass over that others publish faster than one can read."""
    try:
        yield
    except WorkspaceError as error:
        if "faster than it can be read" not in error.headline:
            raise

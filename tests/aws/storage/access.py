"""What tests of workspaces in a bucket share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from basketwise.aws.s3 import Bucket
from basketwise.aws.storage import lock
from basketwise.aws.storage.lock import LOCK
from basketwise.aws.storage.storage import S3Storage

Open = Callable[..., S3Storage]


def folder_of(root: Path, **files: bytes) -> Path:
    root.mkdir(parents=True)
    for name, data in files.items():
        (root / name).write_bytes(data)
    return root


def let_locks_expire(patch: pytest.MonkeyPatch) -> None:
    """Let every lock have expired, and renew none in the background."""
    read = lock.read_lock

    def expired(bucket: Bucket) -> lock.StoredRecord | None:
        stored = read(bucket)
        return stored._replace(age=1e6) if stored else None

    patch.setattr(lock, "read_lock", expired)
    patch.setattr(lock.Lease, "renew_until", lambda *_: None)


def objects(storage: S3Storage) -> list[str]:
    """List all objects of a workspace but its lock, which remains."""
    bucket = storage.bucket
    listed = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=f"{bucket.prefix}/")
    keys = (item["Key"].removeprefix(f"{bucket.prefix}/") for item in listed["Contents"])
    return sorted(key for key in keys if key != LOCK)

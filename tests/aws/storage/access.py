"""What tests of workspaces in a bucket share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from basketwise.aws.storage.storage import S3Storage

Open = Callable[..., S3Storage]


def folder_of(root: Path, **files: bytes) -> Path:
    root.mkdir(parents=True)
    for name, data in files.items():
        (root / name).write_bytes(data)
    return root


def objects(storage: S3Storage) -> list[str]:
    bucket = storage.bucket
    listed = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=f"{bucket.prefix}/")
    return sorted(item["Key"].removeprefix(f"{bucket.prefix}/") for item in listed["Contents"])
